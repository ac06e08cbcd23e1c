//! Which labels a selector selects.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

/// An empty selector selects everything; all that it says must hold.
pub(super) fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> Result<bool> {
    let LabelSelector { match_labels, match_expressions } = selector;
    let mut holds = match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    for requirement in match_expressions.iter().flatten() {
        holds &= is_met(requirement, labels)?;
    }
    Ok(holds)
}

fn is_met(requirement: &LabelSelectorRequirement, labels: &BTreeMap<String, String>) -> Result<bool> {
    let LabelSelectorRequirement { key, operator, values } = requirement;
    let value = labels.get(key);
    let is_listed = value.is_some_and(|value| values.iter().flatten().any(|listed| listed == value));
    Ok(match operator.as_str() {
        "In" => is_listed,
        // Also where there is no such label.
        "NotIn" => !is_listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        other => bail!("no selector has the operator {other}"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn everything_that_a_selector_says_must_hold() {
        let labels = BTreeMap::from([("app", "web"), ("tier", "front")].map(|(k, v)| (k.into(), v.into())));
        let check = |selector: Value| selects(&serde_json::from_value(selector).unwrap(), &labels).unwrap();
        let expressed = |key: &str, operator: &str, values: Value| {
            check(json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]}))
        };
        assert!(check(json!({})));
        assert!(check(json!({"matchLabels": {"app": "web", "tier": "front"}})));
        assert!(!check(json!({"matchLabels": {"app": "web", "tier": "back"}})));
        assert!(!check(json!({"matchLabels": {"zone": "a"}})));
        assert!(expressed("app", "In", json!(["web", "worker"])));
        assert!(!expressed("app", "In", json!(["worker"])));
        assert!(!expressed("zone", "In", json!(["a"])));
        assert!(expressed("app", "NotIn", json!(["worker"])));
        assert!(!expressed("app", "NotIn", json!(["web"])));
        assert!(expressed("zone", "NotIn", json!(["a"])));
        assert!(expressed("app", "Exists", json!(null)) && !expressed("zone", "Exists", json!(null)));
        assert!(expressed("zone", "DoesNotExist", json!(null)));
        assert!(!expressed("app", "DoesNotExist", json!(null)));
        let both = json!({"matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["front"]}]});
        assert!(!check(both));
    }

    #[test]
    fn unknown_operators_are_not_passed_over() {
        let selector = json!({"matchExpressions": [{"key": "app", "operator": "Gt", "values": ["1"]}]});
        assert!(selects(&serde_json::from_value(selector).unwrap(), &BTreeMap::new()).is_err());
    }
}
