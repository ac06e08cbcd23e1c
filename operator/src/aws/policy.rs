//! Resource policies: nobody may speak to a binding but over TLS. Who may speak at all is IAM's matter.

use crds::BindingMode;
use serde_json::{Value, json};

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
    let wanted = match rest {
        Rest::Ours => wanted?,
        Rest::Others => merge(&wanted?, observed),
    };
    (!observed.is_some_and(|observed| is_same_json(observed, &wanted))).then_some(wanted)
}

/// The observed policy with the statements of `wanted`, which take the place of those of the same id.
fn merge(wanted: &str, observed: Option<&str>) -> String {
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    let (Some(ours), Some(mut merged)) = (parse(wanted), observed.and_then(parse)) else {
        return wanted.to_owned();
    };
    let ours = statements(&ours);
    let is_replaced = |other: &Value| ours.iter().any(|our| our.get("Sid") == other.get("Sid"));
    // Where nothing is lacking the order stays as it is, which has no meaning.
    if ours.iter().all(|our| statements(&merged).contains(our)) {
        return merged.to_string();
    }
    let kept = statements(&merged).into_iter().filter(|other| !is_replaced(other));
    let all: Vec<Value> = kept.chain(ours.iter().cloned()).collect();
    match merged.as_object_mut() {
        Some(policy) => {
            policy.insert("Statement".to_owned(), Value::Array(all));
            merged.to_string()
        }
        None => wanted.to_owned(),
    }
}

/// One statement may stand without a list.
fn statements(policy: &Value) -> Vec<Value> {
    match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(statement) => vec![statement.clone()],
        None => Vec::new(),
    }
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

/// Whether two JSON texts mean the same: order of keys and white space do not count.
pub(super) fn is_same_json(left: &str, right: &str) -> bool {
    match (serde_json::from_str::<Value>(left), serde_json::from_str::<Value>(right)) {
        (Ok(left), Ok(right)) => left == right,
        _ => left == right,
    }
}

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
        let theirs = wanted().unwrap().replace(DENY_WITHOUT_TLS, "DenyWithoutTls");
        assert_eq!(plan_policy(wanted(), Some(&theirs), Rest::Ours), wanted());
        let merged: Value =
            serde_json::from_str(&plan_policy(wanted(), Some(&theirs), Rest::Others).unwrap()).unwrap();
        let ids: Vec<&Value> =
            merged["Statement"].as_array().unwrap().iter().map(|one| &one["Sid"]).collect();
        assert_eq!(ids, ["DenyWithoutTls", DENY_WITHOUT_TLS]);
    }

    #[test]
    fn weakened_statement_of_ours_is_replaced() {
        let weakened = wanted().unwrap().replace("\"false\"", "\"true\"");
        assert_eq!(plan_policy(wanted(), Some(&weakened), Rest::Others), wanted());
        assert_eq!(plan_policy(wanted(), None, Rest::Others), wanted());
    }
}
