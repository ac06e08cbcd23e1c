use serde_json::{Value, json};

use super::*;
use crate::pipeline::validate::validate as validate_pipeline;

const ARN: &str = "arn:aws:acm:a:123456789012:certificate/c";

fn validated(ingress: &Value, endpoint: Option<&str>) -> Result<ValidIngress, InvalidSpec> {
    let object = json!({
        "apiVersion": "assetpipeline.dev/v1alpha1",
        "kind": "AssetPipeline",
        "metadata": {"name": "storefront", "namespace": "shop", "uid": "u-1", "generation": 3},
        "spec": {"ingress": ingress, "notifications": {"endpoint": endpoint}},
    });
    validate_pipeline(&serde_json::from_value(object).unwrap()).map(|valid| valid.ingress.unwrap())
}

#[test]
fn tls_is_what_the_spec_says_of_certificates() {
    let acm = |certificate, policy, redirect| Tls::Acm { certificate, policy, redirect };
    let named = || Certificate::Arn(ARN.to_owned());
    for (ingress, expected) in [
        (json!({}), Tls::None),
        (json!({"certificateArn": ARN}), acm(named(), Policy::Unsaid, Redirect::ToHttps)),
        (json!({"certificateArn": ARN, "tls": {}}), acm(named(), Policy::Default, Redirect::ToHttps)),
        (json!({"tls": {}}), acm(Certificate::Discovered, Policy::Default, Redirect::ToHttps)),
        (
            json!({"tls": {"sslPolicy": "ELBSecurityPolicy-X", "redirect": false}}),
            acm(Certificate::Discovered, Policy::Named("ELBSecurityPolicy-X".to_owned()), Redirect::None),
        ),
        (json!({"className": "nginx", "tls": {"secretName": "s"}}), Tls::Secret("s".to_owned())),
    ] {
        assert_eq!(validated(&ingress, None).unwrap().tls, expected, "{ingress}");
    }
}

#[test]
fn networks_lose_their_host_bits() {
    let valid = validated(&json!({"inboundCidrs": ["203.0.113.9/24", "2001:db8::1/32"]}), None).unwrap();
    assert_eq!(valid.inbound_cidrs, ["203.0.113.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()]);
}

#[test]
fn parts_that_contradict_each_other_are_refused_with_the_field_and_the_way_out() {
    let secret = |more: Value| {
        let mut tls = json!({"secretName": "s"});
        tls.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        tls
    };
    for (ingress, field, way) in [
        (json!({"tls": secret(json!({}))}), "spec.ingress.tls.secretName", "another className"),
        (
            json!({"className": "nginx", "certificateArn": ARN, "tls": secret(json!({}))}),
            "spec.ingress.tls.secretName",
            "leave one of them out",
        ),
        (
            json!({"className": "nginx", "tls": secret(json!({"redirect": false}))}),
            "spec.ingress.tls.secretName",
            "leave them out",
        ),
        (
            json!({"className": "nginx", "tls": secret(json!({"sslPolicy": "ELBSecurityPolicy-X"}))}),
            "spec.ingress.tls.secretName",
            "leave them out",
        ),
        (json!({"accessLogs": {"prefix": "a"}}), "spec.ingress.accessLogs.prefix", "name it"),
        (json!({"slowStartSeconds": 29}), "spec.ingress.slowStartSeconds", "0, or lie between 30 and 900"),
        (json!({"slowStartSeconds": -1}), "spec.ingress.slowStartSeconds", "negative"),
        (
            json!({"slowStartSeconds": 30, "targetGroupAttributes": {ALGORITHM_ATTRIBUTE: "weighted_random"}}),
            "spec.ingress.slowStartSeconds",
            "set 0, or leave load_balancing.algorithm.type out",
        ),
        (
            json!({"inboundCidrs": ["10.0.0.0/8"], "annotations": {SECURITY_GROUPS_ANNOTATION: "sg-1"}}),
            "spec.ingress.inboundCidrs",
            "leave one of them out",
        ),
        (json!({"inboundCidrs": ["10.0.0.0"]}), "spec.ingress.inboundCidrs", "prefix length"),
        (json!({"hosts": ["*.*.example"]}), "spec.ingress.hosts", ""),
        (json!({"hosts": ["10.0.0.1"]}), "spec.ingress.hosts", "must be a name"),
        (json!({"hosts": ["*.10.0.0.1"]}), "spec.ingress.hosts", "must be a name"),
        (json!({"externalDns": {"hosts": ["Assets.example"]}}), "spec.ingress.externalDns.hosts", ""),
        (
            json!({"loadBalancerAttributes": {"a.b": "c,d"}}),
            "spec.ingress.loadBalancerAttributes[a.b]",
            "comma",
        ),
        (json!({"idleTimeoutSeconds": 29}), "spec.ingress.idleTimeoutSeconds", "spec.web.holdSeconds (25)"),
        (
            json!({"deregistrationDelaySeconds": 24}),
            "spec.ingress.deregistrationDelaySeconds",
            "spec.web.holdSeconds (25)",
        ),
    ] {
        let refusal = validated(&ingress, None).unwrap_err().to_string();
        assert!(refusal.starts_with(field) && refusal.contains(way), "{ingress}: {refusal}");
    }
    let without =
        json!({"slowStartSeconds": 0, "targetGroupAttributes": {ALGORITHM_ATTRIBUTE: "weighted_random"}});
    assert_eq!(validated(&without, None).unwrap().slow_start_seconds, Some(0));
}

#[test]
fn what_fields_or_the_operator_set_is_refused_in_maps() {
    let own = OWN_INGRESS_ANNOTATIONS.map(|key| ("annotations", key));
    let balancer = OWN_LOAD_BALANCER_ATTRIBUTES.map(|key| ("loadBalancerAttributes", key));
    let group = OWN_TARGET_GROUP_ATTRIBUTES.map(|key| ("targetGroupAttributes", key));
    let more =
        [("annotations", "assetpipeline.dev/applied"), ("annotations", "nginx.example/server-snippet")];
    for (field, key) in own.into_iter().chain(balancer).chain(group).chain(more) {
        let refusal = validated(&json!({field: {key: "v"}}), None).unwrap_err().to_string();
        assert!(refusal.starts_with(&format!("spec.ingress.{field} is {key:?}: ")), "{refusal}");
    }
}

#[test]
fn endpoint_of_http_is_refused_only_where_the_redirect_would_answer() {
    let at = |host: &str| format!("http://{host}/work_complete");
    for (ingress, endpoint, is_right) in [
        (json!({"tls": {}}), at("hooks.example"), false),
        (json!({"tls": {}}), at("hooks.example:80"), false),
        (json!({"tls": {}}), at("hooks.example:30080"), true),
        (json!({"tls": {}}), at("10.0.0.1"), true),
        (json!({"tls": {}}), "https://hooks.example/work_complete".to_owned(), true),
        (json!({"tls": {"redirect": false}}), at("hooks.example"), true),
        (json!({"className": "nginx", "tls": {"secretName": "s"}}), at("hooks.example"), true),
        (json!({"certificateArn": ARN}), at("hooks.example"), true),
        (json!({"hosts": ["hooks.example"]}), at("hooks.example:8080"), false),
        (json!({"hosts": ["*.example"]}), at("hooks.example"), true),
    ] {
        assert_eq!(validated(&ingress, Some(&endpoint)).is_ok(), is_right, "{ingress} {endpoint}");
    }
    let refusal = validated(&json!({"tls": {}}), Some(&at("hooks.example"))).unwrap_err().to_string();
    assert!(refusal.starts_with("spec.notifications.endpoint is ") && refusal.contains("make it https"));
}
