//! What may reach a tier's pods, and what they may reach: what the code of the two tiers does, and nothing else.
//!
//! The worker judges for itself what it asks for a tenant (`worker::origin::Guard`); this is the second line, which
//! holds whatever runs in the pod. Plugins differ in what an `ipBlock` is: some compare the address of every packet,
//! others never take a pod for one. Some judge a Service's address, and others that of the pod behind it. Each rule
//! here lets pass what it is for under all of them.

mod peers;

use crds::NetworkPolicies;
use ipnet::IpNet;
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicySpec,
};
use pipeline::{
    address::{public_networks, without_innermost},
    env::{INTERNAL_PORT, OPERATION_PORT, PUBLIC_PORT},
};
use url::Url;

use self::peers::{
    all_pods, build_endpoint, every_port, operator_pods, others_pods, own_pods, peer, pods_of, tcp, udp,
};
use super::metadata::build_metadata;
use crate::{
    config::{Config, NetworkConfig},
    names::Tier,
    pipeline::validate::ValidPipeline,
};

const DNS_PORT: u16 = 53;
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;
/// Where EKS Pod Identity gives pods their credentials, on their own node.
const POD_IDENTITY: [&str; 2] = ["169.254.170.23/32", "fd00:ec2::23/128"];

/// Absent where none is wanted.
pub(super) fn build_network_policy(
    valid: &ValidPipeline,
    tier: Tier,
    config: &Config,
) -> Option<NetworkPolicy> {
    match valid.network_policies.unwrap_or(config.network.policies) {
        NetworkPolicies::Managed => {}
        NetworkPolicies::None => return None,
    }
    let (ingress, egress) = match tier {
        Tier::Web => (build_web_ingress(valid, config), build_web_egress(valid, config)),
        Tier::Worker => (vec![build_operation_ingress(&config.network)], build_worker_egress(valid, config)),
    };
    Some(NetworkPolicy {
        metadata: build_metadata(valid, tier.child_name(&valid.name), tier.labels(&valid.name)),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(pods_of(valid, tier)),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(ingress),
            egress: Some(egress),
        }),
    })
}

fn build_web_ingress(valid: &ValidPipeline, config: &Config) -> Vec<NetworkPolicyIngressRule> {
    // A load balancer, a node that passes a visitor on, and SNS can have any address; who is no visitor is told so.
    let visitors = NetworkPolicyIngressRule { from: None, ports: Some(vec![tcp(PUBLIC_PORT)]) };
    // Web pods ask each other, workers tell them of files, and the operator of purges.
    let insiders = NetworkPolicyIngressRule {
        from: Some(
            [own_pods(valid, Tier::Web), own_pods(valid, Tier::Worker)]
                .into_iter()
                .chain(config.lease.namespace.as_deref().map(operator_pods))
                .collect(),
        ),
        ports: Some(vec![tcp(INTERNAL_PORT)]),
    };
    vec![visitors, insiders, build_operation_ingress(&config.network)]
}

/// Prometheus is a pod of any namespace. A kubelet's probes, and the API server, through which `kubectl assets why`
/// asks, come from addresses of machines; many plugins let those of the pod's own node pass anyway.
fn build_operation_ingress(network: &NetworkConfig) -> NetworkPolicyIngressRule {
    let machines = network.operation_networks.iter().copied().map(without_innermost).map(peer);
    NetworkPolicyIngressRule {
        from: Some([all_pods()].into_iter().chain(machines).collect()),
        ports: Some(vec![tcp(OPERATION_PORT)]),
    }
}

fn build_web_egress(valid: &ValidPipeline, config: &Config) -> Vec<NetworkPolicyEgressRule> {
    let mut rules = build_shared_egress(valid, config);
    if valid.endpoint.is_some() {
        add(&mut rules, build_certificates(config));
    }
    rules
}

fn build_worker_egress(valid: &ValidPipeline, config: &Config) -> Vec<NetworkPolicyEgressRule> {
    let mut rules = build_shared_egress(valid, config);
    rules.push(build_public_egress());
    if !valid.private_networks.is_empty() {
        // A network of Services stands for pods, which have other addresses, and other ports.
        let networks = valid.private_networks.iter().copied().map(without_innermost).map(peer);
        let to = networks.chain([others_pods()]).collect();
        rules.push(NetworkPolicyEgressRule { to: Some(to), ports: Some(vec![every_port()]) });
    }
    rules
}

/// DNS, the pipeline's web pods, AWS, and what gives credentials for it.
fn build_shared_egress(valid: &ValidPipeline, config: &Config) -> Vec<NetworkPolicyEgressRule> {
    // Resolvers are pods of whatever namespace, programs of the node at a link-local address, or the VPC's own.
    let dns = NetworkPolicyEgressRule { to: None, ports: Some(vec![udp(DNS_PORT), tcp(DNS_PORT)]) };
    let web = NetworkPolicyEgressRule {
        to: Some(vec![own_pods(valid, Tier::Web)]),
        ports: Some(vec![tcp(INTERNAL_PORT)]),
    };
    let endpoints = &config.workloads.endpoints;
    let services = [endpoints.of_s3(), endpoints.of_sqs(), endpoints.of_sns(), endpoints.of_sts()];
    let mut elsewhere: Vec<NetworkPolicyEgressRule> = Vec::new();
    for endpoint in services.into_iter().flatten() {
        add(&mut elsewhere, build_endpoint(endpoint.url(), &config.workloads.cluster_domain));
    }
    let is_at_aws = services.iter().any(Option::is_none);
    // Keys from a Secret come before everything that could be asked for others.
    let has_keys = valid.aws.credentials_secret_name.is_some();
    [dns, web]
        .into_iter()
        .chain(is_at_aws.then(|| build_aws(&config.network)))
        .chain(elsewhere)
        .chain((!has_keys).then(build_pod_identity))
        .collect()
}

/// Adds what is not said yet.
fn add(rules: &mut Vec<NetworkPolicyEgressRule>, more: Vec<NetworkPolicyEgressRule>) {
    for rule in more {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
}

/// AWS has public addresses that change, and within a VPC the private ones of its endpoints, which nobody but the
/// settings can tell.
fn build_aws(network: &NetworkConfig) -> NetworkPolicyEgressRule {
    let networks = network.aws_networks.iter().copied().map(without_innermost);
    NetworkPolicyEgressRule { to: Some(networks.map(peer).collect()), ports: Some(vec![tcp(HTTPS_PORT)]) }
}

fn build_pod_identity() -> NetworkPolicyEgressRule {
    let agents = POD_IDENTITY.iter().filter_map(|agent| agent.parse::<IpNet>().ok());
    let to: Vec<NetworkPolicyPeer> = agents.map(without_innermost).map(peer).collect();
    NetworkPolicyEgressRule { to: Some(to), ports: Some(vec![tcp(HTTP_PORT)]) }
}

/// The certificate of SNS's signer, at SNS's own host, and that of its issuer, which is published over plain HTTP.
fn build_certificates(config: &Config) -> Vec<NetworkPolicyEgressRule> {
    let elsewhere = config.workloads.sns_certificate_endpoint.as_deref();
    // What is no URL keeps the web pods from starting.
    match elsewhere.and_then(|url| url.parse::<Url>().ok()) {
        Some(url) => build_endpoint(&url, &config.workloads.cluster_domain),
        None => vec![build_public_egress()],
    }
}

fn build_public_egress() -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule {
        to: Some(public_networks().map(peer).into()),
        ports: Some(vec![tcp(HTTP_PORT), tcp(HTTPS_PORT)]),
    }
}

#[cfg(test)]
mod tests;
