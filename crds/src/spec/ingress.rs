//! The Ingress: made for the AWS Load Balancer Controller, usable with any class.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
pub struct IngressSpec {
    /// The `IngressClass`. The annotations are those of `alb`; other classes ignore them.
    #[schemars(length(min = 1, max = 253))]
    pub class_name: String,
    /// ARN of the ACM certificate for HTTPS; HTTP is then redirected to it. Absent: HTTP only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 2048),
        regex(pattern = r"^arn:[a-z0-9-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+$")
    )]
    pub certificate_arn: Option<String>,
    /// Where the load balancer is reachable from: `Internal` (the VPC) or `InternetFacing`.
    pub scheme: IngressScheme,
}

impl Default for IngressSpec {
    fn default() -> Self {
        Self { class_name: "alb".to_owned(), certificate_arn: None, scheme: IngressScheme::default() }
    }
}
