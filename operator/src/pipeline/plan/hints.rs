//! Whom to tell of purges: all web pods, signed by the key that they believe.

use k8s_openapi::api::core::v1::Secret;

use super::{Change, notice_secret::keys_of, settings::peers_host};
use crate::{config::WorkloadConfig, pipeline::validate::ValidPipeline, purges::HintTarget};

/// Nobody where the Secret is not ours: no pod runs by its keys.
pub(super) fn plan_hints(
    valid: &ValidPipeline,
    secret: &Change<Secret>,
    workloads: &WorkloadConfig,
) -> Option<HintTarget> {
    let secret = match secret {
        Change::Keep(secret) | Change::Create(secret) | Change::Apply(secret) => secret,
        Change::Delete { .. } | Change::Nothing | Change::Foreign { .. } => return None,
    };
    Some(HintTarget { peers_host: peers_host(valid, workloads), keys: keys_of(secret)? })
}
