//! The two watches that keep the placement, and tell which pipelines to look at again.

use std::{sync::Arc, time::Duration};

use crds::AssetPipeline;
use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api, Client,
    runtime::{WatchStreamExt, reflector::ObjectRef, watcher},
};
use pipeline::chain;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

use super::Placement;
use crate::names::{MANAGED_BY_LABEL, OPERATOR_MANAGER};

/// For which a start waits for the first lists. Without them it goes on, and tells nothing of zones.
const LISTED_WITHIN: Duration = Duration::from_secs(10);
/// Pipelines that wait to be looked at; the watches wait beyond that.
const WAITING: usize = 1_024;

/// Begins to watch. Gives the pipelines whose pods or zones have changed, after the first lists are there, and the
/// work that must be driven meanwhile.
pub async fn watch_placement(
    client: &Client,
    placement: &Arc<Placement>,
    over: CancellationToken,
) -> (impl Stream<Item = ObjectRef<AssetPipeline>> + Send + use<>, tokio::task::JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let keeping = tokio::spawn(keep(client.clone(), Arc::clone(placement), sender, over));
    let listed = async {
        while !placement.is_known() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if timeout(LISTED_WITHIN, listed).await.is_err() {
        tracing::warn!("pods and nodes could not be listed yet: nothing is told of zones until they are");
    }
    let changed = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    (changed, keeping)
}

async fn keep(
    client: Client,
    placement: Arc<Placement>,
    changed: mpsc::Sender<ObjectRef<AssetPipeline>>,
    over: CancellationToken,
) {
    let ours = watcher::Config::default().labels(&format!("{MANAGED_BY_LABEL}={OPERATOR_MANAGER}"));
    let pods = watcher(Api::<Pod>::all(client.clone()), ours).default_backoff();
    let pods = pods.map(|event| event.map(|event| placement.pods.note(event)));
    let nodes = watcher(Api::<Node>::all(client), watcher::Config::default()).default_backoff();
    let nodes = nodes.map(|event| {
        let has_changed = event.map(|event| placement.nodes.note(event));
        has_changed.map(|has_changed| if has_changed { placement.pipelines() } else { Vec::new() })
    });
    let news = stream::select(pods, nodes).take_until(over.cancelled_owned());
    let mut news = std::pin::pin!(news);
    while let Some(news) = news.next().await {
        match news {
            Ok(pipelines) => {
                for pipeline in pipelines {
                    // Nobody reads any more once the controller has ended.
                    let _ = changed.send(pipeline).await;
                }
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "watch of pods and nodes was disturbed");
            }
        }
    }
}
