//! The watches that keep the children, one for each kind, and tell which pipelines to look at again.

use std::{sync::Arc, time::Duration};

use crds::AssetPipeline;
use futures::{Stream, StreamExt};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Service, ServiceAccount},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
};
use kube::runtime::{reflector::ObjectRef, watcher};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::Child;
use crate::{
    context::Context,
    names::ours,
    news::{await_lists, channel, tell},
};

/// For which a start waits for the first lists, those of ten thousand pipelines. Without them it goes on, and asks
/// for every child by name.
const LISTED_WITHIN: Duration = Duration::from_mins(2);

/// Begins to watch. Gives the pipelines whose children have changed, after the first lists are there, and the work
/// that must be driven meanwhile.
pub async fn watch_children(
    context: &Context,
    over: CancellationToken,
) -> (impl Stream<Item = ObjectRef<AssetPipeline>> + Send + use<>, JoinSet<()>) {
    let (sender, changed) = channel();
    let mut watches = JoinSet::new();
    watches.spawn(keep::<Deployment>(context, sender.clone(), over.clone()));
    watches.spawn(keep::<Service>(context, sender.clone(), over.clone()));
    watches.spawn(keep::<ServiceAccount>(context, sender.clone(), over.clone()));
    watches.spawn(keep::<PodDisruptionBudget>(context, sender.clone(), over.clone()));
    watches.spawn(keep::<Ingress>(context, sender.clone(), over.clone()));
    watches.spawn(keep::<NetworkPolicy>(context, sender, over.clone()));
    if !await_lists(|| context.children.is_answered(), LISTED_WITHIN, &over).await {
        tracing::warn!(
            timeout.seconds = LISTED_WITHIN.as_secs(),
            "the children of pipelines could not be listed yet: they are read one by one until they are"
        );
    }
    (changed, watches)
}

fn keep<K: Child>(
    context: &Context,
    changed: mpsc::Sender<ObjectRef<AssetPipeline>>,
    over: CancellationToken,
) -> impl Future<Output = ()> + Send + use<K> {
    let told = context.hear::<K>(&watcher::Config::default().labels(&ours()));
    let children = Arc::clone(&context.children);
    async move {
        let Some(board) = K::board(&children) else { return };
        tell(told.map(|told| board.hear(told)).take_until(over.cancelled_owned()), changed).await;
    }
}
