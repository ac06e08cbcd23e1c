//! What every reconcile and the scaler work with: clients, settings, and what was settled a moment ago.

use std::sync::Arc;

use futures::future::BoxFuture;
use kube::{Client, runtime::events::Recorder};
use pipeline::ports::{Queue, Store};

use crate::{
    aws::Clients, config::Config, metrics::Metrics, purges::HintOrder, scaler::SampleBoard, settled::Settled,
};

/// Opens the store in a bucket of that name.
pub type OpenStore = Box<dyn Fn(&str) -> Arc<dyn Store> + Send + Sync>;
/// Opens the queue with that URL.
pub type OpenQueue = Box<dyn Fn(&str) -> Arc<dyn Queue> + Send + Sync>;

/// Tells web pods of purges, as far as they can be reached within some seconds.
pub type SendHints = Box<dyn Fn(HintOrder) -> BoxFuture<'static, ()> + Send + Sync>;

/// Shared by everything that the operator does.
pub struct Context {
    pub client: Client,
    pub clients: Clients,
    pub config: Config,
    pub recorder: Recorder,
    pub metrics: Metrics,
    pub settled: Settled,
    /// What the scaler last saw in each queue.
    pub samples: SampleBoard,
    pub stores: OpenStore,
    pub queues: OpenQueue,
    pub hints: SendHints,
}

impl Context {
    pub fn open_store(&self, bucket: &str) -> Arc<dyn Store> {
        (self.stores)(bucket)
    }

    pub fn open_queue(&self, url: &str) -> Arc<dyn Queue> {
        (self.queues)(url)
    }
}
