//! What each field of the spec's Ingress adds to the Ingress, and that it adds nothing else.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::Ingress;
use serde_json::{Value, json};

use super::*;
use crate::names::APPLIED_ANNOTATION;

const ARN: &str = "arn:aws:acm:eu-west-1:123456789012:certificate/abc";

fn ingress_of(settings: &Value) -> Ingress {
    let mut object = fixture();
    object.spec.ingress = Some(serde_json::from_value(settings.clone()).unwrap());
    applied(&settle(&object, Sight::Seen(bindings()), ObservedChildren::default()).children.ingress)
}

/// Without the digest, which follows from the rest.
fn annotations_of(ingress: &Ingress) -> BTreeMap<String, String> {
    let all = ingress.metadata.annotations.clone().unwrap();
    all.into_iter().filter(|(key, _)| key != APPLIED_ANNOTATION).collect()
}

fn alb(annotations: &[(&str, &str)]) -> BTreeMap<String, String> {
    annotations
        .iter()
        .map(|(name, value)| (format!("alb.ingress.kubernetes.io/{name}"), (*value).to_owned()))
        .collect()
}

const PLAIN: [(&str, &str); 6] = [
    ("healthcheck-path", "/health"),
    ("listen-ports", r#"[{"HTTP":80}]"#),
    ("load-balancer-attributes", "idle_timeout.timeout_seconds=60"),
    ("scheme", "internet-facing"),
    ("target-group-attributes", "deregistration_delay.timeout_seconds=29"),
    ("target-type", "ip"),
];

/// An upgrade changes no load balancer: specs that name nothing new have the Ingress that they had, byte by byte.
#[test]
fn ingress_of_a_spec_from_before_is_what_it_was() {
    assert_eq!(annotations_of(&ingress_of(&json!({}))), alb(&PLAIN));
    let mut with_certificate = alb(&PLAIN);
    with_certificate.extend(alb(&[
        ("listen-ports", r#"[{"HTTP":80},{"HTTPS":443}]"#),
        ("certificate-arn", ARN),
        ("scheme", "internal"),
        ("ssl-redirect", "443"),
    ]));
    let before = ingress_of(&json!({"certificateArn": ARN, "scheme": "Internal", "className": "own"}));
    assert_eq!(annotations_of(&before), with_certificate);
    let spec = before.spec.unwrap();
    assert_eq!((spec.ingress_class_name.as_deref(), spec.tls), (Some("own"), None));
    let hosts: Vec<_> = spec.rules.unwrap().into_iter().filter_map(|rule| rule.host).collect();
    assert_eq!(hosts, ["shop.example.com", "blog.example.com", "hooks.example.com"]);
}

#[test]
fn each_field_sets_its_annotation_and_no_other() {
    const POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09";
    const WAF: &str = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/name/id";
    const BOTH_PORTS: (&str, &str) = ("listen-ports", r#"[{"HTTP":80},{"HTTPS":443}]"#);
    let balancer = |more| ("load-balancer-attributes", more);
    let group = |more| ("target-group-attributes", more);
    let redirect = ("ssl-redirect", "443");
    for (settings, expected) in [
        (json!({"tls": {}}), vec![BOTH_PORTS, ("ssl-policy", POLICY), redirect]),
        (json!({"tls": {"redirect": false}}), vec![BOTH_PORTS, ("ssl-policy", POLICY)]),
        (
            json!({"tls": {"sslPolicy": "ELBSecurityPolicy-TLS13-1-3-2021-06"}}),
            vec![BOTH_PORTS, ("ssl-policy", "ELBSecurityPolicy-TLS13-1-3-2021-06"), redirect],
        ),
        (
            json!({"tls": {}, "certificateArn": ARN}),
            vec![BOTH_PORTS, ("certificate-arn", ARN), ("ssl-policy", POLICY), redirect],
        ),
        (json!({"wafAclArn": WAF}), vec![("wafv2-acl-arn", WAF)]),
        (json!({"wafAclArn": "none"}), vec![("wafv2-acl-arn", "none")]),
        (json!({"group": {"name": "shared"}}), vec![("group.name", "shared")]),
        (
            json!({"group": {"name": "shared", "order": 7}}),
            vec![("group.name", "shared"), ("group.order", "7")],
        ),
        (json!({"subnets": ["subnet-1", "The name"]}), vec![("subnets", "subnet-1,The name")]),
        (
            json!({"inboundCidrs": ["203.0.113.9/24", "2001:db8::/32"]}),
            vec![("inbound-cidrs", "203.0.113.0/24,2001:db8::/32")],
        ),
        (
            json!({"accessLogs": {"bucket": "logs", "prefix": "a/b"}}),
            vec![balancer(
                "idle_timeout.timeout_seconds=60,access_logs.s3.enabled=true,access_logs.s3.bucket=logs,\
                 access_logs.s3.prefix=a/b",
            )],
        ),
        (
            json!({"accessLogs": {"bucket": "logs"}}),
            vec![balancer(
                "idle_timeout.timeout_seconds=60,access_logs.s3.enabled=true,access_logs.s3.bucket=logs,\
                 access_logs.s3.prefix=",
            )],
        ),
        (
            json!({"accessLogs": {}}),
            vec![balancer("idle_timeout.timeout_seconds=60,access_logs.s3.enabled=false")],
        ),
        (json!({"idleTimeoutSeconds": 90}), vec![balancer("idle_timeout.timeout_seconds=90")]),
        (
            json!({"loadBalancerAttributes": {"routing.http2.enabled": "false", "a.b": "=="}}),
            vec![balancer("idle_timeout.timeout_seconds=60,a.b===,routing.http2.enabled=false")],
        ),
        (json!({"deregistrationDelaySeconds": 24}), vec![group("deregistration_delay.timeout_seconds=24")]),
        (
            json!({"slowStartSeconds": 30}),
            vec![group("deregistration_delay.timeout_seconds=29,slow_start.duration_seconds=30")],
        ),
        (
            json!({"slowStartSeconds": 0}),
            vec![group("deregistration_delay.timeout_seconds=29,slow_start.duration_seconds=0")],
        ),
        (
            json!({"targetGroupAttributes": {"load_balancing.algorithm.type": "weighted_random"}}),
            vec![group(
                "deregistration_delay.timeout_seconds=29,load_balancing.algorithm.type=weighted_random",
            )],
        ),
        (json!({"annotations": {"alb.ingress.kubernetes.io/tags": "a=b"}}), vec![("tags", "a=b")]),
        (json!({"hosts": ["assets.example"]}), vec![]),
    ] {
        let mut all = alb(&PLAIN);
        all.extend(alb(&expected));
        assert_eq!(annotations_of(&ingress_of(&settings)), all, "{settings}");
    }
}

#[test]
fn external_dns_is_told_of_aliases_and_of_the_names_that_it_is_to_keep_to() {
    for (settings, expected) in [
        (json!({}), vec![("alias", "true")]),
        (
            json!({"hosts": ["assets.example", "*.assets.example"]}),
            vec![
                ("alias", "true"),
                ("hostname", "assets.example,*.assets.example"),
                ("ingress-hostname-source", "annotation-only"),
            ],
        ),
    ] {
        let ingress = ingress_of(&json!({"externalDns": settings}));
        let told = annotations_of(&ingress).into_iter().filter_map(|(key, value)| {
            Some((key.strip_prefix("external-dns.alpha.kubernetes.io/")?.to_owned(), value))
        });
        let expected: BTreeMap<_, _> =
            expected.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        assert_eq!(told.collect::<BTreeMap<_, _>>(), expected);
    }
}

#[test]
fn further_hosts_lead_to_the_web_pods_behind_all_others_and_wildcards_last() {
    let ingress = ingress_of(&json!({"hosts": ["*.assets.example", "assets.example", "shop.example.com"]}));
    let rules = ingress.spec.unwrap().rules.unwrap();
    let backends = |rule: usize| rules[rule].http.as_ref().unwrap().paths.clone();
    let hosts: Vec<_> = rules.iter().filter_map(|rule| rule.host.as_deref()).collect();
    assert_eq!(
        hosts,
        ["shop.example.com", "blog.example.com", "hooks.example.com", "assets.example", "*.assets.example"]
    );
    assert_eq!((backends(3), backends(4)), (backends(0), backends(0)));
}

#[test]
fn further_hosts_alone_are_reason_enough_for_an_ingress() {
    let mut object = fixture();
    object.spec.tenants = vec![];
    object.spec.notifications.endpoint = None;
    let of = |object: &AssetPipeline| {
        settle(object, Sight::Seen(bindings()), ObservedChildren::default()).children.ingress
    };
    assert_eq!(of(&object), Change::Nothing);
    object.spec.ingress.as_mut().unwrap().hosts = vec!["*.assets.example".to_owned()];
    let rules = applied(&of(&object)).spec.unwrap().rules.unwrap();
    assert_eq!(
        rules.iter().filter_map(|rule| rule.host.as_deref()).collect::<Vec<_>>(),
        ["*.assets.example"]
    );
}

#[test]
fn secret_of_another_class_covers_every_host() {
    let ingress = ingress_of(&json!({
        "className": "nginx", "tls": {"secretName": "certificate"}, "hosts": ["*.assets.example"],
    }));
    assert_eq!(annotations_of(&ingress), alb(&PLAIN));
    assert_eq!(
        serde_json::to_value(ingress.spec.unwrap().tls).unwrap(),
        json!([{
            "hosts": ["shop.example.com", "blog.example.com", "hooks.example.com", "*.assets.example"],
            "secretName": "certificate",
        }])
    );
}

#[test]
fn visitors_are_told_https_wherever_there_is_a_certificate() {
    for (settings, url) in [
        (json!({}), "http://shop.example.com"),
        (json!({"certificateArn": ARN}), "https://shop.example.com"),
        (json!({"tls": {}}), "https://shop.example.com"),
        (json!({"tls": {"redirect": false}}), "https://shop.example.com"),
        (json!({"className": "nginx", "tls": {"secretName": "s"}}), "https://shop.example.com"),
    ] {
        let mut object = fixture();
        object.spec.ingress = Some(serde_json::from_value(settings).unwrap());
        let front = settle(&object, Sight::Seen(bindings()), ObservedChildren::default()).front;
        assert_eq!(front.url.as_deref(), Some(url));
    }
}
