//! The worker's metrics, in the OpenMetrics text format.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// From a small file's few milliseconds to the longest job.
const DURATION_BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0];

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EndLabels {
    /// `compiled`, `compile_error`, `source_not_found`, `origin_failed`, `abandoned`, `unchanged`, `needless`,
    /// `expired`, `foreign_fingerprint`, `invalid` or `retried`.
    pub end: &'static str,
}

/// Counted by one worker since its start.
pub struct WorkerMetrics {
    pub jobs: Family<EndLabels, Counter>,
    pub running: Gauge,
    pub duration: Histogram,
}

impl WorkerMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            jobs: Family::default(),
            running: Gauge::default(),
            duration: Histogram::new(DURATION_BUCKETS),
        };
        let Self { jobs, running, duration } = &metrics;
        registry.register("assets_worker_jobs", "Jobs by how they ended", jobs.clone());
        registry.register("assets_worker_jobs_running", "Jobs under way", running.clone());
        registry.register_with_unit(
            "assets_worker_job_duration",
            "Time from a job's receipt to its stored outcome",
            Unit::Seconds,
            duration.clone(),
        );
        metrics
    }
}
