//! Which nodes the pods may run on beside those without taints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::KEY;

/// How a toleration compares a taint's value.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TolerationOperator {
    #[default]
    Equal,
    Exists,
}

/// What a taint does.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaintEffect {
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}

/// A taint that the pods tolerate.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!self.key.startsWith('node.kubernetes.io/')",
    "message": "podTemplate.tolerations cannot name taints under node.kubernetes.io/, by which the cluster keeps pods off nodes that are lost, full or drained: leave it out"
}, {
    "rule": "self.operator == 'Equal' || !has(self.value)",
    "message": "value in podTemplate.tolerations needs operator Equal: leave the value or the operator out"
}, {
    "rule": "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
    "message": "tolerationSeconds in podTemplate.tolerations needs effect NoExecute: set the effect, or leave the seconds out"
}]))]
pub struct PodToleration {
    /// The taint's key. Those under `node.kubernetes.io/` are the cluster's own.
    #[schemars(length(max = 317), regex(pattern = KEY))]
    pub key: String,
    /// `Equal`: the taint has this `value`. `Exists`: whatever its value.
    #[serde(default)]
    pub operator: TolerationOperator,
    /// The taint's value. Absent with `Equal`: the empty one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63), regex(pattern = super::LABEL_VALUE))]
    pub value: Option<String>,
    /// What the taint does. Absent: whatever it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
    /// Seconds that a pod stays on a node that gets the taint; with effect `NoExecute` only. Absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub toleration_seconds: Option<i64>,
}

/// A Secret with which images are pulled.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PullSecret {
    /// Name of the Secret, in the pipeline's namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}
