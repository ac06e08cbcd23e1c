//! How HTTPS is served.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the certificate comes from, by which protocols HTTPS is spoken, and whether HTTP is redirected to it. With
/// neither `spec.ingress.certificateArn` nor `secretName`, the AWS Load Balancer Controller finds the certificates in
/// ACM by the Ingress's hosts: each of them, that of `notifications.endpoint` too, needs one, and while a host has
/// none the controller changes nothing.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.secretName) || (self.redirect && !has(self.sslPolicy))",
    "message": "spec.ingress.tls.sslPolicy, and redirect false, need a certificate of ACM: leave them out beside secretName, and say in spec.ingress.annotations what the class is to do"
}]))]
pub struct IngressTlsSpec {
    /// A Secret of type `kubernetes.io/tls` of this namespace with the certificate for all of the Ingress's hosts,
    /// for other classes than `alb`. Those redirect HTTP as they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,
    /// The load balancer's security policy: protocols and ciphers. Absent:
    /// `ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09`, TLS 1.2 and 1.3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128), regex(pattern = "^ELBSecurityPolicy-[A-Za-z0-9-]+$"))]
    pub ssl_policy: Option<String>,
    /// Whether HTTP is redirected to HTTPS. False: both are served alike.
    pub redirect: bool,
}

impl Default for IngressTlsSpec {
    fn default() -> Self {
        Self { secret_name: None, ssl_policy: None, redirect: true }
    }
}
