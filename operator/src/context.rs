//! What every reconcile and the scaler work with: clients, settings, and what was settled a moment ago.

use std::{sync::Arc, time::Duration};

use futures::{Stream, future::BoxFuture};
use jiff::Timestamp;
use kube::{
    Client, ResourceExt,
    runtime::{
        events::Recorder,
        watcher::{self, Event},
    },
};
use pipeline::{
    Error, ErrorKind,
    ports::{Queue, Store},
};

use crate::{
    aws::Clients,
    children::ChildCache,
    config::Config,
    metrics::Metrics,
    pace::{BackOff, Pace},
    pipeline::rebalance::Moves,
    placement::Placement,
    purges::HintOrder,
    reach::{AskEndpoint, ReachBoard},
    scaler::SampleBoard,
    scope::{Namespaced, Told},
    settled::Settled,
    statuses::StatusBoard,
};

/// Opens the store in a bucket of that name.
pub type OpenStore = Box<dyn Fn(&str) -> Arc<dyn Store> + Send + Sync>;
/// Opens the queue with that URL.
pub type OpenQueue = Box<dyn Fn(&str) -> Arc<dyn Queue> + Send + Sync>;

/// Tells web pods of purges, as far as they can be reached within some seconds.
pub type SendHints = Box<dyn Fn(HintOrder) -> BoxFuture<'static, ()> + Send + Sync>;

/// The time of day.
pub type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// Shared by everything that the operator does.
pub struct Context {
    pub client: Client,
    pub clients: Clients,
    pub config: Config,
    pub recorder: Recorder,
    pub metrics: Metrics,
    pub settled: Settled,
    pub pace: Pace,
    /// What was last seen of notification endpoints.
    pub reached: ReachBoard,
    /// The pipelines' children, as watches tell of them.
    pub children: Arc<ChildCache>,
    /// Where pods run.
    pub placement: Arc<Placement>,
    /// Which pods were evicted a moment ago.
    pub moves: Moves,
    /// What was told of each pipeline a moment ago.
    pub statuses: Arc<StatusBoard>,
    /// What the scaler last saw in each queue.
    pub samples: SampleBoard,
    pub stores: OpenStore,
    pub queues: OpenQueue,
    pub hints: SendHints,
    pub reach: AskEndpoint,
    pub clock: Clock,
}

impl Context {
    /// What happens to the kind's objects where the operator works.
    pub fn watch<K: Namespaced>(
        &self,
        config: &watcher::Config,
    ) -> impl Stream<Item = Event<K>> + Send + use<K> {
        self.config.scope.watch(&self.client, config)
    }

    /// The same, and where the right to it is missing.
    pub fn hear<K: Namespaced>(
        &self,
        config: &watcher::Config,
    ) -> impl Stream<Item = Told<K>> + Send + use<K> {
        self.config.scope.hear(&self.client, config)
    }

    pub fn open_store(&self, bucket: &str) -> Arc<dyn Store> {
        (self.stores)(bucket)
    }

    pub fn open_queue(&self, url: &str) -> Arc<dyn Queue> {
        (self.queues)(url)
    }

    /// How long the object waits after this failure on AWS, which may also slow down the looks at all others.
    pub fn back_off(&self, object: &impl ResourceExt, error: &Error) -> Duration {
        let BackOff { pause, is_news, cut_to } = self.pace.back_off(object, error);
        if is_news {
            self.metrics.aws_throttled.inc();
        }
        self.tell_cut(cut_to);
        pause
    }

    /// A failure of a call that is made for no round.
    pub fn note_failure(&self, error: &Error) {
        if error.kind == ErrorKind::Throttled {
            self.metrics.aws_throttled.inc();
            self.tell_cut(self.pace.cut());
        }
    }

    fn tell_cut(&self, cut_to: Option<f64>) {
        if let Some(calls_per_second) = cut_to {
            tracing::warn!(
                drift.calls_per_second = calls_per_second,
                drift.interval_seconds = self.pace.interval().as_secs(),
                "AWS asks for fewer calls: drift is looked for more seldom, until it takes them again"
            );
        }
    }
}
