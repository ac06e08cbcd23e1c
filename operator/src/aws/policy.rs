//! Resource policies: nobody may speak to a binding but over TLS. Who may speak at all is IAM's matter.

use serde_json::{Value, json};

/// How AWS is reached, which decides whether anything less than TLS can be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Tls,
    /// An endpoint without TLS, such as an emulator's: a policy that asks for TLS would lock us out.
    Plaintext,
}

/// The policy's text, where one is wanted; what is there is left alone otherwise.
pub(super) fn build_policy(transport: Transport, action: &str, resources: &[String]) -> Option<String> {
    match transport {
        Transport::Tls => Some(build_tls_only(action, resources).to_string()),
        Transport::Plaintext => None,
    }
}

/// A policy that denies every `action` on `resources` over a connection without TLS.
fn build_tls_only(action: &str, resources: &[String]) -> Value {
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
