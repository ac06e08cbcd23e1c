//! Resource policies: nobody may speak to a binding but over TLS. Who may speak at all is IAM's matter.
//!
//! What is there is compared by its meaning: AWS and people spell the same policy in many ways.

use crds::BindingMode;
use serde_json::{Map, Value, json};

use super::ownership::{Provenance, Standing};

/// The id of our statement, which nobody else's has by chance.
const DENY_WITHOUT_TLS: &str = "AssetPipelineDenyWithoutTls";

/// How AWS is reached, which decides whether anything less than TLS can be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Tls,
    /// An endpoint without TLS, such as an emulator's: a policy that asks for TLS would lock us out.
    Plaintext,
}

/// How each service is reached: the bucket by S3's, the queues by SQS's, the topic by SNS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transports {
    pub s3: Transport,
    pub sqs: Transport,
    pub sns: Transport,
}

impl Transports {
    /// All services in the same way.
    pub const fn all(transport: Transport) -> Self {
        Self { s3: transport, sqs: transport, sns: transport }
    }
}

/// Whose the rest of a resource's policy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// The operator made the resource: its policy says what we say and nothing else.
    Ours,
    /// Somebody else did: statements of others stay.
    Others,
}

impl Rest {
    pub(super) fn of(mode: BindingMode, standing: &Standing) -> Self {
        match standing {
            Standing::Missing | Standing::Ours(Provenance::Made) | Standing::Released
                if mode != BindingMode::ReadOnly =>
            {
                Self::Ours
            }
            Standing::Missing | Standing::Ours(_) | Standing::Released | Standing::Foreign { .. } => {
                Self::Others
            }
        }
    }
}

/// The policy that is to be written in place of the observed one; `None` where it means the same.
pub(super) fn plan_policy(wanted: Option<String>, observed: Option<&str>, rest: Rest) -> Option<String> {
    let wanted = wanted?;
    let (Some(ours), Some(theirs)) = (read_statements(&wanted), observed.and_then(read_statements)) else {
        return Some(wanted);
    };
    let (said, saying) = (meanings(&theirs), meanings(&ours));
    match rest {
        Rest::Ours => (said != saying).then_some(wanted),
        Rest::Others if saying.is_subset(&said) => None,
        Rest::Others => Some(merge(&ours, theirs, observed).unwrap_or(wanted)),
    }
}

/// The observed policy with our statements, which take the place of those of the same id.
fn merge(ours: &[Value], theirs: Vec<Value>, observed: Option<&str>) -> Option<String> {
    let is_replaced = |other: &Value| ours.iter().any(|our| our.get("Sid") == other.get("Sid"));
    let kept = theirs.into_iter().filter(|other| !is_replaced(other));
    let all: Vec<Value> = kept.chain(ours.iter().cloned()).collect();
    let mut merged: Map<String, Value> = serde_json::from_str(observed?).ok()?;
    merged.insert("Statement".to_owned(), Value::Array(all));
    Some(Value::Object(merged).to_string())
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
            "Sid": DENY_WITHOUT_TLS,
            "Effect": "Deny",
            "Principal": "*",
            "Action": action,
            "Resource": resources,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}
        }]
    })
}

mod meaning;

pub(super) use meaning::is_same_setting;
use meaning::{meanings, read_statements};

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Option<String> {
        build_policy(Transport::Tls, "s3:*", &["arn:aws:s3:::site".to_owned()])
    }

    #[test]
    fn statements_of_others_stay_in_what_others_made() {
        let theirs = json!({"Sid": "Audit", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"});
        let observed = json!({"Version": "2012-10-17", "Id": "audit", "Statement": theirs}).to_string();
        assert_eq!(plan_policy(wanted(), Some(&observed), Rest::Ours), wanted());
        let merged = plan_policy(wanted(), Some(&observed), Rest::Others).unwrap();
        let value: Value = serde_json::from_str(&merged).unwrap();
        assert_eq!((&value["Id"], &value["Statement"][0]), (&json!("audit"), &theirs));
        assert_eq!(value["Statement"][1]["Sid"], DENY_WITHOUT_TLS);
        assert_eq!(plan_policy(wanted(), Some(&merged), Rest::Others), None);
    }

    #[test]
    fn statement_of_a_common_id_is_ours_in_what_we_made_alone() {
        let theirs =
            wanted().unwrap().replace(DENY_WITHOUT_TLS, "DenyWithoutTls").replace("s3:*", "s3:GetObject");
        assert_eq!(plan_policy(wanted(), Some(&theirs), Rest::Ours), wanted());
        let merged: Value =
            serde_json::from_str(&plan_policy(wanted(), Some(&theirs), Rest::Others).unwrap()).unwrap();
        let ids: Vec<&Value> =
            merged["Statement"].as_array().unwrap().iter().map(|one| &one["Sid"]).collect();
        assert_eq!(ids, ["DenyWithoutTls", DENY_WITHOUT_TLS]);
    }

    /// What AWS's console, its services and other tools make of our statement.
    #[test]
    fn other_spellings_of_our_statement_need_no_write() {
        let respelled = json!({
            "Id": "PolicyForShop", "Version": "2008-10-17",
            "Statement": {
                "Condition": {"Bool": {"AWS:securetransport": [false]}},
                "Resource": ["arn:aws:s3:::site", "arn:aws:s3:::site"], "Action": ["S3:*"],
                "Principal": {"AWS": ["*"]}, "Effect": "Deny",
            },
        });
        for rest in [Rest::Ours, Rest::Others] {
            assert_eq!(plan_policy(wanted(), Some(&respelled.to_string()), rest), None, "{rest:?}");
        }
    }

    #[test]
    fn policy_that_is_none_is_replaced() {
        for observed in ["", "{", "[]", "{}", r#"{"Statement": []}"#] {
            assert_eq!(plan_policy(wanted(), Some(observed), Rest::Ours), wanted(), "{observed}");
        }
    }

    #[test]
    fn weakened_statement_of_ours_is_replaced() {
        let weakened = wanted().unwrap().replace("\"false\"", "\"true\"");
        assert_eq!(plan_policy(wanted(), Some(&weakened), Rest::Others), wanted());
        assert_eq!(plan_policy(wanted(), None, Rest::Others), wanted());
    }
}
