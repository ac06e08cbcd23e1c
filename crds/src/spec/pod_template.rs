//! What a person adds to the pods of a tier: a closed list. Host paths, privilege, the host's namespaces and the
//! `ServiceAccount` have no place in these types, so that who may write a pipeline gets none of them by it.

mod environment;
pub(super) mod resources;
mod scheduling;
mod volumes;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use environment::{EntryReference, EnvironmentSource, EnvironmentVariable};
pub use resources::{
    JOB_MEBIBYTES, PodAmounts, PodResources, WEB_MEBIBYTES, WEB_REQUESTS, WORKER_MEBIBYTES, WORKER_REQUESTS,
};
pub use scheduling::{PodToleration, PullSecret, TaintEffect, TolerationOperator};
pub use volumes::{ConfigMapVolume, EmptyVolume, PodVolume, SecretVolume};

/// Most entries of each list and map of a `podTemplate`.
const MAX_ENTRIES: usize = 32;

/// Most variables of a `podTemplate`.
const MAX_VARIABLES: usize = 64;

/// A key of labels, annotations and taints: a name, perhaps behind a DNS name and a slash.
pub(super) const KEY: &str = "^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*/)?\
                   [A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";

/// A label's value.
const LABEL_VALUE: &str = "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$";

/// What a tier's pods have beside what the operator gives them. A change makes the pods anew, one after the other.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodTemplate {
    /// Labels of the pods, by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = MAX_ENTRIES), extend("additionalProperties" = {
        "type": "string", "maxLength": 63, "pattern": LABEL_VALUE
    }), extend("x-kubernetes-validations" = [{
        "rule": format!("self.all(key, size(key) <= 317 && key.matches('{KEY}'))"),
        "message": "a key of podTemplate.labels must be a name such as team or example.com/team: change it",
        "messageExpression": format!("'key ' + self.filter(key, size(key) > 317 || !key.matches('{KEY}'))[0] + ': a key of podTemplate.labels must be a name such as team or example.com/team: change it'")
    }, {
        "rule": "self.all(key, !key.startsWith('app.kubernetes.io/') && !key.startsWith('assetpipeline.dev/') && key != 'pod-template-hash')",
        "message": "keys of podTemplate.labels that begin with app.kubernetes.io/ or assetpipeline.dev/, and pod-template-hash, are not yours to set: leave them out, or use a prefix of your own",
        "messageExpression": "'key ' + self.filter(key, key.startsWith('app.kubernetes.io/') || key.startsWith('assetpipeline.dev/') || key == 'pod-template-hash')[0] + ': keys of podTemplate.labels that begin with app.kubernetes.io/ or assetpipeline.dev/, and pod-template-hash, are not yours to set: leave them out, or use a prefix of your own'"
    }]))]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the pods, by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = MAX_ENTRIES), extend("additionalProperties" = {
        "type": "string", "maxLength": 4096
    }), extend("x-kubernetes-validations" = [{
        "rule": format!("self.all(key, size(key) <= 317 && key.matches('{KEY}'))"),
        "message": "a key of podTemplate.annotations must be a name such as team or example.com/team: change it",
        "messageExpression": format!("'key ' + self.filter(key, size(key) > 317 || !key.matches('{KEY}'))[0] + ': a key of podTemplate.annotations must be a name such as team or example.com/team: change it'")
    }, {
        "rule": "self.all(key, !key.startsWith('assetpipeline.dev/'))",
        "message": "keys of podTemplate.annotations that begin with assetpipeline.dev/ are not yours to set: leave them out, or use a prefix of your own",
        "messageExpression": "'key ' + self.filter(key, key.startsWith('assetpipeline.dev/'))[0] + ': keys of podTemplate.annotations that begin with assetpipeline.dev/ are not yours to set: leave them out, or use a prefix of your own'"
    }, {
        "rule": "self.all(key, !key.contains('apparmor.security.') && !key.contains('seccomp.security.') && !key.startsWith('iam.amazonaws.com/'))",
        "message": "podTemplate.annotations cannot loosen what confines the pods (AppArmor, seccomp) or give them another identity (iam.amazonaws.com/): leave these out; roles are named in spec.aws",
        "messageExpression": "'key ' + self.filter(key, key.contains('apparmor.security.') || key.contains('seccomp.security.') || key.startsWith('iam.amazonaws.com/'))[0] + ': podTemplate.annotations cannot loosen what confines the pods (AppArmor, seccomp) or give them another identity (iam.amazonaws.com/): leave these out; roles are named in spec.aws'"
    }]))]
    pub annotations: BTreeMap<String, String>,
    /// Environment variables beside the operator's own, such as `RUST_LOG` or `SSL_CERT_FILE`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend(
        "maxItems" = MAX_VARIABLES,
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["name"]
    ))]
    pub env: Vec<EnvironmentVariable>,
    /// Folders of `ConfigMap`s and Secrets, and empty ones, below `/mnt`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend(
        "maxItems" = MAX_ENTRIES,
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["name"],
        "x-kubernetes-validations" = [{
            "rule": "self.all(volume, self.exists_one(other, other.mountPath == volume.mountPath))",
            "message": "entries of podTemplate.volumes must not have the same mountPath: give each one of its own"
        }]
    ))]
    pub volumes: Vec<PodVolume>,
    /// Labels of the nodes that the pods may run on, by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = MAX_ENTRIES), extend("additionalProperties" = {
        "type": "string", "maxLength": 63, "pattern": LABEL_VALUE
    }), extend("x-kubernetes-validations" = [{
        "rule": format!("self.all(key, size(key) <= 317 && key.matches('{KEY}'))"),
        "message": "a key of podTemplate.nodeSelector must be a label such as karpenter.sh/capacity-type: change it",
        "messageExpression": format!("'key ' + self.filter(key, size(key) > 317 || !key.matches('{KEY}'))[0] + ': a key of podTemplate.nodeSelector must be a label such as karpenter.sh/capacity-type: change it'")
    }]))]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that the pods may run on all the same. From a node that is lost they go after 10 s in any
    /// case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_ENTRIES))]
    pub tolerations: Vec<PodToleration>,
    /// The `PriorityClass` of the pods: those of lower priority make room for them where nodes are full. Absent:
    /// the cluster's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = [{
        "rule": "!self.startsWith('system-')",
        "message": "podTemplate.priorityClassName cannot begin with system-, which is for the cluster's own pods: name another class"
    }]))]
    pub priority_class_name: Option<String>,
    /// Secrets with which the pods' images are pulled, beside what the nodes have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend(
        "maxItems" = MAX_ENTRIES,
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["name"]
    ))]
    pub image_pull_secrets: Vec<PullSecret>,
    /// The `RuntimeClass` of the pods, such as one that puts them into virtual machines. Absent: the nodes' default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub runtime_class_name: Option<String>,
    /// CPU and memory of each pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<PodResources>,
}

#[cfg(test)]
mod tests;
