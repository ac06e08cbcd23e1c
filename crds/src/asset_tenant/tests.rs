use serde_json::{Value, json};

use super::*;

/// A right spec in which these fields are other ones.
fn spec(changed: &Value) -> Value {
    let mut spec = json!({
        "pipelineRef": {"name": "storefront"}, "hosts": ["shop.example"], "origin": "https://www.shop.example",
    });
    let changed = changed.as_object().unwrap().clone();
    spec.as_object_mut().unwrap().extend(changed);
    spec
}

/// The messages with which the rules refuse this object; none where it is accepted.
fn refusals(spec: Value) -> Vec<String> {
    let tenant = AssetTenant::new("shop", serde_json::from_value(spec).unwrap());
    match tenant.validate_cel() {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_vec().into_iter().map(|error| error.message).collect(),
    }
}

#[test]
fn working_specs_are_accepted() {
    for changed in [
        json!({}),
        json!({"hosts": ["shop.example", "www.shop.example", "10.0.0.1.example", "localhost"]}),
        json!({"origin": "http://origin.web.svc:8000/theme"}),
        json!({"loadPaths": ["/", "/node_modules"], "development": true}),
    ] {
        assert_eq!(refusals(spec(&changed)), Vec::<String>::new(), "{changed}");
    }
}

#[test]
fn each_broken_rule_names_the_field_and_the_fix() {
    let host = "every entry of spec.hosts must be a DNS name in lower case without a port";
    let address = "every entry of spec.hosts must be a DNS name and not an IP address";
    let path = "every entry of spec.loadPaths must be a path that begins with /";
    for (changed, expected) in [
        (json!({"hosts": ["shop.example", "Shop.example"]}), host),
        (json!({"hosts": ["shop.example:80"]}), host),
        (json!({"hosts": ["*.shop.example"]}), host),
        (json!({"hosts": ["shop.example", "10.0.0.1"]}), address),
        (json!({"origin": "ftp://www.shop.example"}), "spec.origin must be an http or https URL"),
        (json!({"origin": "https://u@www.shop.example"}), "spec.origin must be an http or https URL"),
        (json!({"siteUrl": "https://www.shop.example/?a"}), "spec.siteUrl must be an http or https URL"),
        (json!({"loadPaths": ["node_modules"]}), path),
        (json!({"loadPaths": ["/a/../b"]}), path),
    ] {
        let refusals = refusals(spec(&changed));
        assert!(refusals.len() == 1 && refusals[0].starts_with(expected), "{changed}: {refusals:?}");
    }
}

#[test]
fn tenant_stays_with_its_pipeline() {
    let tenant = |changed: &Value| AssetTenant::new("shop", serde_json::from_value(spec(changed)).unwrap());
    let before = tenant(&json!({}));
    assert!(tenant(&json!({"origin": "https://new.example"})).validate_cel_update(&before).is_ok());
    let moved = tenant(&json!({"pipelineRef": {"name": "other"}}));
    let refusals = moved.validate_cel_update(&before).unwrap_err().into_vec();
    assert!(refusals[0].message.starts_with("spec.pipelineRef cannot be changed"), "{refusals:?}");
}
