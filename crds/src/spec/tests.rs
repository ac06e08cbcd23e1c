use serde_json::{Value, json};

use super::*;

/// The messages with which the rules refuse this object; none where it is accepted.
fn refusals(name: &str, spec: Value) -> Vec<String> {
    let pipeline = AssetPipeline::new(name, serde_json::from_value(spec).unwrap());
    match pipeline.validate_cel() {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_vec().into_iter().map(|error| error.message).collect(),
    }
}

fn tenant(host: &str, origin: &str, load_path: &str) -> Value {
    json!({"tenants": [{"host": host, "origin": origin, "loadPaths": [load_path]}]})
}

fn queues(mode: &str, visits: &str, refreshes: &str) -> Value {
    json!({"mode": mode, "names": {"visits": visits, "refreshes": refreshes, "deadLetters": "d"}})
}

#[test]
fn working_specs_are_accepted() {
    for spec in [
        json!({}),
        json!({"worker": {"minReplicas": 4, "maxReplicas": 4}}),
        json!({"service": {"type": "NodePort", "nodePort": 30080}}),
        json!({"freshness": {"maxAgeSeconds": 0, "maxStaleSeconds": 0}}),
        json!({"privateNetworks": ["10.0.0.0/8", "fd00::/8"]}),
        json!({"notifications": {"endpoint": "https://hooks.example.com/work_complete"}}),
        tenant("assets.example.com", "http://origin.web.svc:8000/theme", "/node_modules"),
        json!({"bindings": {"bucket": {"mode": "AdoptOrCreate"}, "queues": {"mode": "AdoptOrCreate"}}}),
        json!({"bindings": {"bucket": {"mode": "ReadOnly", "name": "site"}, "queues": queues("ReadOnly", "v", "r")}}),
        json!({"bindings": {"bucket": {"deletionPolicy": "Delete", "whenNotEmpty": "DeleteAllObjects"}}}),
        tenant("localhost", "https://www.example.com", "/"),
        tenant("10.0.0.1.example.com", "https://www.example.com", "/"),
    ] {
        assert_eq!(refusals("storefront", spec.clone()), Vec::<String>::new(), "{spec}");
    }
}

#[test]
fn each_broken_rule_names_the_field_and_the_fix() {
    for (spec, expected) in [
        (
            json!({"worker": {"minReplicas": 4, "maxReplicas": 3}}),
            "spec.worker.minReplicas must not be above",
        ),
        (json!({"service": {"nodePort": 30080}}), "spec.service.nodePort needs"),
        (
            json!({"freshness": {"maxAgeSeconds": 9, "maxStaleSeconds": 8}}),
            "spec.freshness.maxStaleSeconds must not",
        ),
        (json!({"privateNetworks": ["10.0.0.0"]}), "every entry of spec.privateNetworks must be"),
        (
            json!({"notifications": {"endpoint": "https://hooks.example.com/"}}),
            "spec.notifications.endpoint must be",
        ),
        (
            json!({"notifications": {"endpoint": "http://a@b/work_complete"}}),
            "spec.notifications.endpoint must be",
        ),
        (json!({"bindings": {"bucket": {"mode": "Adopt"}}}), "spec.bindings.bucket.name is needed with"),
        (json!({"bindings": {"bucket": {"name": "site"}}}), "spec.bindings.bucket.name needs mode"),
        (
            json!({"bindings": {"bucket": {"whenNotEmpty": "DeleteAllObjects"}}}),
            "spec.bindings.bucket.whenNotEmpty DeleteAllObjects needs deletionPolicy Delete",
        ),
        (json!({"bindings": {"queues": {"mode": "ReadOnly"}}}), "spec.bindings.queues.names is needed with"),
        (
            json!({"bindings": {"queues": queues("Create", "v", "r")}}),
            "spec.bindings.queues.names needs mode",
        ),
        (
            json!({"bindings": {"queues": queues("Adopt", "v", "v")}}),
            "spec.bindings.queues.names must name three",
        ),
        (
            json!({"bindings": {"queues": queues("Adopt", "d", "r")}}),
            "spec.bindings.queues.names must name three",
        ),
        (json!({"bindings": {"topic": {"mode": "ReadOnly"}}}), "spec.bindings.topic.name is needed with"),
        (json!({"bindings": {"topic": {"name": "site"}}}), "spec.bindings.topic.name needs mode"),
        (tenant("Shop.example.com", "https://www.example.com", "/"), "host must be a DNS name"),
        (tenant("shop.example.com:80", "https://www.example.com", "/"), "host must be a DNS name"),
        (tenant("10.0.0.1", "https://www.example.com", "/"), "host must be a DNS name and not an IP address"),
        (tenant("shop.example.com", "ftp://www.example.com", "/"), "origin must be an http"),
        (tenant("shop.example.com", "https://user@www.example.com", "/"), "origin must be an http"),
        (tenant("shop.example.com", "https://www.example.com/?a=b", "/"), "origin must be an http"),
        (
            json!({"tenants": [{
                "host": "shop.example.com", "origin": "https://www.example.com", "siteUrl": "www.example.com",
            }]}),
            "siteUrl must be an http",
        ),
        (
            tenant("shop.example.com", "https://www.example.com", "node_modules"),
            "every entry of loadPaths must",
        ),
        (tenant("shop.example.com", "https://www.example.com", "/a/../b"), "every entry of loadPaths must"),
    ] {
        let refusals = refusals("storefront", spec.clone());
        assert!(refusals.len() == 1 && refusals[0].starts_with(expected), "{spec}: {refusals:?}");
    }
}

