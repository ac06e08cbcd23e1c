//! `iam-policy`: prints what a role must be allowed on AWS, or who may take it, from a pipeline's manifest or from
//! the cluster.

mod trust;

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;
use crds::AssetPipeline;
use kube::ResourceExt;
use operator::iam::{Known, Role, build_iam_policy};
use serde::Deserialize;
use serde_json::Value;

use self::trust::{TrustArguments, Trusted};
use crate::cluster::Cluster;

/// The policy is that of one pipeline. An operator of several has the policies of all of them.
#[derive(Debug, Args)]
pub(crate) struct IamPolicyArguments {
    /// Name of the `AssetPipeline`; with a manifest, only where that holds several
    #[arg(required_unless_present = "filename")]
    pipeline: Option<String>,
    /// Manifest of the pipeline, or - for the standard input; else the cluster is asked
    #[arg(short, long, value_name = "FILE")]
    filename: Option<PathBuf>,
    /// Namespace of the pipeline; else the manifest's or the kubeconfig's
    #[arg(short, long)]
    namespace: Option<String>,
    /// Whose policy
    #[arg(long, value_enum)]
    role: Role,
    /// Name of the cluster as the operator's Helm values have it; without it the operator is not held to its cluster's tags
    #[arg(long)]
    cluster_name: Option<String>,
    /// Region of queues and topic; else the one that the status tells, or any
    #[arg(long)]
    region: Option<String>,
    /// Account of queues and topic; else the one that the status tells, or any
    #[arg(long)]
    account_id: Option<String>,
    #[command(flatten)]
    trust: TrustArguments,
}

#[tokio::main]
pub(crate) async fn run(arguments: IamPolicyArguments) -> anyhow::Result<()> {
    let IamPolicyArguments { pipeline, filename, namespace, role, cluster_name, region, account_id, trust } =
        arguments;
    let object = match (filename, pipeline) {
        (Some(filename), name) => {
            let text = read(&filename)?;
            let chosen = choose(&text, name.as_deref(), namespace);
            chosen.with_context(|| format!("looked for an AssetPipeline in {}", filename.display()))?
        }
        (None, Some(name)) => Cluster::open(namespace).await?.pipeline(&name).await?,
        (None, None) => bail!("name the pipeline, or its manifest with -f"),
    };
    let known = Known { account_id, region, cluster_name }.or_told_by(&object);
    if let Some(Trusted { policy, next }) = trust.build(role, &object, &known)? {
        eprintln!("note: {next}");
        println!("{}", serde_json::to_string_pretty(&policy)?);
        return Ok(());
    }
    for open in left_open(role, &known) {
        eprintln!("note: {open}");
    }
    println!("{}", serde_json::to_string_pretty(&build_iam_policy(role, &object, &known).to_json())?);
    Ok(())
}

fn read(filename: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = if filename == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(filename)
    };
    read.with_context(|| format!("cannot read {}", filename.display()))
}

/// The manifest's only pipeline, or the one of that name.
fn choose(text: &str, name: Option<&str>, namespace: Option<String>) -> anyhow::Result<AssetPipeline> {
    let mut found = Vec::new();
    for document in serde_yaml_ng::Deserializer::from_str(text) {
        let object = Value::deserialize(document).context("it is no YAML")?;
        if object.get("kind").and_then(Value::as_str) == Some("AssetPipeline") {
            let object: AssetPipeline =
                serde_json::from_value(object).context("its AssetPipeline is not as the API has it")?;
            found.push(object);
        }
    }
    found.retain(|object| name.is_none_or(|name| object.name_any() == name));
    let (Some(mut object), true) = (found.pop(), found.is_empty()) else {
        bail!("there is none of that name, or more than one; name the pipeline that is meant");
    };
    if let Some(namespace) = namespace {
        object.metadata.namespace = Some(namespace);
    }
    if object.namespace().is_none() {
        bail!("it has no namespace, which is part of its resources' names and tags: say it with -n");
    }
    Ok(object)
}

/// What the policy could be narrower in.
fn left_open(role: Role, known: &Known) -> Vec<&'static str> {
    let Known { account_id, region, cluster_name } = known;
    let open = [
        (account_id.is_none(), "queues and topics of these names are meant in any account: say --account-id"),
        (region.is_none(), "queues and topics of these names are meant in any region: say --region"),
        (
            role == Role::Operator && cluster_name.is_none(),
            "tags of any cluster count as the operator's: say --cluster-name",
        ),
    ];
    open.into_iter().filter_map(|(is_open, text)| is_open.then_some(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "kind: Namespace\nmetadata: {name: shop}\n---\n\
        apiVersion: assetpipeline.dev/v1alpha1\nkind: AssetPipeline\n\
        metadata: {name: store, namespace: shop}\nspec: {}\n---\n\
        apiVersion: assetpipeline.dev/v1alpha1\nkind: AssetPipeline\nmetadata: {name: blog}\nspec: {}\n";

    #[test]
    fn pipeline_is_found_among_other_documents() {
        let chosen = |name, namespace: Option<&str>| {
            let chosen = choose(TWO, name, namespace.map(str::to_owned));
            chosen.map(|object| (object.name_any(), object.namespace())).map_err(|error| error.to_string())
        };
        let of = |name: &str, namespace: &str| Ok((name.to_owned(), Some(namespace.to_owned())));
        assert_eq!(chosen(Some("store"), None), of("store", "shop"));
        assert_eq!(chosen(Some("blog"), Some("press")), of("blog", "press"));
        assert!(chosen(Some("blog"), None).unwrap_err().contains("-n"));
        assert!(chosen(None, None).unwrap_err().contains("more than one"));
        assert!(chosen(Some("other"), None).unwrap_err().contains("none of that name"));
        assert!(choose("kind: AssetPipeline\nspec: 7", None, None).is_err());
    }

    #[test]
    fn example_gives_a_policy_for_each_role() {
        let text = include_str!("../../examples/storefront.yaml");
        let object = choose(text, None, None).unwrap();
        for role in [Role::Operator, Role::Web, Role::Worker] {
            let policy = build_iam_policy(role, &object, &Known::default()).to_json().to_string();
            assert!(policy.contains("ap-storefront-storefront-??????????"), "{policy}");
        }
        let all = Known {
            account_id: Some("111122223333".to_owned()),
            region: Some("eu-central-1".to_owned()),
            cluster_name: None,
        };
        assert_eq!(left_open(Role::Web, &all), Vec::<&str>::new());
        assert_eq!(
            (left_open(Role::Operator, &all).len(), left_open(Role::Operator, &Known::default()).len()),
            (1, 3)
        );
    }
}
