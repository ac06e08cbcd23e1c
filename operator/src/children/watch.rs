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
use kube::{
    Api, Client,
    runtime::{WatchStreamExt, reflector::ObjectRef, watcher},
};
use pipeline::chain;
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{Child, ChildCache};
use crate::names::{MANAGED_BY_LABEL, OPERATOR_MANAGER};

/// For which a start waits for the first lists, those of ten thousand pipelines. Without them it goes on, and asks
/// for every child by name.
const LISTED_WITHIN: Duration = Duration::from_mins(2);
/// Pipelines that wait to be looked at; the watches wait beyond that.
const WAITING: usize = 1_024;

/// Begins to watch. Gives the pipelines whose children have changed, after the first lists are there, and the work
/// that must be driven meanwhile.
pub async fn watch_children(
    client: &Client,
    children: &Arc<ChildCache>,
    over: CancellationToken,
) -> (impl Stream<Item = ObjectRef<AssetPipeline>> + Send + use<>, JoinSet<()>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let mut watches = JoinSet::new();
    watches.spawn(keep::<Deployment>(client.clone(), Arc::clone(children), sender.clone(), over.clone()));
    watches.spawn(keep::<Service>(client.clone(), Arc::clone(children), sender.clone(), over.clone()));
    watches.spawn(keep::<ServiceAccount>(client.clone(), Arc::clone(children), sender.clone(), over.clone()));
    watches.spawn(keep::<PodDisruptionBudget>(
        client.clone(),
        Arc::clone(children),
        sender.clone(),
        over.clone(),
    ));
    watches.spawn(keep::<Ingress>(client.clone(), Arc::clone(children), sender.clone(), over.clone()));
    watches.spawn(keep::<NetworkPolicy>(client.clone(), Arc::clone(children), sender, over.clone()));
    let listed = async {
        while !children.is_known() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    match over.run_until_cancelled(timeout(LISTED_WITHIN, listed)).await {
        Some(Err(_)) => tracing::warn!(
            timeout.seconds = LISTED_WITHIN.as_secs(),
            "the children of pipelines could not be listed yet: they are read one by one until they are"
        ),
        Some(Ok(())) | None => {}
    }
    let changed = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    (changed, watches)
}

async fn keep<K: Child>(
    client: Client,
    children: Arc<ChildCache>,
    changed: mpsc::Sender<ObjectRef<AssetPipeline>>,
    over: CancellationToken,
) {
    let Some(board) = K::board(&children) else { return };
    let ours = watcher::Config::default().labels(&format!("{MANAGED_BY_LABEL}={OPERATOR_MANAGER}"));
    let events = watcher(Api::<K>::all(client), ours).default_backoff().take_until(over.cancelled_owned());
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                for pipeline in board.note(event) {
                    // Nobody reads any more once the controller has ended.
                    let _ = changed.send(pipeline).await;
                }
            }
            Err(error) => {
                let kind = &*K::kind(&());
                tracing::warn!(kind, error = chain(&error), "a watch of children was disturbed");
            }
        }
    }
}
