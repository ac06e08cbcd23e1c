//! `purge`: orders it by an annotation, and waits until the operator tells what came of it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use crds::{AssetPipeline, PURGE_ANNOTATION_PREFIX, PurgeRequest, PurgeStatus};
use kube::api::{Patch, PatchParams};
use pipeline::{key::AssetPath, names::HostName};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::cluster::Cluster;

/// How long the operator may take. It is woken by the order, and needs some seconds when it is busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at the status.
const PAUSE: Duration = Duration::from_millis(300);

/// What is served after a purge was made of sources that were read after it. Nothing is deleted: visitors
/// wait until a worker has asked the origin whether anything has changed.
#[derive(Debug, Args)]
pub(crate) struct PurgeArguments {
    /// Name of the `AssetPipeline`
    pipeline: String,
    /// Everything of this tenant
    #[arg(long, required_unless_present = "all", value_parser = HostName::from_authority)]
    host: Option<HostName>,
    /// Only this style sheet of the tenant, such as /app.css
    #[arg(long, requires = "host", conflicts_with = "dependency")]
    path: Option<AssetPath>,
    /// Only what is made with this source of the tenant's origin, such as /lib/_colors.scss
    #[arg(long, requires = "host")]
    dependency: Option<String>,
    /// Everything of every tenant
    #[arg(long, conflicts_with_all = ["host", "path", "dependency"])]
    all: bool,
    /// Namespace of the pipeline; else the kubeconfig's
    #[arg(short, long)]
    namespace: Option<String>,
}

impl PurgeArguments {
    /// `all` stands for itself: without a host everything is meant.
    fn request(&self) -> PurgeRequest {
        let Self { pipeline: _, host, path, dependency, all: _, namespace: _ } = self;
        PurgeRequest {
            host: host.as_ref().map(ToString::to_string),
            path: path.as_ref().map(ToString::to_string),
            dependency: dependency.clone(),
        }
    }
}

#[tokio::main]
pub(crate) async fn run(arguments: &PurgeArguments) -> anyhow::Result<()> {
    let cluster = Cluster::open(arguments.namespace.clone()).await?;
    cluster.pipeline(&arguments.pipeline).await?;
    let id = order(&cluster, arguments).await?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let pipeline = cluster.pipeline(&arguments.pipeline).await?;
        if let Some(line) = outcome_of(&pipeline, &id)? {
            println!("{line}");
            return Ok(());
        }
        if pipeline.spec.suspend {
            bail!(
                "AssetPipeline {} is suspended; the order stays on it, and is carried out once spec.suspend is \
                 false",
                arguments.pipeline
            );
        }
        sleep(PAUSE).await;
    }
    bail!(
        "the operator has not carried the purge out within {} s; the order stays on AssetPipeline {} and is \
         carried out as soon as the operator runs and the pipeline's bucket can be written: see \
         `kubectl describe assetpipeline {} -n {}`",
        PATIENCE.as_secs(),
        arguments.pipeline,
        arguments.pipeline,
        cluster.namespace
    )
}

/// Writes the annotation; gives the request's id. A merge patch leaves other people's requests alone.
async fn order(cluster: &Cluster, arguments: &PurgeArguments) -> anyhow::Result<String> {
    let id = format!("{:016x}", jiff::Timestamp::now().as_nanosecond());
    let request = serde_json::to_string(&arguments.request())?;
    let annotation = BTreeMap::from([(format!("{PURGE_ANNOTATION_PREFIX}{id}"), request)]);
    let patch = Patch::Merge(json!({"metadata": {"annotations": annotation}}));
    let written = cluster.pipelines().patch(&arguments.pipeline, &PatchParams::default(), &patch).await;
    written.with_context(|| format!("cannot order a purge on AssetPipeline {}", arguments.pipeline))?;
    Ok(id)
}

/// What the operator tells of the request, once it does.
fn outcome_of(pipeline: &AssetPipeline, id: &str) -> anyhow::Result<Option<String>> {
    let told = pipeline.status.iter().flat_map(|status| &status.purges).find(|purge| purge.id == id);
    match told {
        None => Ok(None),
        Some(PurgeStatus { refused: Some(refused), .. }) => bail!("nothing was purged: {refused}"),
        Some(PurgeStatus { purged, .. }) => {
            let what = purged.as_deref().unwrap_or("what was asked for");
            Ok(Some(format!("purged {what}; every web pod knows it within 5 s")))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use crds::AssetPipelineStatus;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        purge: PurgeArguments,
    }

    fn parse(words: &str) -> Result<PurgeRequest, String> {
        let words = std::iter::once("purge").chain(words.split(' '));
        Line::try_parse_from(words).map(|line| line.purge.request()).map_err(|error| error.to_string())
    }

    #[test]
    fn arguments_become_the_request() {
        let request = |host: Option<&str>, path: Option<&str>, dependency: Option<&str>| PurgeRequest {
            host: host.map(str::to_owned),
            path: path.map(str::to_owned),
            dependency: dependency.map(str::to_owned),
        };
        assert_eq!(parse("p --all"), Ok(request(None, None, None)));
        assert_eq!(parse("p --host Shop.example:443"), Ok(request(Some("shop.example"), None, None)));
        let path = parse("p --host shop.example --path /app.css -n shop");
        assert_eq!(path, Ok(request(Some("shop.example"), Some("/app.css"), None)));
        let dependency = parse("p --host shop.example --dependency /x.scss");
        assert_eq!(dependency, Ok(request(Some("shop.example"), None, Some("/x.scss"))));
    }

    #[test]
    fn what_names_nothing_or_too_much_is_refused_with_the_argument() {
        for (words, named) in [
            ("p", "--host"),
            ("p --path /app.css", "--host"),
            ("p --all --host shop.example", "--host"),
            ("p --host shop.example --path app.css", "--path"),
            ("p --host shop.example --path /a.css --dependency /b.scss", "--dependency"),
            ("p --host a_b", "--host"),
        ] {
            let error = parse(words).unwrap_err();
            assert!(error.contains(named), "{words}: {error}");
        }
    }

    #[test]
    fn outcome_is_told_once_the_operator_tells_it() {
        let mut pipeline = AssetPipeline::new("p", crds::AssetPipelineSpec::default());
        assert_eq!(outcome_of(&pipeline, "1").unwrap(), None);
        let purges = vec![
            PurgeStatus { id: "1".into(), purged: Some("/app.css of a.example".into()), refused: None },
            PurgeStatus { id: "2".into(), purged: None, refused: Some("no tenant has it".into()) },
        ];
        pipeline.status = Some(AssetPipelineStatus { purges, ..AssetPipelineStatus::default() });
        let told = outcome_of(&pipeline, "1").unwrap();
        assert_eq!(told.as_deref(), Some("purged /app.css of a.example; every web pod knows it within 5 s"));
        let refused = outcome_of(&pipeline, "2").unwrap_err().to_string();
        assert_eq!(refused, "nothing was purged: no tenant has it");
    }
}
