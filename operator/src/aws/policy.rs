//! Resource policies: nobody may speak to a binding but over TLS. Who may speak at all is IAM's matter.

use serde_json::{Value, json};

/// A policy that denies every `action` on `resources` over a connection without TLS.
pub(super) fn build_tls_only(action: &str, resources: &[String]) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "DenyWithoutTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": action,
            "Resource": resources,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}
        }]
    })
}

/// Whether two JSON texts mean the same: order of keys and white space do not count.
pub(super) fn is_same_json(left: &str, right: &str) -> bool {
    match (serde_json::from_str::<Value>(left), serde_json::from_str::<Value>(right)) {
        (Ok(left), Ok(right)) => left == right,
        _ => left == right,
    }
}
