//! What an IAM policy says of a call: as much of IAM's rules as our policies use, and a refusal to judge the rest.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::calls::{Call, CallContext};

/// A policy's actions, each with the statement that it stands in.
pub type Allowed = BTreeSet<(String, String)>;

/// Which of the policy's actions the calls need. Fails at the first call that the policy does not allow.
pub fn check_calls(policy: &Value, calls: &[Call]) -> Result<Allowed> {
    let mut needed = Allowed::new();
    for call in calls {
        let mut is_allowed = false;
        for statement in statements(policy)? {
            if allows(statement, call)? {
                is_allowed = true;
                needed.insert((text(statement, "Sid")?.to_owned(), call.action.clone()));
            }
        }
        ensure!(is_allowed, "{call:?} is not allowed by {policy:#}");
    }
    Ok(needed)
}

/// All actions of the policy.
pub fn actions(policy: &Value) -> Result<Allowed> {
    let mut all = Allowed::new();
    for statement in statements(policy)? {
        let sid = text(statement, "Sid")?;
        all.extend(texts(statement, "Action")?.into_iter().map(|action| (sid.to_owned(), action.to_owned())));
    }
    Ok(all)
}

fn statements(policy: &Value) -> Result<&Vec<Value>> {
    policy.get("Statement").and_then(Value::as_array).context("a policy without statements")
}

fn allows(statement: &Value, call: &Call) -> Result<bool> {
    ensure!(text(statement, "Effect")? == "Allow", "only what is allowed is judged");
    let is_of_action = texts(statement, "Action")?.contains(&call.action.as_str());
    let is_of_resource =
        texts(statement, "Resource")?.iter().any(|arn| fits(arn.as_bytes(), call.resource.as_bytes()));
    Ok(is_of_action && is_of_resource && hold_conditions(statement.get("Condition"), &call.context)?)
}

fn hold_conditions(block: Option<&Value>, context: &CallContext) -> Result<bool> {
    for (test, keys) in block.and_then(Value::as_object).into_iter().flatten() {
        for key in keys.as_object().context("a condition without keys")?.keys() {
            let allowed = texts(keys, key)?;
            let is_allowed = |value: &String| allowed.contains(&value.as_str());
            let said = context.get(key);
            let holds = match test.as_str() {
                "StringEquals" => said.is_some_and(|said| !said.is_empty() && said.iter().all(is_allowed)),
                "StringEqualsIfExists" | "ForAllValues:StringEquals" => {
                    said.is_none_or(|said| said.iter().all(is_allowed))
                }
                other => bail!("{other} is no test that we know"),
            };
            if !holds {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// `*` stands for any characters, `?` for one.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            (0..=text.len()).any(|at| text.get(at..).is_some_and(|text| fits(rest, text)))
        }
        (Some((b'?', pattern)), Some((_, text))) => fits(pattern, text),
        (Some((expected, pattern)), Some((found, text))) if expected == found => fits(pattern, text),
        (Some(_) | None, Some(_) | None) => false,
    }
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value.get(field).and_then(Value::as_str).with_context(|| format!("{field} is no text in {value}"))
}

fn texts<'a>(value: &'a Value, field: &str) -> Result<Vec<&'a str>> {
    let list = value.get(field).and_then(Value::as_array);
    let list = list.with_context(|| format!("{field} is no list in {value}"))?;
    list.iter().map(|text| text.as_str().context("a list of something else")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(resource: &str, context: &[(&str, &str)]) -> Call {
        let context = context.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()]));
        Call { action: "sqs:TagQueue".to_owned(), resource: resource.to_owned(), context: context.collect() }
    }

    fn is_allowed(condition: &Value, call: &Call) -> bool {
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "Tag", "Effect": "Allow", "Action": ["sqs:TagQueue"], "Resource": ["arn:q-??/*"],
            "Condition": condition,
        }]});
        check_calls(&policy, std::slice::from_ref(call)).is_ok()
    }

    #[test]
    fn wildcards_and_conditions_are_iams() {
        let none = json!({});
        for (resource, fits) in [
            ("arn:q-01/a", true),
            ("arn:q-01/", true),
            ("arn:q-012/a", false),
            ("arn:q-0", false),
            ("arn:", false),
        ] {
            assert_eq!(is_allowed(&none, &call(resource, &[])), fits, "{resource}");
        }
        let (without, same, other) =
            (call("arn:q-01/", &[]), call("arn:q-01/", &[("k", "v")]), call("arn:q-01/", &[("k", "w")]));
        let judged = |test: &str| {
            let condition = json!({test: {"k": ["v"]}});
            [&without, &same, &other].map(|call| is_allowed(&condition, call))
        };
        assert_eq!(judged("StringEquals"), [false, true, false]);
        assert_eq!(judged("StringEqualsIfExists"), [true, true, false]);
        assert_eq!(judged("ForAllValues:StringEquals"), [true, true, false]);
        assert_eq!(judged("StringLike"), [false; 3]);
    }

    #[test]
    fn action_that_no_statement_names_is_refused() {
        let other = Call { action: "sqs:DeleteQueue".to_owned(), ..call("arn:q-01/", &[]) };
        assert!(!is_allowed(&json!({}), &other));
    }
}
