use crds::AssetPipeline;
use k8s_openapi::{api::networking::v1::NetworkPolicyPort, apimachinery::pkg::util::intstr::IntOrString};
use serde_json::{Value, json};

use super::*;
use crate::{config::Endpoints, pipeline::validate::validate};

/// What pods of that tier may reach, as `peer at ports`.
fn egress(spec: &Value, tier: Tier, config: &Config) -> Vec<String> {
    let policy = build_network_policy(&valid(spec), tier, config).unwrap();
    let rules = policy.spec.unwrap().egress.unwrap();
    rules.iter().map(|rule| told(rule.to.as_deref(), rule.ports.as_deref())).collect()
}

fn valid(spec: &Value) -> ValidPipeline {
    let metadata = json!({"name": "storefront", "namespace": "shop", "uid": "u-1", "generation": 1});
    let object = json!({
        "apiVersion": "assetpipeline.dev/v1alpha1", "kind": "AssetPipeline", "metadata": metadata, "spec": spec,
    });
    validate(&serde_json::from_value::<AssetPipeline>(object).unwrap()).unwrap()
}

fn told(peers: Option<&[NetworkPolicyPeer]>, ports: Option<&[NetworkPolicyPort]>) -> String {
    let peer = |peer: &NetworkPolicyPeer| match (&peer.ip_block, &peer.namespace_selector) {
        (Some(block), _) => block.cidr.clone(),
        (None, Some(_)) => "pods".to_owned(),
        (None, None) => "own".to_owned(),
    };
    let port = |port: &NetworkPolicyPort| match &port.port {
        Some(IntOrString::Int(number)) => number.to_string(),
        Some(IntOrString::String(name)) => name.clone(),
        None => "all".to_owned(),
    };
    let peers =
        peers.map_or_else(|| "any".to_owned(), |all| all.iter().map(peer).collect::<Vec<_>>().join(" "));
    format!("{peers} at {}", ports.unwrap_or_default().iter().map(port).collect::<Vec<_>>().join(" "))
}

fn at_aws() -> Config {
    let mut config = Config::fixture();
    config.workloads.endpoints = Endpoints::default();
    config.workloads.sns_certificate_endpoint = None;
    config
}

const DNS: &str = "any at 53 53";
const WEB: &str = "own at 8081";
const AWS: &str = "0.0.0.0/0 ::/0 at 443";
const POD_IDENTITY: &str = "169.254.170.23/32 fd00:ec2::23/128 at 80";
const PUBLIC: &str = "0.0.0.0/0 2000::/3 64:ff9b::/96 at 80 443";

#[test]
fn pods_reach_what_the_spec_and_the_settings_have_them_ask() {
    let endpoint = json!({"notifications": {"endpoint": "https://hooks.example.com/work_complete"}});
    let keys = json!({"aws": {"credentialsSecretName": "keys"}});
    let networks = json!({"privateNetworks": ["10.20.0.0/16", "fd00::/8"]});
    let (web, worker) = (Tier::Web, Tier::Worker);
    for (spec, tier, expected) in [
        (&json!({}), web, vec![DNS, WEB, AWS, POD_IDENTITY]),
        (&endpoint, web, vec![DNS, WEB, AWS, POD_IDENTITY, PUBLIC]),
        (&keys, web, vec![DNS, WEB, AWS]),
        (&networks, web, vec![DNS, WEB, AWS, POD_IDENTITY]),
        (&json!({}), worker, vec![DNS, WEB, AWS, POD_IDENTITY, PUBLIC]),
        (&endpoint, worker, vec![DNS, WEB, AWS, POD_IDENTITY, PUBLIC]),
        (&keys, worker, vec![DNS, WEB, AWS, PUBLIC]),
        (&networks, worker, vec![DNS, WEB, AWS, POD_IDENTITY, PUBLIC, "10.20.0.0/16 fd00::/8 pods at all"]),
    ] {
        assert_eq!(egress(spec, tier, &at_aws()), expected, "{tier:?} {spec}");
    }
}

#[test]
fn services_are_reached_where_the_settings_say_and_at_aws_only_where_one_is_left_there() {
    let keys = json!({"aws": {"credentialsSecretName": "keys"}});
    let reach = |endpoints: Endpoints| {
        let config = Config {
            workloads: crate::config::WorkloadConfig { endpoints, ..at_aws().workloads },
            ..at_aws()
        };
        egress(&keys, Tier::Web, &config)
    };
    let at = |url: &str| url.parse().ok();
    let all = |url| Endpoints { all: at(url), ..Endpoints::default() };
    let only_s3 = |url| Endpoints { s3: at(url), ..Endpoints::default() };
    assert_eq!(reach(all("http://10.88.0.1:5000")), [DNS, WEB, "10.88.0.1/32 at 5000"]);
    assert_eq!(reach(all("https://[fd00::7]")), [DNS, WEB, "fd00::7/128 at 443"]);
    assert_eq!(reach(only_s3("https://s3.example.com")), [DNS, WEB, AWS, "0.0.0.0/0 ::/0 at 443"]);
    let minio = [DNS, WEB, AWS, "0.0.0.0/0 ::/0 at 9000", "pods at all"];
    assert_eq!(reach(only_s3("http://minio.store.svc:9000")), minio);
    assert_eq!(reach(only_s3("http://minio.store.svc.cluster.local:9000")), minio);
}

#[test]
fn certificates_are_fetched_where_the_settings_say() {
    let endpoint = json!({"notifications": {"endpoint": "https://hooks.example.com/work_complete"}});
    let mut config = at_aws();
    config.workloads.sns_certificate_endpoint = Some("http://10.88.0.1:5000".into());
    let expected = [DNS, WEB, AWS, POD_IDENTITY, "10.88.0.1/32 at 5000"];
    assert_eq!(egress(&endpoint, Tier::Web, &config), expected);
}

#[test]
fn networks_of_the_settings_narrow_aws_and_operation() {
    let mut config = at_aws();
    config.network.aws_networks = vec!["10.1.2.3/16".parse().unwrap()];
    config.network.operation_networks = vec!["10.2.0.0/16".parse().unwrap()];
    assert_eq!(egress(&json!({}), Tier::Web, &config), [DNS, WEB, "10.1.0.0/16 at 443", POD_IDENTITY]);
    let policy = build_network_policy(&valid(&json!({})), Tier::Worker, &config).unwrap();
    let ingress = policy.spec.unwrap().ingress.unwrap();
    let told: Vec<_> = ingress.iter().map(|rule| told(rule.from.as_deref(), rule.ports.as_deref())).collect();
    assert_eq!(told, ["pods 10.2.0.0/16 at 8082"]);
}

#[test]
fn spec_decides_over_the_settings_whether_there_are_policies() {
    let (on, off) = (NetworkPolicies::Managed, NetworkPolicies::None);
    for (spec, settings, is_wanted) in [
        (json!({}), on, true),
        (json!({}), off, false),
        (json!({"networkPolicies": "Managed"}), off, true),
        (json!({"networkPolicies": "None"}), on, false),
    ] {
        let mut config = at_aws();
        config.network.policies = settings;
        for tier in [Tier::Web, Tier::Worker] {
            let policy = build_network_policy(&valid(&spec), tier, &config);
            assert_eq!(policy.is_some(), is_wanted, "{spec} {settings:?}");
        }
    }
}
