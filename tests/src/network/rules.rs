//! Whether one policy lets a connection pass: any of its rules, by any of the rule's peers and any of its ports.

use std::net::IpAddr;

use anyhow::{Context, Result, bail, ensure};
use ipnet::IpNet;
use k8s_openapi::{
    api::networking::v1::{IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort},
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::ResourceExt;

use super::{Blocks, Connection, End, Protocol, selector::selects};

pub(super) fn allows_egress(policy: &NetworkPolicy, connection: &Connection, blocks: Blocks) -> Result<bool> {
    let rules = policy.spec.as_ref().and_then(|spec| spec.egress.as_ref());
    for rule in rules.into_iter().flatten() {
        let (peers, ports) = (rule.to.as_deref(), rule.ports.as_deref());
        if is_peer(policy, peers, &connection.to, blocks)? && is_port(ports, connection)? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn allows_ingress(
    policy: &NetworkPolicy,
    connection: &Connection,
    blocks: Blocks,
) -> Result<bool> {
    let rules = policy.spec.as_ref().and_then(|spec| spec.ingress.as_ref());
    for rule in rules.into_iter().flatten() {
        let (peers, ports) = (rule.from.as_deref(), rule.ports.as_deref());
        if is_peer(policy, peers, &connection.from, blocks)? && is_port(ports, connection)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// No peers mean everybody.
fn is_peer(
    policy: &NetworkPolicy,
    peers: Option<&[NetworkPolicyPeer]>,
    end: &End,
    blocks: Blocks,
) -> Result<bool> {
    let Some(peers @ [_, ..]) = peers else { return Ok(true) };
    for peer in peers {
        if is_one(policy, peer, end, blocks)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_one(policy: &NetworkPolicy, peer: &NetworkPolicyPeer, end: &End, blocks: Blocks) -> Result<bool> {
    let NetworkPolicyPeer { ip_block, namespace_selector, pod_selector } = peer;
    if let Some(block) = ip_block {
        ensure!(namespace_selector.is_none() && pod_selector.is_none(), "an ipBlock stands alone");
        return match (end, blocks) {
            (End::Pod(_), Blocks::MeanNoPod) => Ok(false),
            (End::Pod(_), Blocks::MeanEverybody) | (End::Outside(_), _) => is_within(block, end.address()),
        };
    }
    ensure!(namespace_selector.is_some() || pod_selector.is_some(), "a peer that says nothing");
    let End::Pod(pod) = end else { return Ok(false) };
    let is_namespace = match namespace_selector {
        Some(selector) => selects(selector, &pod.namespace_labels)?,
        None => policy.namespace().as_deref() == Some(&pod.namespace),
    };
    match pod_selector {
        Some(selector) => Ok(is_namespace && selects(selector, &pod.labels)?),
        None => Ok(is_namespace),
    }
}

fn is_within(block: &IPBlock, address: IpAddr) -> Result<bool> {
    let IPBlock { cidr, except } = block;
    let parse = |text: &String| text.parse::<IpNet>().with_context(|| format!("{text} is no network"));
    let network = parse(cidr)?;
    let mut is_within = network.contains(&address);
    for part in except.iter().flatten() {
        let part = parse(part)?;
        ensure!(network.contains(&part) && network != part, "{part} is no part of {network}");
        is_within &= !part.contains(&address);
    }
    Ok(is_within)
}

/// No ports mean all of all protocols.
fn is_port(ports: Option<&[NetworkPolicyPort]>, connection: &Connection) -> Result<bool> {
    let Some(ports @ [_, ..]) = ports else { return Ok(true) };
    for port in ports {
        let NetworkPolicyPort { port, end_port, protocol } = port;
        let is_protocol = Protocol::parse(protocol.as_deref().unwrap_or("TCP"))? == connection.protocol;
        let is_number = match (port, end_port) {
            (None, None) => true,
            (Some(IntOrString::Int(first)), last) => {
                (*first..=last.unwrap_or(*first)).contains(&connection.port.into())
            }
            // Names are those of the pod that is connected to.
            (Some(IntOrString::String(name)), None) => {
                let named = connection.to.pod().and_then(|pod| pod.ports.get(name));
                named == Some(&(connection.protocol, connection.port))
            }
            (None | Some(IntOrString::String(_)), Some(_)) => bail!("an end without a first port"),
        };
        if is_protocol && is_number {
            return Ok(true);
        }
    }
    Ok(false)
}
