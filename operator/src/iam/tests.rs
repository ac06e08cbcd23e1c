use std::collections::BTreeSet;

use serde_json::json;

use super::*;

const ROLES: [Role; 3] = [Role::Operator, Role::Web, Role::Worker];
/// The most that IAM takes as a managed policy, white space aside.
const MOST_CHARACTERS: usize = 6_144;
/// The most that IAM takes as all inline policies of one role.
const MOST_CHARACTERS_INLINE: usize = 10_240;

/// A key in KMS.
const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555";

fn known() -> Known {
    Known {
        account_id: Some("111122223333".to_owned()),
        region: Some("eu-central-1".to_owned()),
        cluster_name: Some("east".to_owned()),
    }
}

fn pipeline(spec: &Value) -> AssetPipeline {
    let object = json!({
        "apiVersion": "assetpipeline.dev/v1alpha1",
        "kind": "AssetPipeline",
        "metadata": {"namespace": "shop", "name": "store"},
        "spec": spec,
    });
    serde_json::from_value(object).unwrap()
}

/// The spec in which all bindings have this mode and this end.
fn spec(mode: &str, policy: &str) -> Value {
    let has_names = mode != "Create";
    let mut bindings = json!({
        "bucket": {"mode": mode, "deletionPolicy": policy},
        "queues": {"mode": mode, "deletionPolicy": policy},
        "topic": {"mode": mode, "deletionPolicy": policy},
    });
    if has_names {
        bindings["bucket"]["name"] = json!("files");
        bindings["queues"]["names"] = json!({"visits": "v", "refreshes": "r", "deadLetters": "d"});
        bindings["topic"]["name"] = json!("notices");
    }
    json!({"bindings": bindings, "notifications": {"endpoint": "https://Hooks.shop.example/work_complete"}})
}

fn specs() -> Vec<Value> {
    let mut specs = vec![json!({})];
    for mode in ["Create", "Adopt", "AdoptOrCreate", "ReadOnly"] {
        specs.extend(["Retain", "Delete"].map(|policy| spec(mode, policy)));
    }
    let mut all = spec("Create", "Delete");
    all["bindings"]["bucket"]["whenNotEmpty"] = json!("DeleteAllObjects");
    all["bindings"]["bucket"]["versioning"] = json!("Enabled");
    all["bindings"]["bucket"]["encryption"] = json!({"kmsKeyArn": KEY});
    specs.push(all);
    let mut tagged = spec("Create", "Delete");
    let keys = ["CostCenter", "application", "environment", "owner", "shop.example/team"];
    tagged["bindings"]["tags"] = keys.into_iter().map(|key| (key.to_owned(), json!("some value"))).collect();
    specs.push(tagged);
    specs
}

fn sids(spec: &Value) -> BTreeSet<&'static str> {
    let policy = build_iam_policy(Role::Operator, &pipeline(spec), &known());
    policy.statements.iter().map(|statement| statement.sid).collect()
}

fn find(policy: &IamPolicy, sid: &str) -> Statement {
    policy.statements.iter().find(|statement| statement.sid == sid).unwrap().clone()
}

#[test]
fn every_action_is_one_action_with_a_reason() {
    for spec in specs() {
        for role in ROLES {
            let policy = build_iam_policy(role, &pipeline(&spec), &known());
            let mut sids = BTreeSet::new();
            for Statement { sid, grants, resources, .. } in &policy.statements {
                assert!(sids.insert(*sid) && sid.bytes().all(|b| b.is_ascii_alphanumeric()), "{sid}");
                assert!(!grants.is_empty() && !resources.is_empty(), "{sid}");
                for Grant { action, reason } in *grants {
                    assert!(reason.split(' ').count() >= 3, "{action} in {sid} has no reason");
                    let (service, name) = action.split_once(':').unwrap();
                    assert!(
                        ["s3", "sqs", "sns", "kms"].contains(&service) && !name.contains('*'),
                        "{action}"
                    );
                }
            }
        }
    }
}

#[test]
fn nothing_but_what_iam_binds_to_no_resource_is_allowed_on_all() {
    for spec in specs() {
        for role in ROLES {
            for Statement { sid, grants, resources, .. } in
                build_iam_policy(role, &pipeline(&spec), &known()).statements
            {
                let actions: Vec<_> = grants.iter().map(|grant| grant.action).collect();
                let unbound = ["s3:ListAllMyBuckets", "sqs:ListQueues", "sns:Unsubscribe"];
                let of_all = resources.iter().any(|arn| !arn.starts_with("arn:"));
                assert_eq!(of_all, actions.iter().all(|action| unbound.contains(action)), "{sid}");
            }
        }
    }
}

