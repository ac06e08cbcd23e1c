//! The Service in front of the web pods.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the Service is reached.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceType {
    #[default]
    ClusterIP,
    NodePort,
}

/// The Service in front of the web pods; it listens on port 80.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
        "rule": "!has(self.nodePort) || self.type == 'NodePort'",
        "message": "spec.service.nodePort needs spec.service.type NodePort: set the type, or leave nodePort out"
    }]))]
pub struct ServiceSpec {
    /// `ClusterIP`: reached inside the cluster and through an Ingress. `NodePort`: also on every node.
    #[serde(rename = "type", default)]
    pub type_: ServiceType,
    /// The port on every node; with type `NodePort` only. Absent: the cluster picks a free one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub node_port: Option<i32>,
}
