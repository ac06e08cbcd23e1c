use std::fs;

use tempfile::TempDir;

use super::*;

const EXAMPLE: &str = include_str!("../../../examples/storefront.yaml");

/// A home with these files below `.aws`.
fn home(files: &[(&str, &str)]) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".aws")).unwrap();
    for (name, text) in files {
        fs::write(home.path().join(".aws").join(name), text).unwrap();
    }
    home
}

fn machine(home: &TempDir, variables: &[(&str, &str)]) -> Machine {
    let home = ("HOME".to_owned(), home.path().display().to_string());
    let set = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Machine::with(set.chain([home]))
}

fn find(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<(String, String, String), String> {
    let home = home(files);
    let found = RealAws::find(&machine(&home, variables)).map_err(|error| format!("{error:#}"))?;
    Ok((found.keys.id, found.keys.secret, found.region))
}

#[test]
fn keys_and_region_are_found_where_awss_tools_find_them_in_their_order() {
    let environment = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let region = ("AWS_REGION", "eu-west-1");
    let credentials = "[default]\naws_access_key_id = d\naws_secret_access_key=ds\n# no\n[work]\n\
                       aws_access_key_id=w\n aws_session_token=continued\naws_secret_access_key = w=s\n";
    let config = "[default]\nregion = us-east-1\n[profile  work]\nregion=eu-north-1\naws_access_key_id=later\n\
                  [profile keys]\naws_access_key_id=k\naws_secret_access_key=ks\n";
    let files = [("credentials", credentials), ("config", config)];
    let right =
        |id: &str, secret: &str, region: &str| Ok((id.to_owned(), secret.to_owned(), region.to_owned()));
    assert_eq!(find(&[], &[&environment[..], &[region]].concat()), right("id", "secret", "eu-west-1"));
    assert_eq!(find(&files, &[]), right("d", "ds", "us-east-1"));
    assert_eq!(find(&files, &environment), right("id", "secret", "us-east-1"));
    assert_eq!(find(&files, &[("AWS_PROFILE", "work")]), right("w", "w=s", "eu-north-1"));
    assert_eq!(find(&files, &[("AWS_PROFILE", "work"), region]), right("w", "w=s", "eu-west-1"));
    assert_eq!(find(&files, &[("AWS_PROFILE", "keys"), ("AWS_DEFAULT_REGION", "r")]), right("k", "ks", "r"));
    let elsewhere = home(&[("mine", credentials)]);
    let file = elsewhere.path().join(".aws/mine").display().to_string();
    assert_eq!(find(&[], &[("AWS_SHARED_CREDENTIALS_FILE", &file), region]), right("d", "ds", "eu-west-1"));
}

/// Files, variables, and what is said of them.
type Case<'c> = (&'c [(&'c str, &'c str)], Vec<(&'c str, &'c str)>, &'c str);

#[test]
fn what_is_missing_is_said_in_one_line_with_what_to_do() {
    let region = ("AWS_REGION", "eu-west-1");
    let sso = [("config", "[profile work]\nsso_session = company\n")];
    let half = [("credentials", "[default]\naws_access_key_id = d\n")];
    let id = ("AWS_ACCESS_KEY_ID", "id");
    let cases: Vec<Case<'_>> = vec![
        (
            &[],
            vec![region],
            "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
        ),
        (&[], vec![], "no region: set AWS_REGION"),
        (&[], vec![region, id], "AWS_ACCESS_KEY_ID is set, but not AWS_SECRET_ACCESS_KEY"),
        (&[], vec![region, ("AWS_SECRET_ACCESS_KEY", "s")], "AWS_SECRET_ACCESS_KEY is set, but not"),
        (&[], vec![region, id, ("AWS_SECRET_ACCESS_KEY", "")], "AWS_ACCESS_KEY_ID is set, but not"),
        (&sso, vec![region, ("AWS_PROFILE", "work")], "export-credentials --profile work --format env"),
        (&sso, vec![region], "no credentials"),
        (&half, vec![region], "profile default has one of"),
    ];
    for (files, variables, says) in cases {
        let said = find(files, &variables).unwrap_err();
        assert!(said.starts_with("--aws real: ") && said.contains(says), "{says:?} is not in: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn temporary_keys_are_handed_on_with_their_token() {
    let file =
        [("credentials", "[default]\naws_access_key_id=d\naws_secret_access_key=s\naws_session_token=t\n")];
    let region = ("AWS_REGION", "eu-west-1");
    let set =
        [region, ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_SESSION_TOKEN", "u")];
    for (files, variables, token) in
        [(&file[..], &[region][..], "t"), (&file, &set, "u"), (&file, &set[..3], "")]
    {
        let home = home(files);
        let found = RealAws::find(&machine(&home, variables)).unwrap();
        assert_eq!(found.is_temporary(), !token.is_empty());
        let secret = Access::Real(found).secret("storefront");
        assert_eq!(secret["stringData"]["AWS_SESSION_TOKEN"], token);
    }
}

fn real(variables: &[(&str, &str)]) -> RealAws {
    let keys =
        [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_REGION", "eu-west-1")];
    RealAws::find(&machine(&home(&[]), &[&keys[..], variables].concat())).unwrap()
}

#[test]
fn chart_is_told_the_endpoints_that_are_set_and_no_emulator() {
    let real = real(&[("AWS_ENDPOINT_URL_S3", "https://s3.internal"), ("AWS_ENDPOINT_URL", "")]);
    let name = real.cluster_name.clone();
    assert_eq!((name.len(), &name[..6]), (14, "local-"));
    assert!(!format!("{real:?}").contains("secret\""), "{real:?}");
    let expected = [
        &format!("clusterName={name}"),
        "aws.region=eu-west-1",
        "aws.credentialsSecretName=aws-credentials",
        "aws.endpointUrl=",
        "aws.endpointUrls.s3=https://s3.internal",
        "aws.endpointUrls.sqs=",
        "aws.endpointUrls.sns=",
        "aws.endpointUrls.sts=",
    ];
    assert_eq!(Access::Real(real).values(), expected);
}

#[test]
fn endpoint_on_loopback_is_refused_with_one_that_pods_reach() {
    for url in [
        "http://127.0.0.1:5000",
        "http://localhost:5000/",
        "http://[::1]:5000",
        "http://[::1]",
        "http://127.9.9.9",
    ] {
        let refused = real(&[("AWS_ENDPOINT_URL_SQS", url)]).check_reached_by_pods();
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("AWS_ENDPOINT_URL_SQS") && said.contains("10.88.0.1"), "{said}");
    }
    for url in [
        "http://10.88.0.1:5000",
        "https://s3.eu-west-1.amazonaws.com",
        "http://[fd00::1]:5000",
        "http://[fd00::1]",
    ] {
        real(&[("AWS_ENDPOINT_URL", url)]).check_reached_by_pods().unwrap();
    }
}

#[test]
fn cluster_stays_with_the_region_and_the_endpoints_that_it_was_started_for() {
    let state = tempfile::tempdir().unwrap();
    let place = ("AWS_ENDPOINT_URL_SQS", "https://sqs.internal");
    let started = real(&[place]);
    started.check_same(state.path()).unwrap();
    started.remember(state.path()).unwrap();
    real(&[place, ("AWS_ACCESS_KEY_ID", "another")]).check_same(state.path()).unwrap();
    for other in [real(&[]), real(&[place, ("AWS_REGION", "eu-north-1")])] {
        let refused = other.check_same(state.path()).unwrap_err().to_string();
        assert!(
            refused.contains("works on eu-west-1, AWS_ENDPOINT_URL_SQS=https://sqs.internal,"),
            "{refused}"
        );
    }
}

#[test]
fn example_has_the_machines_keys_and_leaves_nothing_on_the_real_aws() {
    assert_eq!(Access::Emulator.adapt(EXAMPLE).unwrap(), EXAMPLE);
    let adapted: Value = serde_json::from_str(&Access::Real(real(&[])).adapt(EXAMPLE).unwrap()).unwrap();
    let kinds: Vec<_> = adapted["items"].as_array().unwrap().iter().map(|item| &item["kind"]).collect();
    assert_eq!(kinds, ["Namespace", "AssetPipeline", "Deployment", "Service"]);
    let spec = &adapted["items"][1]["spec"];
    assert_eq!(spec["aws"], json!({"credentialsSecretName": "aws-credentials"}));
    assert_eq!(
        spec["bindings"]["bucket"],
        json!({"deletionPolicy": "Delete", "whenNotEmpty": "DeleteAllObjects"})
    );
    assert_eq!(spec["notifications"], Value::Null);
    assert_eq!(spec["web"], json!({"replicas": 3}));
}
