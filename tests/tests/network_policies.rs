//! The policies that the operator makes of a spec and its settings, beside the connections that a pipeline needs on
//! EKS, and those that it never makes.

use std::{collections::BTreeMap, net::IpAddr};

use anyhow::{Context, Result, bail};
use clap::Parser;
use crds::AssetPipeline;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use operator::{
    Config, Options,
    names::{FINALIZER, OPERATOR_LABELS, SUFFIX_ANNOTATION, Tier},
    pipeline::{
        observe::{Observed, ObservedChildren, Sight},
        plan::{
            Chance, Change, Plan, plan,
            subscription::{EndpointSight, Reach, Waiting},
        },
        validate::validate,
    },
};
use pipeline::env::{INTERNAL_PORT, OPERATION_PORT, PUBLIC_PORT};
use serde_json::{Value, json};
use tests::network::{
    Connection, End, Pod, Protocol,
    expected::{Site, check_is_stopped, check_passes, forbidden, pod, tcp},
};

const NAMESPACE: &str = "shop";
const NAME: &str = "storefront";
const OPERATORS: &str = "assetpipeline-system";
const SETTINGS: [&str; 6] = [
    "operator",
    "--web-image=web:1",
    "--worker-image=worker:1",
    "--cluster-name=east",
    "--aws-region=eu-west-1",
    "--lease-namespace=assetpipeline-system",
];
/// What AWS answers at in public, and what a VPC's endpoint has.
const AWS: &str = "52.94.5.7";
const VPC_ENDPOINT: &str = "10.0.7.7";
const POD_IDENTITY: [&str; 2] = ["169.254.170.23", "fd00:ec2::23"];
const SOMEBODY: &str = "8.8.8.8";

/// Both policies, as they are applied.
fn render(spec: &Value, settings: &[&str]) -> Result<Vec<NetworkPolicy>> {
    let suffix = "0123456789";
    let metadata = json!({
        "name": NAME, "namespace": NAMESPACE, "uid": "u-1", "generation": 1, "finalizers": [FINALIZER],
        "annotations": {SUFFIX_ANNOTATION: suffix},
    });
    let object: AssetPipeline = serde_json::from_value(json!({
        "apiVersion": "assetpipeline.dev/v1alpha1", "kind": "AssetPipeline", "metadata": metadata, "spec": spec,
    }))?;
    let config = Config::from(Options::try_parse_from(SETTINGS.iter().chain(settings))?);
    let observed = Observed {
        has_finalizer: true,
        left_behind: Sight::Nothing,
        bindings: Sight::Nothing,
        registry: Sight::Nothing,
        children: ObservedChildren::default(),
        endpoint: EndpointSight { reach: Reach::NotAsked, waiting: Waiting::default() },
        missing_secrets: vec![],
    };
    let chance = Chance {
        suffix: suffix.parse().ok().context("it is no suffix")?,
        notice_key: "f".repeat(64),
        tenant_seed: "seed".to_owned(),
        now: "2026-11-21T12:00:00Z".parse()?,
    };
    let Plan::Settle(settle) = plan(&validate(&object)?, observed, &config, &chance) else {
        bail!("the pipeline is not settled")
    };
    let policies = [settle.children.web_network_policy, settle.children.worker_network_policy];
    let applied = policies.into_iter().filter_map(|policy| match policy {
        Change::Create(policy) | Change::Apply(policy) => Some(*policy),
        _ => None,
    });
    Ok(applied.collect())
}

fn own(tier: Tier, address: &str) -> Result<Pod> {
    Ok(pod(NAMESPACE, tier.as_str(), &tier.labels(NAME), address.parse()?))
}

fn site() -> Result<Site> {
    Ok(Site { web: own(Tier::Web, "10.0.1.1")?, worker: own(Tier::Worker, "10.0.1.2")? })
}

fn others(namespace: &str, address: &str) -> Result<Pod> {
    let labels = BTreeMap::from([("app".to_owned(), "other".to_owned())]);
    Ok(pod(namespace, "other", &labels, address.parse()?))
}

