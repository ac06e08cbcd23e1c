//! From watches to rounds: which pipelines are to be looked at again.

use std::time::Duration;

use crds::AssetPipeline;
use futures::{Stream, StreamExt, stream};
use kube::runtime::reflector::ObjectRef;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Pipelines that wait to be looked at; the watches wait beyond that.
const WAITING: usize = 1_024;

/// Where watches tell, and what comes of it.
pub(crate) fn channel()
-> (mpsc::Sender<ObjectRef<AssetPipeline>>, impl Stream<Item = ObjectRef<AssetPipeline>> + Send) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (sender, stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver))))
}

/// Tells of all pipelines that a watch concerns, until it ends.
pub(crate) async fn tell(
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

/// Waits for the first lists. `false` where they are not there in time; there is nothing to wait for once the token is
/// cancelled.
pub(crate) async fn await_lists(
    are_there: impl Fn() -> bool,
    within: Duration,
    over: &CancellationToken,
) -> bool {
    let listed = async {
        while !are_there() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    !matches!(over.run_until_cancelled(timeout(within, listed)).await, Some(Err(_)))
}