#[test]
fn web_pods_read_files_and_send_jobs_and_nothing_else() {
    let policy = build_iam_policy(Role::Web, &pipeline(&spec("Create", "Retain")), &known());
    let bucket = "arn:aws:s3:::ap-shop-store-??????????";
    let queue = "arn:aws:sqs:eu-central-1:111122223333:ap-shop-store-??????????";
    let objects = ["a/*", "b/*", "tenants/*", "purges/all.json"].map(|name| format!("{bucket}/{name}"));
    let topic = "arn:aws:sns:eu-central-1:111122223333:ap-shop-store-??????????";
    let allow = |sid: &str, action: &str, resources: &[String]| json!({"Sid": sid, "Effect": "Allow", "Action": [action], "Resource": resources});
    let expected = json!({"Version": "2012-10-17", "Statement": [
        allow("ReadFiles", "s3:GetObject", &objects),
        allow("TellAbsence", "s3:ListBucket", &[bucket.to_owned()]),
        allow("SendJobs", "sqs:SendMessage", &[queue.to_owned(), format!("{queue}-refresh")]),
        allow("ConfirmSubscription", "sns:ConfirmSubscription", &[topic.to_owned()]),
    ]});
    assert_eq!(policy.to_json(), expected);
    let without = build_iam_policy(Role::Web, &pipeline(&json!({})), &known());
    assert!(without.statements.iter().all(|statement| statement.sid != "ConfirmSubscription"));
}

#[test]
fn key_is_used_through_s3_alone_and_by_web_pods_to_read() {
    let encrypted = json!({"bindings": {"bucket": {"encryption": {"kmsKeyArn": KEY}}}});
    let both = json!(["kms:Decrypt", "kms:GenerateDataKey"]);
    for (role, actions) in
        [(Role::Operator, both.clone()), (Role::Web, json!(["kms:Decrypt"])), (Role::Worker, both)]
    {
        let expected = json!({
            "Sid": "UseKey", "Effect": "Allow", "Action": actions, "Resource": [KEY],
            "Condition": {"StringEquals": {"kms:ViaService": ["s3.eu-central-1.amazonaws.com"]}},
        });
        let policy = build_iam_policy(role, &pipeline(&encrypted), &known());
        assert_eq!(find(&policy, "UseKey").to_json(), expected, "{role:?}");
        let without = build_iam_policy(role, &pipeline(&json!({})), &known()).to_json().to_string();
        assert!(!without.contains("kms"), "{role:?}");
    }
}

#[test]
fn workers_touch_no_tenant_and_no_purge() {
    let policy = build_iam_policy(Role::Worker, &pipeline(&json!({})), &known());
    let bucket = "arn:aws:s3:::ap-shop-store-??????????/";
    for Statement { sid, grants, resources, .. } in policy.statements {
        if grants.iter().any(|grant| grant.action.starts_with("s3:") && grant.action != "s3:ListBucket") {
            let names: Vec<&str> = resources.iter().map(|arn| arn.strip_prefix(bucket).unwrap()).collect();
            assert!(names.iter().all(|name| ["a/*", "b/*", "n/*"].contains(name)), "{sid}: {names:?}");
        }
    }
}