#[test]
fn names_that_cannot_begin_a_service_name_are_refused() {
    for name in ["1shop", "shop.eu", "a-", &"a".repeat(MAX_NAME_LENGTH + 1)] {
        assert_eq!(refusals(name, json!({})).len(), 1, "{name}");
    }
    assert!(refusals(&"a".repeat(MAX_NAME_LENGTH), json!({})).is_empty());
}

#[test]
fn names_of_bindings_stay_as_they_were_first_written() {
    let pipeline = |bindings: Value| {
        let spec = json!({"bindings": bindings});
        AssetPipeline::new("storefront", serde_json::from_value(spec).unwrap())
    };
    let (drawn, bucket) = (json!({}), json!({"bucket": {"mode": "Adopt", "name": "site"}}));
    let queues = |visits| json!({"queues": queues("Adopt", visits, "r")});
    let topic = json!({"topic": {"mode": "Adopt", "name": "site"}});
    for (before, after, field) in [
        (&drawn, &bucket, "spec.bindings.bucket.name"),
        (&bucket, &json!({"bucket": {"mode": "Adopt", "name": "other"}}), "spec.bindings.bucket.name"),
        (&bucket, &drawn, "spec.bindings.bucket.name"),
        (&drawn, &queues("v"), "spec.bindings.queues.names"),
        (&queues("v"), &queues("w"), "spec.bindings.queues.names"),
        (&drawn, &topic, "spec.bindings.topic.name"),
        (&topic, &drawn, "spec.bindings.topic.name"),
    ] {
        let refused = pipeline(after.clone()).validate_cel_update(&pipeline(before.clone()));
        let messages: Vec<_> =
            refused.unwrap_err().into_vec().into_iter().map(|error| error.message).collect();
        assert!(
            messages.len() == 1
                && messages[0].starts_with(&format!("{field} cannot be set, changed or removed")),
            "{before} to {after}: {messages:?}"
        );
    }
    // Who may change a resource is no name.
    let read_only = json!({"bucket": {"mode": "ReadOnly", "name": "site", "deletionPolicy": "Delete"}});
    assert!(pipeline(read_only).validate_cel_update(&pipeline(bucket)).is_ok());
}
