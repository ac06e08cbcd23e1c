//! Environment variables: a text, or an entry of a Secret or `ConfigMap`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An environment variable.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!self.name.startsWith('ASSETS_') && !self.name.startsWith('AWS_')",
    "message": "names of podTemplate.env that begin with ASSETS_ or AWS_ are the operator's: leave it out; it follows from the spec, or from the operator's Helm values aws",
    "messageExpression": "self.name + ': names of podTemplate.env that begin with ASSETS_ or AWS_ are the operator\\'s: leave it out; it follows from the spec, or from the operator\\'s Helm values aws'"
}, {
    "rule": "has(self.value) != has(self.valueFrom)",
    "message": "an entry of podTemplate.env needs either value or valueFrom: give one of them"
}]))]
pub struct EnvironmentVariable {
    /// Its name. `ASSETS_…` and `AWS_…` are the operator's.
    #[schemars(length(max = 256), regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub name: String,
    /// Its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,
    /// Where its text stands, in the pipeline's namespace. Pods read it when they start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<EnvironmentSource>,
}

/// Where a variable's text stands.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.secretKeyRef) != has(self.configMapKeyRef)",
    "message": "valueFrom in podTemplate.env needs either secretKeyRef or configMapKeyRef: give one of them"
}]))]
pub struct EnvironmentSource {
    /// An entry of a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<EntryReference>,
    /// An entry of a `ConfigMap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<EntryReference>,
}

/// An entry of a Secret or `ConfigMap`.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryReference {
    /// Name of the Secret or `ConfigMap`, in the pipeline's namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The entry.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// Whether pods start without it.
    #[serde(default)]
    pub optional: bool,
}
