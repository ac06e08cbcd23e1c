//! The two watches that keep the placement, and tell which pipelines to look at again.

use std::{sync::Arc, time::Duration};

use crds::AssetPipeline;
use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::runtime::{reflector::ObjectRef, watcher};
use pipeline::settings::OnOff;
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    context::Context,
    names::{MANAGED_BY_LABEL, OPERATOR_MANAGER},
    scope::watch_cluster_wide,
};

/// For which a start waits for the first lists. Without them it goes on, and tells nothing of zones.
const LISTED_WITHIN: Duration = Duration::from_secs(10);
/// Pipelines that wait to be looked at; the watches wait beyond that.
const WAITING: usize = 1_024;

/// Begins to watch. Gives the pipelines whose pods or zones have changed, after the first lists are there, and the
/// work that must be driven meanwhile.
pub async fn watch_placement(
    context: &Context,
    over: CancellationToken,
) -> (impl Stream<Item = ObjectRef<AssetPipeline>> + Send + use<>, JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let placement = Arc::clone(&context.placement);
    let news = match context.config.watch_nodes {
        OnOff::On => watch(context).boxed(),
        OnOff::Off => {
            placement.go_without_nodes();
            tracing::info!(
                "nodes are not watched: nothing is told of zones, and no pod is moved to another one"
            );
            stream::pending().boxed()
        }
    };
    let keeping = tokio::spawn(tell(news.take_until(over.cancelled_owned()), sender));
    let listed = async {
        while !placement.is_decided() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    if timeout(LISTED_WITHIN, listed).await.is_err() {
        tracing::warn!("pods and nodes could not be listed yet: nothing is told of zones until they are");
    }
    let changed = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    (changed, keeping)
}

/// Notes what both watches tell, and gives the pipelines that it concerns.
fn watch(context: &Context) -> impl Stream<Item = Vec<ObjectRef<AssetPipeline>>> + Send + use<> {
    let ours = watcher::Config::default().labels(&format!("{MANAGED_BY_LABEL}={OPERATOR_MANAGER}"));
    let placement = Arc::clone(&context.placement);
    let pods = context.watch::<Pod>(&ours).map(move |event| placement.pods.note(event));
    let placement = Arc::clone(&context.placement);
    let nodes = watch_cluster_wide::<Node>(&context.client).map(move |told| placement.note_nodes(told));
    stream::select(pods, nodes)
}

async fn tell(
    news: impl Stream<Item = Vec<ObjectRef<AssetPipeline>>>,
    changed: mpsc::Sender<ObjectRef<AssetPipeline>>,
) {
    let mut news = std::pin::pin!(news);
    while let Some(pipelines) = news.next().await {
        for pipeline in pipelines {
            // Nobody reads any more once the controller has ended.
            let _ = changed.send(pipeline).await;
        }
    }
}
