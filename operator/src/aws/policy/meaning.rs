//! What a policy says, whatever its spelling: a normal form of its statements, to be compared. It judges no request.
//!
//! By IAM's reference of policy elements: one value may stand without a list, lists have no order, names of actions
//! and of condition keys have no case, an account is its root's ARN, and `"*"` is everybody like `{"AWS": "*"}`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The statements of a policy's text; `None` where it is no policy.
pub(in crate::aws) fn read_statements(policy: &str) -> Option<Vec<Value>> {
    let policy: Map<String, Value> = serde_json::from_str(policy).ok()?;
    Some(policy.get("Statement").map(listed).unwrap_or_default().to_vec())
}

/// What the statements say, each once. Their order and ids say nothing.
pub(in crate::aws) fn meanings(statements: &[Value]) -> BTreeSet<String> {
    statements.iter().map(|statement| normalize_statement(statement).to_string()).collect()
}

/// Whether two texts of a setting are the same, JSON or not: order of keys, white space, and numbers that stand as
/// texts do not count.
pub(in crate::aws) fn is_same_setting(left: &str, right: &str) -> bool {
    match (serde_json::from_str::<Value>(left), serde_json::from_str::<Value>(right)) {
        (Ok(left), Ok(right)) => as_texts(&left) == as_texts(&right),
        _ => left == right,
    }
}

fn normalize_statement(statement: &Value) -> Value {
    let Value::Object(elements) = statement else { return statement.clone() };
    let normal = elements.iter().filter_map(|(name, value)| {
        let value = match name.as_str() {
            "Sid" => return None,
            "Action" | "NotAction" => Value::from_iter(texts(value, str::to_lowercase)),
            "Resource" | "NotResource" => Value::from_iter(texts(value, str::to_owned)),
            "Principal" | "NotPrincipal" => normalize_principal(value),
            "Condition" => normalize_condition(value)?,
            _ => value.clone(),
        };
        Some((name.clone(), value))
    });
    sorted(normal)
}

fn normalize_principal(principal: &Value) -> Value {
    match principal {
        Value::Object(kinds) => sorted(kinds.iter().map(|(kind, who)| {
            let who = texts(who, if kind == "AWS" { spell_account } else { str::to_owned });
            (kind.clone(), Value::from_iter(who))
        })),
        everybody => sorted([("AWS".to_owned(), Value::from_iter(texts(everybody, str::to_owned)))]),
    }
}

/// An account's number stands for the ARN of its root, in whichever partition.
fn spell_account(principal: &str) -> String {
    let parts: Vec<&str> = principal.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", "", account, "root"] => (*account).to_owned(),
        _ => principal.to_owned(),
    }
}

/// A triple for each key, since nothing but case may tell two keys of an object apart. `None` where there are no
/// conditions.
fn normalize_condition(condition: &Value) -> Option<Value> {
    let Value::Object(tests) = condition else { return Some(condition.clone()) };
    let mut triples = BTreeSet::new();
    for (test, keys) in tests {
        let Value::Object(keys) = keys else { return Some(condition.clone()) };
        let spell = if is_of_truth(test) { str::to_lowercase } else { str::to_owned };
        for (key, values) in keys {
            let values = Value::from_iter(texts(values, spell));
            triples.insert(
                Value::from(vec![Value::from(test.as_str()), key.to_lowercase().into(), values]).to_string(),
            );
        }
    }
    (!triples.is_empty()).then(|| Value::from_iter(triples))
}

/// Whether the test compares with true and false, which have no case.
fn is_of_truth(test: &str) -> bool {
    let test = test.rsplit(':').next().unwrap_or(test);
    ["Bool", "BoolIfExists", "Null"].contains(&test)
}

/// The values of an element, each once and as texts.
fn texts(value: &Value, spell: impl Fn(&str) -> String) -> BTreeSet<String> {
    listed(value).iter().map(|one| one.as_str().map_or_else(|| one.to_string(), &spell)).collect()
}

/// One value may stand without a list.
fn listed(value: &Value) -> &[Value] {
    match value {
        Value::Array(all) => all,
        one => std::slice::from_ref(one),
    }
}

fn as_texts(value: &Value) -> Value {
    match value {
        Value::Array(all) => all.iter().map(as_texts).collect(),
        Value::Object(fields) => sorted(fields.iter().map(|(name, value)| (name.clone(), as_texts(value)))),
        Value::String(_) => value.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Value::String(value.to_string()),
    }
}