fn at(address: &str) -> Result<End> {
    Ok(End::Outside(address.parse::<IpAddr>()?))
}

/// To a pod from somewhere.
fn into(from: End, to: &Pod, port: u16) -> Connection {
    Connection { from, to: to.into(), protocol: Protocol::Tcp, port }
}

/// What every pipeline needs, wherever AWS is.
fn needed(site: &Site) -> Result<Vec<Connection>> {
    let Site { web, worker } = site;
    let operator = OPERATOR_LABELS.map(|(label, value)| (label.to_owned(), value.to_owned())).into();
    let operator = pod(OPERATORS, "operator", &operator, "10.0.2.1".parse()?);
    let (dns, prometheus) = (others("kube-system", "10.0.2.2")?, others("monitoring", "10.0.2.3")?);
    let mut needed = vec![
        // Somebody by a load balancer that keeps addresses, an ALB, a node that passes on, a pod.
        into(at("203.0.113.9")?, web, PUBLIC_PORT),
        into(at("10.0.0.20")?, web, PUBLIC_PORT),
        tcp(&prometheus, web, PUBLIC_PORT),
        tcp(&own(Tier::Web, "10.0.1.3")?, web, INTERNAL_PORT),
        tcp(worker, web, INTERNAL_PORT),
        tcp(&operator, web, INTERNAL_PORT),
    ];
    for pod in [web, worker] {
        needed.extend([
            into(at("10.0.0.5")?, pod, OPERATION_PORT),
            into(at("192.168.3.4")?, pod, OPERATION_PORT),
            tcp(&prometheus, pod, OPERATION_PORT),
        ]);
        // The cluster's DNS, a node's, and the VPC's.
        for resolver in [End::from(&dns), at("169.254.20.10")?, at("10.0.0.2")?] {
            let by_tcp = tcp(pod, resolver, 53);
            needed.extend([Connection { protocol: Protocol::Udp, ..by_tcp.clone() }, by_tcp]);
        }
    }
    Ok(needed)
}

fn check(
    policies: &[NetworkPolicy],
    passes: impl IntoIterator<Item = Connection>,
    stopped: impl IntoIterator<Item = Connection>,
) -> Result<()> {
    for connection in passes {
        check_passes(policies, &connection)?;
    }
    for connection in stopped {
        check_is_stopped(policies, &connection)?;
    }
    Ok(())
}

#[test]
fn pipeline_on_eks_reaches_what_it_needs_and_nothing_that_it_never_asks() -> Result<()> {
    let site = site()?;
    let Site { web, worker } = &site;
    let policies = render(&json!({}), &[])?;
    assert_eq!(policies.len(), 2);
    let mut passes = needed(&site)?;
    for pod in [web, worker] {
        for address in [AWS, VPC_ENDPOINT, "2600:1f00::7", "fd12::7"] {
            passes.push(tcp(pod, at(address)?, 443));
        }
        for agent in POD_IDENTITY {
            passes.push(tcp(pod, at(agent)?, 80));
        }
    }
    for origin in [SOMEBODY, "2606:4700::1111", "64:ff9b::808:808"] {
        passes.extend([tcp(worker, at(origin)?, 80), tcp(worker, at(origin)?, 443)]);
    }
    let origin = others("site", "10.0.3.3")?;
    let stopped = [
        tcp(web, at(SOMEBODY)?, 80),
        tcp(worker, at(VPC_ENDPOINT)?, 80),
        tcp(worker, at("64:ff9b::a00:1")?, 80),
        tcp(worker, &origin, 8080),
        tcp(worker, at(POD_IDENTITY[0])?, 443),
    ];
    check(&policies, passes, stopped.into_iter().chain(forbidden(&site)?))
}