#[test]
fn operator_may_do_what_modes_and_policies_ask_for() {
    let seen = ["SeeBucket", "SeeQueues", "SeeTopic", "KeepRegistry", "RecordPurges"];
    let kept = ["SetBucket", "SetQueues", "SetTopic", "TagQueues", "TagTopic", "Subscribe", "Unsubscribe"];
    let makes = ["MakeBucket", "MakeQueues", "MakeTopic"];
    let deletes = ["DeleteBucket", "DeleteQueues", "DeleteTopic"];
    let all = |parts: &[&[&'static str]]| parts.concat().into_iter().collect::<BTreeSet<_>>();
    assert_eq!(sids(&spec("ReadOnly", "Delete")), all(&[&seen]));
    assert_eq!(sids(&spec("Adopt", "Retain")), all(&[&seen, &kept]));
    assert_eq!(sids(&spec("Adopt", "Delete")), all(&[&seen, &kept, &deletes]));
    assert_eq!(sids(&spec("AdoptOrCreate", "Retain")), all(&[&seen, &kept, &makes]));
    let finds = ["FindLeftBuckets", "FindLeftQueues"];
    assert_eq!(sids(&spec("Create", "Retain")), all(&[&seen, &kept, &makes, &finds]));
    let mut emptied = spec("Create", "Delete");
    emptied["bindings"]["bucket"]["whenNotEmpty"] = json!("DeleteAllObjects");
    let expected = all(&[&seen, &kept, &makes, &deletes, &["FindLeftBuckets", "EmptyBucket"]]);
    assert_eq!(sids(&emptied), expected);
    // Without an endpoint nothing is subscribed; an earlier one may still have to go.
    let quiet = sids(&json!({}));
    assert!(!quiet.contains("Subscribe") && quiet.contains("Unsubscribe"));
}

#[test]
fn conditions_hold_the_operator_to_its_own_tags_and_endpoint() {
    let policy = build_iam_policy(Role::Operator, &pipeline(&spec("Create", "Delete")), &known());
    let condition = |sid| find(&policy, sid).to_json()["Condition"].clone();
    assert_eq!(
        condition("DeleteQueues"),
        json!({"StringEquals": {
            "aws:ResourceTag/assetpipeline.dev/cluster": ["east"],
            "aws:ResourceTag/assetpipeline.dev/pipeline": ["shop/store"],
            "aws:ResourceTag/assetpipeline.dev/state": ["owned"],
        }})
    );
    assert_eq!(
        condition("MakeTopic"),
        json!({"StringEquals": {
            "aws:RequestTag/assetpipeline.dev/cluster": ["east"],
            "aws:RequestTag/assetpipeline.dev/pipeline": ["shop/store"],
        }})
    );
    assert_eq!(
        condition("Subscribe"),
        json!({"StringEquals": {
            "sns:Protocol": ["https"],
            "sns:Endpoint": ["https://hooks.shop.example/work_complete"],
        }})
    );
    let unknown = Known { cluster_name: None, ..known() };
    let policy = build_iam_policy(Role::Operator, &pipeline(&spec("Create", "Delete")), &unknown);
    let keys: Vec<String> =
        find(&policy, "MakeQueues").conditions.into_iter().map(|condition| condition.key).collect();
    assert_eq!(keys, ["aws:RequestTag/assetpipeline.dev/pipeline"]);
}

#[test]
fn queues_and_topic_take_tags_of_ours_and_of_the_spec_alone() {
    let keys = |spec: &Value, sid| {
        let policy = build_iam_policy(Role::Operator, &pipeline(spec), &known());
        find(&policy, sid).to_json()["Condition"]["ForAllValues:StringEquals"]["aws:TagKeys"].clone()
    };
    let ours = ["assetpipeline.dev/cluster", "assetpipeline.dev/pipeline", "assetpipeline.dev/state"];
    let tagged = json!({"bindings": {"tags": {"team": "shop", "CostCenter": "42"}}});
    for sid in ["TagQueues", "TagTopic"] {
        assert_eq!(keys(&json!({}), sid), json!(ours));
        let all = [&ours[..], &["assetpipeline.dev/tags", "CostCenter", "team"]].concat();
        assert_eq!(keys(&tagged, sid), json!(all));
    }
}

#[test]
fn names_that_are_drawn_take_the_place_of_patterns() {
    let mut object = pipeline(&spec("Create", "Retain"));
    let arn = "arn:aws-cn:sns:cn-north-1:444455556666:ap-shop-store-0123456789";
    let told = json!({"bindings": {"bucket": "ap-shop-store-0123456789", "topicArn": arn}});
    object.status = serde_json::from_value(told).unwrap();
    let known = Known::default().or_told_by(&object);
    let policy = build_iam_policy(Role::Operator, &object, &known);
    let sqs = "arn:aws-cn:sqs:cn-north-1:444455556666:ap-shop-store";
    let queues = ["", "-refresh", "-dead"].map(|end| format!("{sqs}-0123456789{end}"));
    assert_eq!(find(&policy, "SeeQueues").resources, queues);
    assert_eq!(find(&policy, "SetTopic").resources, [arn]);
    assert_eq!(find(&policy, "SeeBucket").resources, ["arn:aws-cn:s3:::ap-shop-store-0123456789"]);
    // What an earlier one left has another end.
    assert_eq!(find(&policy, "SeeLeftBuckets").resources, ["arn:aws-cn:s3:::ap-shop-store-??????????"]);
    assert_eq!(find(&policy, "SeeLeftQueues").resources, [format!("{sqs}-??????????")]);
    // What the caller says counts.
    let said = Known { region: Some("cn-northwest-1".to_owned()), ..Known::default() }.or_told_by(&object);
    assert_eq!(
        (said.region.as_deref(), said.account_id.as_deref()),
        (Some("cn-northwest-1"), Some("444455556666"))
    );
}

#[test]
fn given_names_are_exact_and_unknown_accounts_stay_open() {
    let policy = build_iam_policy(Role::Worker, &pipeline(&spec("Adopt", "Retain")), &Known::default());
    assert_eq!(find(&policy, "TakeJobs").resources, ["arn:aws:sqs:*:*:v", "arn:aws:sqs:*:*:r"]);
    assert_eq!(find(&policy, "Tell").resources, ["arn:aws:sns:*:*:notices"]);
}

fn count_characters(role: Role, object: &AssetPipeline) -> usize {
    let text = build_iam_policy(role, object, &known()).to_json().to_string();
    text.chars().filter(|c| !c.is_whitespace()).count()
}

#[test]
fn iam_takes_every_policy_on_its_own_or_with_the_longest_names_as_a_roles() {
    for mut spec in specs() {
        let plain = pipeline(&spec);
        spec["notifications"] =
            json!({"endpoint": format!("https://{}.example/work_complete", "e".repeat(200))});
        let mut longest = pipeline(&spec);
        longest.metadata.namespace = Some("n".repeat(63));
        longest.metadata.name = Some("p".repeat(50));
        let suffix = ("assetpipeline.dev/binding-suffix".to_owned(), "0123456789".to_owned());
        longest.metadata.annotations = Some([suffix].into());
        for role in ROLES {
            for (object, most) in [(&plain, MOST_CHARACTERS), (&longest, MOST_CHARACTERS_INLINE)] {
                let length = count_characters(role, object);
                assert!(length <= most, "{role:?} takes {length} characters");
            }
        }
    }
}
