//! What external-dns is told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::host_rules;

/// DNS records that external-dns makes for the load balancer: aliases in Route 53, for apex names too.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExternalDnsSpec {
    /// The names that get a record, in place of every host of the Ingress: DNS names, or `*.` before one, such as
    /// `*.assets.example` alone for a hundred tenants below it. Absent: every host of the Ingress.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)))]
    #[schemars(extend(
        "x-kubernetes-list-type" = "set",
        "x-kubernetes-validations" = host_rules("spec.ingress.externalDns.hosts")
    ))]
    pub hosts: Vec<String>,
}
