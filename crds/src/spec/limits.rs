//! What one tenant may ask of one web pod, so that it takes nothing from the others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much one tenant may ask of one web pod. With n web pods a tenant gets up to n times as much.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LimitsSpec {
    /// Requests a second, whatever they ask for; twice as many at once.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_second: i32,
    /// Requests a second that a pod's memory cannot answer, each of which costs a read and may cost a job;
    /// five times as many at once. A crowd that waits for one file counts once.
    #[schemars(range(min = 1, max = 100_000))]
    pub misses_per_second: i32,
    /// Jobs a minute for paths that never gave a style sheet; as many at once. Who walks through
    /// invented names cannot fill the queue.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub cold_paths_per_minute: i32,
}

impl Default for LimitsSpec {
    fn default() -> Self {
        Self { requests_per_second: 10_000, misses_per_second: 200, cold_paths_per_minute: 600 }
    }
}