/// An object whose text depends on no order.
fn sorted(fields: impl IntoIterator<Item = (String, Value)>) -> Value {
    let mut fields: Map<String, Value> = fields.into_iter().collect();
    fields.sort_keys();
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn base() -> Value {
        json!({
            "Sid": "Ours", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": ["arn:aws:s3:::site", "arn:aws:s3:::site/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}, "StringLike": {"aws:UserAgent": ["a", "b"]}},
        })
    }

    /// The statement with one element spelled otherwise, or left out.
    fn with(element: &str, value: &Value) -> Value {
        let mut statement = base();
        match value {
            Value::Null => drop(statement.as_object_mut().unwrap().remove(element)),
            value => statement[element] = value.clone(),
        }
        statement
    }

    fn is_same(left: &Value, right: &Value) -> bool {
        meanings(std::slice::from_ref(left)) == meanings(std::slice::from_ref(right))
    }

    #[test]
    fn spelling_has_no_meaning() {
        let agents = json!({"AWS:useragent": ["b", "a", "b"]});
        for (element, value) in [
            ("Sid", json!(null)),
            ("Sid", json!("Statement1")),
            ("Principal", json!({"AWS": "*"})),
            ("Principal", json!({"AWS": ["*"]})),
            ("Principal", json!(["*"])),
            ("Action", json!(["S3:*"])),
            ("Resource", json!(["arn:aws:s3:::site/*", "arn:aws:s3:::site"])),
            ("Condition", json!({"StringLike": agents, "Bool": {"aws:securetransport": [false]}})),
            ("Condition", json!({"StringLike": agents, "Bool": {"aws:SecureTransport": "False"}})),
        ] {
            assert!(is_same(&with(element, &value), &base()), "{element} {value}");
        }
    }

    #[test]
    fn what_says_something_else_is_told_apart() {
        let agents = json!({"aws:UserAgent": ["a", "b"]});
        for (element, value) in [
            ("Effect", json!("Allow")),
            ("Principal", json!({"AWS": "111122223333"})),
            ("Principal", json!({"Service": "*"})),
            ("NotPrincipal", json!("*")),
            ("Action", json!("s3:GetObject")),
            ("Action", json!(["s3:*", "sqs:*"])),
            ("Resource", json!("arn:aws:s3:::site")),
            ("Resource", json!(["arn:aws:s3:::Site", "arn:aws:s3:::site/*"])),
            ("Condition", json!(null)),
            ("Condition", json!({"StringLike": agents})),
            ("Condition", json!({"StringLike": agents, "Bool": {"aws:SecureTransport": true}})),
            ("Condition", json!({"StringLike": agents, "BoolIfExists": {"aws:SecureTransport": "false"}})),
            (
                "Condition",
                json!({"StringLike": {"aws:UserAgent": ["A", "b"]}, "Bool": {"aws:SecureTransport": "false"}}),
            ),
        ] {
            assert!(!is_same(&with(element, &value), &base()), "{element} {value}");
        }
    }

    #[test]
    fn account_is_its_roots_arn_and_no_other_principal() {
        let of = |who: Value| with("Principal", &json!({"AWS": who}));
        let number = of(json!("111122223333"));
        assert!(is_same(&of(json!(["arn:aws:iam::111122223333:root"])), &number));
        assert!(is_same(&of(json!("arn:aws-cn:iam::111122223333:root")), &number));
        assert!(!is_same(&of(json!("arn:aws:iam::111122223333:user/root")), &number));
        assert!(!is_same(&of(json!("arn:aws:iam::444455556666:root")), &number));
    }

    #[test]
    fn order_and_number_of_statements_have_no_meaning() {
        let other = with("Action", &json!("s3:GetObject"));
        let [one, two] =
            [&[base(), other.clone()][..], &[other, base(), with("Sid", &json!(null))]].map(meanings);
        assert_eq!(one, two);
        assert!(is_same(&with("Condition", &json!({})), &with("Condition", &json!(null))));
    }

    #[test]
    fn numbers_of_settings_may_be_texts() {
        let [number, text] =
            [r#"{"maxReceiveCount":100,"a":"b"}"#, r#"{ "a":"b", "maxReceiveCount": "100"}"#];
        assert!(
            is_same_setting(number, text) && is_same_setting("20", "20") && is_same_setting("a:b", "a:b")
        );
        assert!(!is_same_setting(number, r#"{"maxReceiveCount":10,"a":"b"}"#) && !is_same_setting("20", "0"));
    }
}
