use serde_json::{Value, json};

use super::*;
use crate::AssetPipeline;

fn refusals(spec: &Value) -> Vec<String> {
    let pipeline = AssetPipeline::new("storefront", serde_json::from_value(spec.clone()).unwrap());
    match pipeline.validate_cel() {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_vec().into_iter().map(|error| error.message).collect(),
    }
}

#[test]
fn spec_of_before_means_what_it_meant() {
    let spec: IngressSpec = serde_json::from_value(json!({})).unwrap();
    assert_eq!(serde_json::to_value(spec).unwrap(), json!({"className": "alb", "scheme": "InternetFacing"}));
}

#[test]
fn every_part_is_accepted_beside_every_other() {
    let full = json!({
        "className": "alb", "certificateArn": "arn:aws:acm:a:123456789012:certificate/c",
        "tls": {"sslPolicy": "ELBSecurityPolicy-TLS13-1-3-2021-06", "redirect": false},
        "hosts": ["*.assets.example", "assets.example"], "wafAclArn": "none",
        "group": {"name": "shared.web", "order": 1}, "subnets": ["subnet-1", "The name"],
        "inboundCidrs": ["203.0.113.0/24", "2001:db8::/32"], "accessLogs": {"bucket": "logs", "prefix": "a/b"},
        "idleTimeoutSeconds": 30, "deregistrationDelaySeconds": 25, "slowStartSeconds": 30,
        "loadBalancerAttributes": {"routing.http2.enabled": "true"},
        "targetGroupAttributes": {ALGORITHM_ATTRIBUTE: "round_robin"},
        "annotations": {"alb.ingress.kubernetes.io/tags": "a=b,c=d"}, "externalDns": {"hosts": ["assets.example"]},
    });
    let endpoint = json!({"endpoint": "http://hooks.example/work_complete"});
    assert_eq!(refusals(&json!({"ingress": full, "notifications": endpoint})), Vec::<String>::new());
    for ingress in [
        json!({"className": "nginx", "tls": {"secretName": "tls"}}),
        json!({"tls": {}, "accessLogs": {}, "externalDns": {}, "slowStartSeconds": 0}),
    ] {
        assert_eq!(refusals(&json!({"ingress": ingress})), Vec::<String>::new(), "{ingress}");
    }
}

#[test]
fn annotation_or_attribute_that_a_field_owns_is_refused_by_its_name() {
    let own = OWN_INGRESS_ANNOTATIONS.map(|key| ("annotations", key));
    let balancer = OWN_LOAD_BALANCER_ATTRIBUTES.map(|key| ("loadBalancerAttributes", key));
    let group = OWN_TARGET_GROUP_ATTRIBUTES.map(|key| ("targetGroupAttributes", key));
    let more =
        [("annotations", "assetpipeline.dev/applied"), ("annotations", "nginx.example/server-snippet")];
    for (field, key) in own.into_iter().chain(balancer).chain(group).chain(more) {
        let told = refusals(&json!({"ingress": {field: {"fine": "v", key: "v"}}}));
        assert!(told.len() == 1 && told[0].contains(&format!("spec.ingress.{field}")), "{key}: {told:?}");
        assert!(told[0].starts_with(&format!("key {key}: ")), "{told:?}");
    }
}

#[test]
fn endpoint_of_http_is_refused_only_where_the_redirect_would_answer() {
    let told = |ingress: Value, endpoint: &str| {
        refusals(&json!({"ingress": ingress, "notifications": {"endpoint": endpoint}})).len()
    };
    let at = |host: &str| format!("http://{host}/work_complete");
    for (ingress, endpoint, refused) in [
        (json!({"tls": {}}), at("hooks.example"), 1),
        (json!({"tls": {}}), at("hooks.example:80"), 1),
        (json!({"tls": {}}), at("hooks.example:30080"), 0),
        (json!({"tls": {}}), at("10.0.0.1"), 0),
        (json!({"tls": {}}), at("[fd00::1]"), 0),
        (json!({"tls": {}}), "https://hooks.example/work_complete".to_owned(), 0),
        (json!({"tls": {"redirect": false}}), at("hooks.example"), 0),
        (json!({"className": "nginx", "tls": {"secretName": "s"}}), at("hooks.example"), 0),
        (json!({"certificateArn": "arn:aws:acm:a:123456789012:certificate/c"}), at("hooks.example"), 0),
        (json!({"hosts": ["hooks.example"]}), at("hooks.example"), 1),
        (json!({"hosts": ["hooks.example"]}), at("hooks.example:8080"), 1),
        (json!({"hosts": ["*.example", "hooks.example.org"]}), at("hooks.example"), 0),
    ] {
        assert_eq!(told(ingress.clone(), &endpoint), refused, "{ingress} {endpoint}");
    }
}
