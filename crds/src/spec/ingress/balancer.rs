//! With whom the load balancer is shared, and where it logs to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A group of Ingresses that share one load balancer. Scheme, subnets, attributes, web ACL and redirect are the load
/// balancer's and must not differ within it.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IngressGroupSpec {
    /// The group's name. Whoever may make Ingresses in the cluster can join it and add rules.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// The place of this Ingress's rules: those of lower numbers are asked first. No two Ingresses of a group may have
    /// the same. Absent: before all numbers, by namespace and name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub order: Option<i32>,
}

/// Where the load balancer stores its access logs. Without a bucket none are stored: the controller leaves on the load
/// balancer what is only taken out of the spec, so this turns off what was on.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.prefix) || has(self.bucket)",
    "message": "spec.ingress.accessLogs.prefix needs a bucket: name it, or leave the prefix out"
}]))]
pub struct AccessLogsSpec {
    /// The S3 bucket, in the load balancer's region, whose policy lets Elastic Load Balancing write. Absent: no access
    /// logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 63), regex(pattern = "^[a-z0-9][a-z0-9.-]*[a-z0-9]$"))]
    pub bucket: Option<String>,
    /// What the logs' keys begin with, without a slash at either end. Absent: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = "^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$"))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "!self.contains('AWSLogs')",
        "message": "spec.ingress.accessLogs.prefix cannot hold AWSLogs, which Elastic Load Balancing adds itself: leave it out"
    }]))]
    pub prefix: Option<String>,
}
