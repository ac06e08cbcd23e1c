//! Folders for the pods: of a `ConfigMap` or Secret, or an empty one. There is no word for the host's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A folder in the pods.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!(self.name in ['notice-key', 'origin-credentials'])",
    "message": "the names notice-key and origin-credentials in podTemplate.volumes are the operator's: choose another name"
}, {
    "rule": "[has(self.configMap), has(self.secret), has(self.emptyDir)].filter(given, given).size() == 1",
    "message": "an entry of podTemplate.volumes needs one of configMap, secret and emptyDir: give one of them"
}]))]
pub struct PodVolume {
    /// Its name. `notice-key` and `origin-credentials` are the operator's.
    #[schemars(length(max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The folder's path in the pods, below `/mnt`: everything else there is the operator's or the system's.
    #[schemars(length(max = 253), regex(pattern = r"^/mnt(/[A-Za-z0-9_][-A-Za-z0-9_.]*)+$"))]
    pub mount_path: String,
    /// A `ConfigMap` of the pipeline's namespace, a file for each entry, to be read only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapVolume>,
    /// A Secret of the pipeline's namespace, a file for each entry, to be read only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretVolume>,
    /// An empty folder on the node's disk, which goes with the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty_dir: Option<EmptyVolume>,
}

/// A `ConfigMap` as a folder.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapVolume {
    /// Name of the `ConfigMap`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Whether pods start without it.
    #[serde(default)]
    pub optional: bool,
}

/// A Secret as a folder.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretVolume {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
    /// Whether pods start without it.
    #[serde(default)]
    pub optional: bool,
}

/// An empty folder.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmptyVolume {
    /// How much it may hold, in MiB or GiB, such as `64Mi`. A pod that has more there is evicted.
    #[schemars(regex(pattern = r"^[1-9][0-9]{0,5}(Mi|Gi)$"))]
    pub size_limit: String,
}
