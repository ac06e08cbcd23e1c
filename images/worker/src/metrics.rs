//! The worker's metrics, in the OpenMetrics text format.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::spans::Span;

/// From a small file's few milliseconds to the longest job.
const DURATION_BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0];

/// From a fraction of a millisecond, which small files take to compress, on.
const SPAN_BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 2.5, 10.0];

/// Which part of a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SpanLabels {
    pub span: Span,
}

/// How a delivery of a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EndLabels {
    /// `compiled`, `compile_error`, `source_not_found`, `origin_failed`, `abandoned`, `unchanged`, `needless`,
    /// `expired`, `foreign_fingerprint`, `invalid` or `retried`.
    pub end: &'static str,
    /// As the manifest tells it; `none` where no engine had a say.
    pub engine: String,
}

/// Counted by one worker since its start.
pub struct WorkerMetrics {
    pub jobs: Family<EndLabels, Counter>,
    pub running: Gauge,
    pub duration: Histogram,
    pub spans: Family<SpanLabels, Histogram, fn() -> Histogram>,
}

impl WorkerMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            jobs: Family::default(),
            running: Gauge::default(),
            duration: Histogram::new(DURATION_BUCKETS),
            spans: Family::new_with_constructor(|| Histogram::new(SPAN_BUCKETS)),
        };
        let Self { jobs, running, duration, spans } = &metrics;
        registry.register("assets_worker_jobs", "Jobs by how they ended, and engine", jobs.clone());
        registry.register("assets_worker_jobs_running", "Jobs under way", running.clone());
        registry.register_with_unit(
            "assets_worker_job_duration",
            "Time from a job's receipt to its stored outcome",
            Unit::Seconds,
            duration.clone(),
        );
        registry.register_with_unit(
            "assets_worker_span_duration",
            "Time that a part of a job takes: fetch, compile, compress, store, notify",
            Unit::Seconds,
            spans.clone(),
        );
        metrics
    }
}
