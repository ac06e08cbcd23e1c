use serde_json::{Value, json};

use super::*;

fn validated(spec: &Value) -> Result<ValidPipeline, InvalidSpec> {
    let object = json!({
        "apiVersion": "assetpipeline.dev/v1alpha1",
        "kind": "AssetPipeline",
        "metadata": {"name": "storefront", "namespace": "shop", "uid": "u-1", "generation": 3},
        "spec": spec,
    });
    validate(&serde_json::from_value(object).unwrap())
}

fn tenant(origin: &str) -> Value {
    json!({"host": "shop.example.com", "origin": origin, "loadPaths": ["/node_modules"]})
}

#[test]
fn empty_spec_is_valid_with_its_defaults() {
    let valid = validated(&json!({})).unwrap();
    assert_eq!((valid.namespace.as_str(), valid.name.as_str(), valid.generation), ("shop", "storefront", 3));
    assert_eq!((valid.web_replicas, valid.timeouts.hold, valid.timeouts.visibility), (3, 25, 8));
    assert_eq!((valid.limits.min_replicas, valid.limits.max_replicas), (0, 10));
    assert_eq!(valid.exposure, Exposure::ClusterIp);
    assert_eq!(valid.owner_reference.controller, Some(true));
}

#[test]
fn networks_lose_their_host_bits() {
    let valid = validated(&json!({"privateNetworks": ["10.20.3.4/16"]})).unwrap();
    assert_eq!(valid.private_networks, ["10.20.0.0/16".parse().unwrap()]);
}

#[test]
fn networks_that_reach_loopback_or_link_local_are_refused_by_name() {
    for text in [
        "0.0.0.0/0",
        "0.0.0.0/2",
        "126.0.0.0/7",
        "168.0.0.0/6",
        "127.0.0.1/32",
        "169.254.169.254/32",
        "::/0",
        "::/128",
        "::1/128",
        "::/127",
        "fe00::/8",
        "fe80::1/128",
        "::ffff:0:0/96",
        "::ffff:169.254.169.254/128",
    ] {
        let refusal = validated(&json!({"privateNetworks": [text]})).unwrap_err().to_string();
        assert!(refusal.starts_with(&format!("spec.privateNetworks is {text:?}: it overlaps ")), "{refusal}");
    }
    for text in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"] {
        assert!(validated(&json!({"privateNetworks": [text]})).is_ok(), "{text}");
    }
}

#[test]
fn networks_of_cloud_metadata_are_refused_and_larger_ones_are_not() {
    for (text, network) in [
        ("100.100.100.200/32", "100.100.100.200/32"),
        ("168.63.129.16/32", "168.63.129.16/32"),
        ("fd00:ec2::254/128", "fd00:ec2::/32"),
        ("fd20:ce::/64", "fd20:ce::/32"),
    ] {
        let refusal = validated(&json!({"privateNetworks": [text]})).unwrap_err().to_string();
        let expected = format!("spec.privateNetworks is {text:?}: it lies in {network}, ");
        assert!(refusal.starts_with(&expected), "{refusal}");
    }
    assert!(validated(&json!({"privateNetworks": ["100.100.0.0/16", "fd00::/8"]})).is_ok());
}

#[test]
fn suffix_that_contradicts_the_status_is_refused_with_the_one_to_write_back() {
    let with = |suffix: &str, bucket: &str| {
        let object = json!({
            "apiVersion": "assetpipeline.dev/v1alpha1",
            "kind": "AssetPipeline",
            "metadata": {
                "name": "storefront", "namespace": "shop", "uid": "u-1", "generation": 3,
                "annotations": {SUFFIX_ANNOTATION: suffix},
            },
            "spec": {},
            "status": {"bindings": {"bucket": bucket}},
        });
        validate(&serde_json::from_value(object).unwrap()).map(|valid| valid.suffix)
    };
    let suffix = || "0123456789".parse().unwrap();
    assert_eq!(with("0123456789", "ap-shop-storefront-0123456789"), Ok(Suffix::Written(suffix())));
    let refusal = with("9876543210", "ap-shop-storefront-0123456789").unwrap_err().to_string();
    assert!(refusal.contains("binding-suffix") && refusal.contains("tells 0123456789"), "{refusal}");
}

#[test]
fn each_refusal_names_the_field() {
    for (spec, field) in [
        (json!({"web": {"holdSeconds": 30}}), "spec.web.holdSeconds"),
        (json!({"web": {"holdSeconds": -1}}), "spec.web.holdSeconds"),
        (json!({"worker": {"minReplicas": 2, "maxReplicas": 1}}), "spec.worker.minReplicas"),
        (json!({"worker": {"maxReplicas": 0}}), "spec.worker.maxReplicas"),
        (json!({"worker": {"concurrency": 0}}), "spec.worker.concurrency"),
        (json!({"worker": {"backlogPerReplica": 0}}), "spec.worker.backlogPerReplica"),
        (json!({"worker": {"scaleDownDelaySeconds": -1}}), "spec.worker.scaleDownDelaySeconds"),
        (json!({"service": {"nodePort": 30080}}), "spec.service.nodePort"),
        (json!({"freshness": {"maxAgeSeconds": 2, "maxStaleSeconds": 1}}), "spec.freshness.maxStaleSeconds"),
        (json!({"limits": {"requestsPerSecond": 0}}), "spec.limits.requestsPerSecond"),
        (json!({"limits": {"missesPerSecond": -1}}), "spec.limits.missesPerSecond"),
        (json!({"limits": {"coldPathsPerMinute": 0}}), "spec.limits.coldPathsPerMinute"),
        (json!({"privateNetworks": ["10.0.0.0"]}), "spec.privateNetworks"),
        (json!({"privateNetworks": ["127.0.0.0/8"]}), "spec.privateNetworks"),
        (json!({"privateNetworks": ["169.254.0.0/16"]}), "spec.privateNetworks"),
        (json!({"privateNetworks": ["fe80::/10"]}), "spec.privateNetworks"),
        (json!({"notifications": {"endpoint": "http://hooks.example.com/"}}), "spec.notifications.endpoint"),
        (
            json!({
                "notifications": {"endpoint": "http://shop.example.com/work_complete"},
                "tenants": [tenant("http://a")]
            }),
            "spec.notifications.endpoint",
        ),
        (json!({"tenants": [tenant("not a url")]}), "spec.tenants[shop.example.com].origin"),
        (json!({"tenants": [tenant("ftp://a")]}), "spec.tenants[shop.example.com].origin"),
        (json!({"tenants": [tenant("http://a/?q")]}), "spec.tenants[shop.example.com].origin"),
        (json!({"tenants": [{"host": "A.b", "origin": "http://a"}]}), "spec.tenants[A.b].host"),
        (json!({"tenants": [{"host": "10.0.0.1", "origin": "http://a"}]}), "spec.tenants[10.0.0.1].host"),
        (
            json!({"tenants": [{"host": "a.b", "origin": "http://a", "loadPaths": ["/x/../y"]}]}),
            "spec.tenants[a.b].loadPaths",
        ),
    ] {
        let refusal = validated(&spec).unwrap_err();
        assert!(refusal.to_string().starts_with(field), "{spec}: {refusal}");
    }
}
