//! Taints that the spec has the pods tolerate.

use crds::{PodToleration, TaintEffect, TolerationOperator};
use k8s_openapi::api::core::v1::Toleration;

use super::super::{InvalidSpec, invalid};

pub(super) fn validate(field: &str, tolerations: &[PodToleration]) -> Result<Vec<Toleration>, InvalidSpec> {
    tolerations.iter().map(|toleration| validate_toleration(field, toleration)).collect()
}

fn validate_toleration(field: &str, toleration: &PodToleration) -> Result<Toleration, InvalidSpec> {
    let PodToleration { key, operator, value, effect, toleration_seconds } = toleration;
    let refuse = |problem: &str| Err(invalid(field, key, problem));
    // Without a key it would be all of them.
    if key.is_empty() || key.starts_with("node.kubernetes.io/") {
        return refuse(
            "taints under node.kubernetes.io/ keep pods off nodes that are lost, full or drained; leave it out",
        );
    }
    if *operator == TolerationOperator::Exists && value.is_some() {
        return refuse("its value needs operator Equal; leave the value or the operator out");
    }
    if toleration_seconds.is_some() && *effect != Some(TaintEffect::NoExecute) {
        return refuse(
            "its tolerationSeconds needs effect NoExecute; set the effect, or leave the seconds out",
        );
    }
    Ok(Toleration {
        key: Some(key.clone()),
        operator: Some(operator_word(*operator).to_owned()),
        value: value.clone(),
        effect: effect.map(|effect| effect_word(effect).to_owned()),
        toleration_seconds: *toleration_seconds,
    })
}

fn operator_word(operator: TolerationOperator) -> &'static str {
    match operator {
        TolerationOperator::Equal => "Equal",
        TolerationOperator::Exists => "Exists",
    }
}

fn effect_word(effect: TaintEffect) -> &'static str {
    match effect {
        TaintEffect::NoSchedule => "NoSchedule",
        TaintEffect::PreferNoSchedule => "PreferNoSchedule",
        TaintEffect::NoExecute => "NoExecute",
    }
}
