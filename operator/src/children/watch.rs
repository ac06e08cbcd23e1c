//! The watches that keep the children, one for each kind, and tell which pipelines to look at again.

use std::{sync::Arc, time::Duration};

use crds::AssetPipeline;
use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Service, ServiceAccount},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
};
use kube::runtime::{reflector::ObjectRef, watcher};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::Child;
use crate::{
    context::Context,
    names::{MANAGED_BY_LABEL, OPERATOR_MANAGER},
};

/// For which a start waits for the first lists, those of ten thousand pipelines. Without them it goes on, and asks
/// for every child by name.
const LISTED_WITHIN: Duration = Duration::from_mins(2);
/// Pipelines that wait to be looked at; the watches wait beyond that.
const WAITING: usize = 1_024;

/// Begins to watch. Gives the pipelines whose children have changed, after the first lists are there, and the work
/// that must be driven meanwhile.
pub async fn watch_children(
    context: &Context,
    over: CancellationToken,
) -> (impl Stream<Item = ObjectRef<AssetPipeline>> + Send + use<>, JoinSet<()>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let mut watches = JoinSet::new();
    watches.spawn(keep::<Deployment>(context, sender.clone(), over.clone()));
    watches.spawn(keep::<Service>(context, sender.clone(), over.clone()));
    watches.spawn(keep::<ServiceAccount>(context, sender.clone(), over.clone()));
    watches.spawn(keep::<PodDisruptionBudget>(context, sender.clone(), over.clone()));
    watches.spawn(keep::<Ingress>(context, sender.clone(), over.clone()));
    watches.spawn(keep::<NetworkPolicy>(context, sender, over.clone()));
    let listed = async {
        while !context.children.is_known() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if let Some(Err(_)) = over.run_until_cancelled(timeout(LISTED_WITHIN, listed)).await {
        tracing::warn!(
            timeout.seconds = LISTED_WITHIN.as_secs(),
            "the children of pipelines could not be listed yet: they are read one by one until they are"
        );
    }
    let changed = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    (changed, watches)
}

fn keep<K: Child>(
    context: &Context,
    changed: mpsc::Sender<ObjectRef<AssetPipeline>>,
    over: CancellationToken,
) -> impl Future<Output = ()> + Send + use<K> {
    let ours = watcher::Config::default().labels(&format!("{MANAGED_BY_LABEL}={OPERATOR_MANAGER}"));
    let events = context.watch::<K>(&ours).take_until(over.cancelled_owned());
    let children = Arc::clone(&context.children);
    async move {
        let Some(board) = K::board(&children) else { return };
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            for pipeline in board.note(event) {
                // Nobody reads any more once the controller has ended.
                let _ = changed.send(pipeline).await;
            }
        }
    }
}
