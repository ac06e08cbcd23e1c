//! The Ingress: made for the AWS Load Balancer Controller, usable with any class.

mod balancer;
mod external_dns;
mod rules;
mod tls;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use balancer::{AccessLogsSpec, IngressGroupSpec};
pub use external_dns::ExternalDnsSpec;
pub(super) use rules::spec_rules;
pub use rules::{
    ALGORITHM_ATTRIBUTE, IDLE_TIMEOUT_MARGIN_SECONDS, MIN_SLOW_START_SECONDS, OWN_INGRESS_ANNOTATIONS,
    OWN_LOAD_BALANCER_ATTRIBUTES, OWN_TARGET_GROUP_ATTRIBUTES, SECURITY_GROUPS_ANNOTATION,
};
use rules::{annotation_rules, attribute_rules, host_rules, ingress_rules};
pub use tls::IngressTlsSpec;

/// Most entries of each map of an Ingress.
const MAX_ENTRIES: usize = 32;

/// What an attribute may be set to. The controller takes all of them in one text and splits it at its commas.
const ATTRIBUTE_VALUE: &str = "^[!-+.-~-]*$";

/// An id or a name of a subnet, of which the controller takes a list between commas.
const SUBNET: &str = "^[!-+.-~-]([ -+.-~-]*[!-+.-~-])?$";

/// Where an ALB is reachable from.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IngressScheme {
    /// From the VPC only.
    Internal,
    /// From the internet.
    #[default]
    InternetFacing,
}

/// An Ingress with one rule per tenant's host.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = ingress_rules()))]
pub struct IngressSpec {
    /// The `IngressClass`. The annotations are those of `alb`; other classes ignore them.
    #[schemars(length(min = 1, max = 253))]
    pub class_name: String,
    /// ARN of the ACM certificate for HTTPS; HTTP is then redirected to it. Absent: HTTP only, unless there is `tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 2048),
        regex(pattern = r"^arn:[a-z0-9-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+$")
    )]
    pub certificate_arn: Option<String>,
    /// Where the load balancer is reachable from: `Internal` (the VPC) or `InternetFacing`.
    pub scheme: IngressScheme,
    /// How HTTPS is served: where the certificate comes from, by which protocols, and whether HTTP is redirected.
    /// Absent: as `certificateArn` says, by the load balancer's own default of protocols.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<IngressTlsSpec>,
    /// Hosts that lead to the web pods beside the inline tenants', such as those of `AssetTenant`s: DNS names, or
    /// `*.` before one for all names right below it. They register nobody: who asks for a host without a tenant
    /// gets 404.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)))]
    #[schemars(extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = host_rules("spec.ingress.hosts")))]
    pub hosts: Vec<String>,
    /// ARN of the web ACL of AWS WAF (v2, regional) that judges requests. `none` takes one away; absent: what the
    /// load balancer has stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 2048),
        regex(
            pattern = r"^(none|arn:[a-z0-9-]+:wafv2:[a-z0-9-]+:[0-9]{12}:regional/webacl/[^/,\s]+/[^/,\s]+)$"
        )
    )]
    pub waf_acl_arn: Option<String>,
    /// The group of Ingresses that share one load balancer. Absent: it has one of its own. Another group is another
    /// load balancer, to which the hosts' DNS names must be led.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<IngressGroupSpec>,
    /// Subnets of the load balancer, two or more, each in a zone of its own, by id or by name (tag `Name`). Absent:
    /// the controller finds them by their tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 2, max = 16), inner(length(min = 1, max = 256), regex(pattern = SUBNET)))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub subnets: Vec<String>,
    /// Networks (CIDR) from which the load balancer takes connections. Absent: from everywhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 43)))]
    #[schemars(extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = [{
        "rule": "self.all(network, isCIDR(network))",
        "message": "every entry of spec.ingress.inboundCidrs must be a network with its prefix length, such as 203.0.113.0/24"
    }]))]
    pub inbound_cidrs: Vec<String>,
    /// Where the load balancer stores its access logs. Absent: what it has been told stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_logs: Option<AccessLogsSpec>,
    /// Seconds that the load balancer keeps a silent connection, at least 5 more than `web.holdSeconds`. Absent: 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 28, max = 4000))]
    pub idle_timeout_seconds: Option<i32>,
    /// Seconds that the load balancer leaves a pod that goes for the answers that it still owes, at least
    /// `web.holdSeconds`. Absent: 5 more than that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 23, max = 3600))]
    pub deregistration_delay_seconds: Option<i32>,
    /// Seconds in which the load balancer raises a new pod's share of the requests, 30 or more; 0: its full share at
    /// once. Absent: what the target group has been told stays, which is 0 at first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 900), extend("x-kubernetes-validations" = [{
        "rule": format!("self == 0 || self >= {MIN_SLOW_START_SECONDS}"),
        "message": "spec.ingress.slowStartSeconds must be 0, or lie between 30 and 900: change it"
    }]))]
    pub slow_start_seconds: Option<i32>,
    /// Further attributes of the load balancer, such as `routing.http2.enabled`. One that is taken out stays as it
    /// was set until it is set otherwise.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = MAX_ENTRIES), extend("additionalProperties" = {
        "type": "string", "maxLength": 1024, "pattern": ATTRIBUTE_VALUE
    }), extend("x-kubernetes-validations" = attribute_rules(
        "spec.ingress.loadBalancerAttributes",
        &OWN_LOAD_BALANCER_ATTRIBUTES,
        "idleTimeoutSeconds or accessLogs",
    )))]
    pub load_balancer_attributes: BTreeMap<String, String>,
    /// Further attributes of the target group, such as `load_balancing.algorithm.type`. One that is taken out stays
    /// as it was set until it is set otherwise.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = MAX_ENTRIES), extend("additionalProperties" = {
        "type": "string", "maxLength": 1024, "pattern": ATTRIBUTE_VALUE
    }), extend("x-kubernetes-validations" = attribute_rules(
        "spec.ingress.targetGroupAttributes",
        &OWN_TARGET_GROUP_ATTRIBUTES,
        "deregistrationDelaySeconds or slowStartSeconds",
    )))]
    pub target_group_attributes: BTreeMap<String, String>,
    /// Further annotations of the Ingress, by key: what its class understands beside what the operator and the
    /// fields of `spec.ingress` set.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = MAX_ENTRIES), extend("additionalProperties" = {
        "type": "string", "maxLength": 4096
    }), extend("x-kubernetes-validations" = annotation_rules()))]
    pub annotations: BTreeMap<String, String>,
    /// DNS records of the hosts, where external-dns looks after them: aliases in Route 53, which an apex such as
    /// `assets.example` needs. Absent: external-dns is told nothing, and does by its own settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_dns: Option<ExternalDnsSpec>,
}

impl Default for IngressSpec {
    fn default() -> Self {
        Self {
            class_name: "alb".to_owned(),
            certificate_arn: None,
            scheme: IngressScheme::default(),
            tls: None,
            hosts: Vec::new(),
            waf_acl_arn: None,
            group: None,
            subnets: Vec::new(),
            inbound_cidrs: Vec::new(),
            access_logs: None,
            idle_timeout_seconds: None,
            deregistration_delay_seconds: None,
            slow_start_seconds: None,
            load_balancer_attributes: BTreeMap::new(),
            target_group_attributes: BTreeMap::new(),
            annotations: BTreeMap::new(),
            external_dns: None,
        }
    }
}

#[cfg(test)]
mod tests;
