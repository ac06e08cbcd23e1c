//! The two tiers of pods: web and worker.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    PodTemplate,
    pod_template::resources::{web_rules, worker_rules},
};

/// The pods that answer visitors.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = web_rules()))]
pub struct WebSpec {
    /// Number of web pods. Three or more keep one in each of three zones.
    #[schemars(range(min = 1, max = 100))]
    pub replicas: i32,
    /// Seconds that a visitor's request is held while its file is compiled, before 503. At least 23: one
    /// attempt takes up to 15 s, and a lost worker's job is delivered again within 8 s. The pods'
    /// grace period, the load balancer's deregistration delay and the queue's visibility follow it.
    #[schemars(range(min = 23, max = 29))]
    pub hold_seconds: i32,
    /// What the web pods have beside what the operator gives them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
}

impl Default for WebSpec {
    fn default() -> Self {
        Self { replicas: 3, hold_seconds: 25, pod_template: None }
    }
}

/// The pods that fetch and compile.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = worker_rules()))]
pub struct WorkerSpec {
    /// Fewest worker pods. 0 lets them all go while there is no work.
    #[schemars(range(min = 0, max = 1000))]
    pub min_replicas: i32,
    /// Most worker pods.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: i32,
    /// Jobs that one worker pod runs at the same time; its memory limit grows with it, by 976 MiB for each. Refreshes, which nobody
    /// waits for, take half of these places at the most; with 1, a visitor may wait until a refresh has ended.
    #[schemars(range(min = 1, max = 64))]
    pub concurrency: i32,
    /// Jobs (waiting or running) per worker pod: with 5, eleven jobs ask for three pods.
    #[schemars(range(min = 1, max = 10000))]
    pub backlog_per_replica: i32,
    /// Seconds that the queues must have been empty, jobs in work included, before pods are let go.
    #[schemars(range(min = 0, max = 86400))]
    pub scale_down_delay_seconds: i32,
    /// What the worker pods have beside what the operator gives them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
}

impl Default for WorkerSpec {
    fn default() -> Self {
        Self {
            min_replicas: 0,
            max_replicas: 10,
            concurrency: 2,
            backlog_per_replica: 5,
            scale_down_delay_seconds: 60,
            pod_template: None,
        }
    }
}
