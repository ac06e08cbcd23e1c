//! What the pods need to reach AWS, and where SNS reaches them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the pods need to reach AWS.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwsSpec {
    /// A Secret of this namespace with `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` for the pods, and with
    /// `AWS_SESSION_TOKEN` where the keys are temporary. Pods read it when they start. Leave it out on EKS,
    /// where the pods' roles give access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub credentials_secret_name: Option<String>,
    /// ARN of the IAM role of the web pods (IRSA): an annotation of their `ServiceAccount`. Beside bucket and
    /// queue it needs `sns:ConfirmSubscription` on the topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = r"^arn:[a-z0-9-]+:iam::[0-9]{12}:role/.+$"))]
    pub web_role_arn: Option<String>,
    /// ARN of the IAM role of the worker pods (IRSA): an annotation of their `ServiceAccount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = r"^arn:[a-z0-9-]+:iam::[0-9]{12}:role/.+$"))]
    pub worker_role_arn: Option<String>,
}

/// The durable way (SNS) by which the web pods hear that a file is compiled.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationsSpec {
    /// URL to which SNS posts: it ends in `/work_complete` and leads to the web pods, and its host is
    /// no tenant's. With an Ingress, a rule for it is added. It is subscribed once the operator itself has reached
    /// the web pods there. Absent: nothing is subscribed, and the direct notices between the pods do the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": r"self.matches('^https?://[^/?#@\\s]+(/[^?#\\s]*)?/work_complete$')",
        "message": "spec.notifications.endpoint must be an http or https URL that ends in /work_complete, without user, \
         query or fragment, such as https://hooks.example.com/work_complete"
    }]))]
    pub endpoint: Option<String>,
}
