//! How many of a tier's pods may be evicted at the same time: one.

use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use super::metadata::build_metadata;
use crate::{names::Tier, pipeline::validate::ValidPipeline};

/// As many may also be missing of a tier that serves.
pub const MAX_UNAVAILABLE: i32 = 1;

pub(super) fn build_disruption_budget(valid: &ValidPipeline, tier: Tier) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: build_metadata(valid, tier.child_name(&valid.name), tier.labels(&valid.name)),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(MAX_UNAVAILABLE)),
            selector: Some(LabelSelector {
                match_labels: Some(tier.selector(&valid.name)),
                ..LabelSelector::default()
            }),
            // A pod that is not ready serves nobody; it must not keep a node from being drained.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}
