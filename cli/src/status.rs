//! `status`: one pipeline as a person wants to see it.

mod render;

use anyhow::Context;
use clap::Args;
use k8s_openapi::api::{core::v1::Pod, events::v1::Event};
use kube::{Api, ResourceExt, api::ListParams};

use crate::cluster::Cluster;

/// Events that are told: the youngest ones.
const EVENTS: usize = 5;

/// What is well and what is not, where the pods are, and what they wait for.
#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// Name of the `AssetPipeline`
    pipeline: String,
    /// Namespace of the pipeline; else the kubeconfig's
    #[arg(short, long)]
    namespace: Option<String>,
}

#[tokio::main]
pub(crate) async fn run(arguments: &StatusArguments) -> anyhow::Result<()> {
    let cluster = Cluster::open(arguments.namespace.clone()).await?;
    let pipeline = cluster.pipeline(&arguments.pipeline).await?;
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let labels = format!("assetpipeline.dev/pipeline={}", arguments.pipeline);
    let pods = pods.list(&ListParams::default().labels(&labels)).await;
    let pods = pods.with_context(|| format!("cannot list the pods of {}", arguments.pipeline))?.items;
    let events: Api<Event> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let about = format!("regarding.uid={}", pipeline.uid().unwrap_or_default());
    let events = events.list(&ListParams::default().fields(&about)).await;
    let mut events =
        events.with_context(|| format!("cannot list the events of {}", arguments.pipeline))?.items;
    events.sort_by_key(|event| std::cmp::Reverse(render::time_of(event)));
    events.truncate(EVENTS);
    print!("{}", render::to_text(&pipeline, &pods, &events, jiff::Timestamp::now()));
    Ok(())
}