#[test]
fn private_networks_are_open_to_workers_with_the_pods_behind_their_services() -> Result<()> {
    let site = site()?;
    let Site { web, worker } = &site;
    let spec = json!({"privateNetworks": ["10.20.0.0/16", "100.64.0.0/10", "fd00::/8"]});
    let policies = render(&spec, &[])?;
    let origin = others("site", "10.0.3.3")?;
    let named = [("10.20.1.1", 8080), ("10.20.255.255", 80), ("100.64.0.1", 3000), ("fd00::1", 8443)];
    let (mut passes, mut stopped) = (needed(&site)?, forbidden(&site)?);
    for (address, port) in named {
        passes.push(tcp(worker, at(address)?, port));
        stopped.push(tcp(web, at(address)?, port));
    }
    passes.push(tcp(worker, &origin, 8080));
    stopped.push(tcp(web, &origin, 8080));
    stopped.push(tcp(worker, at("10.21.0.1")?, 8080));
    // Secrets within a network that is named.
    for secret in ["100.100.100.200", "fd00:ec2::254", "fd20:ce::254"] {
        stopped.push(tcp(worker, at(secret)?, 80));
    }
    check(&policies, passes, stopped)
}

#[test]
fn signers_certificates_are_fetched_by_web_pods_that_sns_posts_to() -> Result<()> {
    let site = site()?;
    let endpoint = json!({"notifications": {"endpoint": "https://hooks.example.com/work_complete"}});
    let policies = render(&endpoint, &[])?;
    let Site { web, worker: _ } = &site;
    let fetches = [tcp(web, at(AWS)?, 443), tcp(web, at(SOMEBODY)?, 80)];
    check(&policies, needed(&site)?.into_iter().chain(fetches), forbidden(&site)?)
}

#[test]
fn emulator_with_keys_takes_the_place_of_aws() -> Result<()> {
    let site = site()?;
    let Site { web, worker } = &site;
    let keys = json!({"aws": {"credentialsSecretName": "keys"}});
    let policies = render(&keys, &["--aws-endpoint-url=http://10.88.0.1:5000"])?;
    let emulator = [web, worker].map(|pod| at("10.88.0.1").map(|emulator| tcp(pod, emulator, 5000)));
    let passes = needed(&site)?.into_iter().chain(emulator.into_iter().collect::<Result<Vec<_>>>()?);
    let mut stopped = forbidden(&site)?;
    stopped.extend([tcp(web, at(AWS)?, 443), tcp(worker, at(VPC_ENDPOINT)?, 443)]);
    for pod in [web, worker] {
        stopped.extend([tcp(pod, at("10.88.0.1")?, 443), tcp(pod, at(POD_IDENTITY[0])?, 80)]);
    }
    check(&policies, passes, stopped)
}

#[test]
fn store_of_the_cluster_s_own_is_reached_behind_its_service() -> Result<()> {
    let site = site()?;
    let policies = render(&json!({}), &["--aws-endpoint-url-s3=http://minio.store.svc.cluster.local:80"])?;
    let store = others("store", "10.0.4.4")?;
    let Site { web, worker } = &site;
    let reached = [web, worker].map(|pod| tcp(pod, &store, 9000));
    let service = [tcp(web, at("10.100.0.7")?, 80), tcp(worker, at("10.100.0.7")?, 80)];
    check(&policies, needed(&site)?.into_iter().chain(reached).chain(service), [])
}

#[test]
fn settings_narrow_where_aws_lies() -> Result<()> {
    let site = site()?;
    let Site { web, worker } = &site;
    let policies = render(&json!({}), &["--aws-networks=10.0.7.0/24"])?;
    let mut passes = needed(&site)?;
    // Origins are public ones all the same.
    passes.extend([tcp(web, at(VPC_ENDPOINT)?, 443), tcp(worker, at(SOMEBODY)?, 443)]);
    let stopped = [tcp(web, at(AWS)?, 443), tcp(worker, at("10.0.8.1")?, 443)];
    check(&policies, passes, stopped.into_iter().chain(forbidden(&site)?))
}

#[test]
fn without_policies_everything_passes() -> Result<()> {
    let policies = render(&json!({"networkPolicies": "None"}), &[])?;
    assert_eq!(policies, []);
    check(&policies, forbidden(&site()?)?, [])
}
