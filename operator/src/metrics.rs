//! The operator's metrics, in the OpenMetrics text format.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// How a round of reconciling ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabels {
    /// `ok`, or the step that failed.
    pub outcome: &'static str,
}

/// Why the number of workers was changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabels {
    pub reason: &'static str,
}

/// Counted since the operator's start.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// 1 while this operator has the lease, else 0.
    pub leads: Gauge,
    pub rounds: Family<OutcomeLabels, Counter>,
    pub round_seconds: Histogram,
    pub tenant_rounds: Family<OutcomeLabels, Counter>,
    pub scalings: Family<ReasonLabels, Counter>,
    pub samples_failed: Counter,
    /// Seconds between two looks at a settled pipeline's bindings.
    pub drift_interval_seconds: Gauge,
    /// Calls, retries included, after which AWS still asked for fewer.
    pub aws_throttled: Counter,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            leads: Gauge::default(),
            rounds: Family::default(),
            round_seconds: Histogram::new(exponential_buckets(0.005, 2.0, 14)),
            tenant_rounds: Family::default(),
            scalings: Family::default(),
            samples_failed: Counter::default(),
            drift_interval_seconds: Gauge::default(),
            aws_throttled: Counter::default(),
        };
        let Self {
            leads,
            rounds,
            round_seconds,
            tenant_rounds,
            scalings,
            samples_failed,
            drift_interval_seconds,
            aws_throttled,
        } = &metrics;
        registry.register("assets_operator_leads", "Whether this operator has the lease", leads.clone());
        registry.register("assets_operator_rounds", "Rounds of reconciling by outcome", rounds.clone());
        registry.register("assets_operator_round_seconds", "Duration of a round", round_seconds.clone());
        registry.register(
            "assets_operator_tenant_rounds",
            "Rounds of reconciling AssetTenants by outcome",
            tenant_rounds.clone(),
        );
        registry.register(
            "assets_operator_scalings",
            "Changes of the number of workers by reason",
            scalings.clone(),
        );
        registry.register(
            "assets_operator_samples_failed",
            "Looks at a queue that gave no numbers",
            samples_failed.clone(),
        );
        registry.register(
            "assets_operator_drift_interval_seconds",
            "Time between two looks at what a settled pipeline has on AWS, for now",
            drift_interval_seconds.clone(),
        );
        registry.register(
            "assets_operator_aws_throttled",
            "Calls that failed since AWS asked for fewer, after all attempts",
            aws_throttled.clone(),
        );
        metrics
    }
}
