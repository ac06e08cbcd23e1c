//! What may differ from one scene to the next.

use crds::{FreshnessSpec, WorkerSpec};

/// How a pipeline is made, and what is changed in its pods behind the operator's back.
#[derive(Debug, Clone)]
pub struct Setting {
    pub web_replicas: i32,
    pub worker: WorkerSpec,
    pub freshness: FreshnessSpec,
    pub sns: Sns,
    /// Environment of the web pods, beside what the operator sets.
    pub web_env: &'static [(&'static str, &'static str)],
    /// Environment of the worker pods, likewise.
    pub worker_env: &'static [(&'static str, &'static str)],
}

/// Whether the pipeline's topic has a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sns {
    /// `spec.notifications.endpoint` leads to the web pods.
    Subscribed,
    /// There is no endpoint.
    Silent,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            web_replicas: 1,
            worker: WorkerSpec { max_replicas: 2, scale_down_delay_seconds: 5, ..WorkerSpec::default() },
            freshness: FreshnessSpec::default(),
            sns: Sns::Subscribed,
            web_env: &[],
            worker_env: &[],
        }
    }
}
