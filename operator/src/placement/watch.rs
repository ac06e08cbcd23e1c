//! The two watches that keep the placement, and tell which pipelines to look at again.

use std::{sync::Arc, time::Duration};

use crds::AssetPipeline;
use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::runtime::{reflector::ObjectRef, watcher};
use pipeline::settings::OnOff;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    context::Context,
    names::ours,
    news::{await_lists, channel, tell},
    scope::watch_cluster_wide,
};

/// For which a start waits for the first lists. Without them it goes on, and tells nothing of zones.
const LISTED_WITHIN: Duration = Duration::from_secs(10);

/// Begins to watch. Gives the pipelines whose pods or zones have changed, after the first lists are there, and the
/// work that must be driven meanwhile.
pub async fn watch_placement(
    context: &Context,
    over: CancellationToken,
) -> (impl Stream<Item = ObjectRef<AssetPipeline>> + Send + use<>, JoinHandle<()>) {
    let (sender, changed) = channel();
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
    let keeping = tokio::spawn(tell(news.take_until(over.clone().cancelled_owned()), sender));
    if !await_lists(|| placement.is_decided(), LISTED_WITHIN, &over).await {
        tracing::warn!("pods and nodes could not be listed yet: nothing is told of zones until they are");
    }
    (changed, keeping)
}

/// Notes what both watches tell, and gives the pipelines that it concerns.
fn watch(context: &Context) -> impl Stream<Item = Vec<ObjectRef<AssetPipeline>>> + Send + use<> {
    let ours = watcher::Config::default().labels(&ours());
    let placement = Arc::clone(&context.placement);
    let pods = context.watch::<Pod>(&ours).map(move |event| placement.pods.note(event));
    let placement = Arc::clone(&context.placement);
    let nodes = watch_cluster_wide::<Node>(&context.client).map(move |told| placement.note_nodes(told));
    stream::select(pods, nodes)
}
