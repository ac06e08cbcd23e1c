//! What `NetworkPolicies` say of a connection, by the rules of
//! <https://kubernetes.io/docs/concepts/services-networking/network-policies/>: no plugin that enforces them can be
//! had on the local cluster.
//!
//! [`judge`] is pure. Who connects to whom there is read by [`connections`] and [`watch`]; [`expected`] has what must
//! not pass whatever else does.

pub mod connections;
pub mod expected;
mod rules;
mod selector;
pub mod watch;

use std::{collections::BTreeMap, fmt, net::IpAddr};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::{core::v1::Pod as PodObject, networking::v1::NetworkPolicy};
use kube::ResourceExt;

use self::{
    rules::{allows_egress, allows_ingress},
    selector::selects,
};

/// A pod with an address of its own, as far as policies see it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pod {
    pub namespace: String,
    pub namespace_labels: BTreeMap<String, String>,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub address: IpAddr,
    /// Its containers' ports by their names.
    pub ports: BTreeMap<String, (Protocol, u16)>,
}

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Pod(Pod),
    /// A node, a program on one, a Service's own address, or whatever else is no pod.
    Outside(IpAddr),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    Tcp,
    Udp,
}

/// Who connects to whom, at which port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    pub from: End,
    pub to: End,
    pub protocol: Protocol,
    pub port: u16,
}

/// What plugins compare an `ipBlock` with. Kubernetes leaves it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    /// The address of every packet, as Calico and the VPC CNI do.
    MeanEverybody,
    /// Addresses that are no pod's, as Cilium does.
    MeanNoPod,
}

/// Both of them.
pub const ALL_BLOCKS: [Blocks; 2] = [Blocks::MeanEverybody, Blocks::MeanNoPod];

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// By these policies together, of which none lets it pass.
    Denied {
        direction: Direction,
        by: Vec<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Out of the pod that connects.
    Egress,
    /// Into the pod that is connected to.
    Ingress,
}

/// Whether a connection passes both ends. Fails at policies that no API server would have taken.
pub fn judge(policies: &[NetworkPolicy], connection: &Connection, blocks: Blocks) -> Result<Verdict> {
    let Connection { from, to, protocol: _, port: _ } = connection;
    // Nothing keeps a pod from itself.
    if let (End::Pod(from), End::Pod(to)) = (from, to)
        && from == to
    {
        return Ok(Verdict::Allowed);
    }
    for (direction, end) in [(Direction::Egress, from), (Direction::Ingress, to)] {
        let End::Pod(pod) = end else { continue };
        let mut by = Vec::new();
        let mut is_allowed = false;
        for policy in policies {
            if is_about(policy, pod, direction)? {
                by.push(format!("{}/{}", policy.namespace().unwrap_or_default(), policy.name_any()));
                is_allowed |= match direction {
                    Direction::Egress => allows_egress(policy, connection, blocks),
                    Direction::Ingress => allows_ingress(policy, connection, blocks),
                }
                .with_context(|| format!("NetworkPolicy {}", policy.name_any()))?;
            }
        }
        // Who is selected by no policy is isolated in no way.
        if !by.is_empty() && !is_allowed {
            return Ok(Verdict::Denied { direction, by });
        }
    }
    Ok(Verdict::Allowed)
}

fn is_about(policy: &NetworkPolicy, pod: &Pod, direction: Direction) -> Result<bool> {
    let spec = policy.spec.clone().unwrap_or_default();
    let is_of_direction = match (spec.policy_types.as_deref(), direction) {
        (Some(types @ [_, ..]), Direction::Egress) => types.iter().any(|type_| type_ == "Egress"),
        (Some(types @ [_, ..]), Direction::Ingress) => types.iter().any(|type_| type_ == "Ingress"),
        (Some([]) | None, Direction::Egress) => spec.egress.is_some(),
        (Some([]) | None, Direction::Ingress) => true,
    };
    let is_there = policy.namespace().as_deref() == Some(&pod.namespace);
    Ok(is_of_direction && is_there && selects(&spec.pod_selector.unwrap_or_default(), &pod.labels)?)
}

impl Pod {
    /// `None` for a pod without an address of its own, or one that has ended.
    pub fn from_object(pod: &PodObject, namespace_labels: &BTreeMap<String, String>) -> Result<Option<Self>> {
        let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
        let is_on_host = spec.and_then(|spec| spec.host_network).unwrap_or_default();
        let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or_default();
        let Some(address) = status.and_then(|status| status.pod_ip.as_ref()) else { return Ok(None) };
        if is_on_host || matches!(phase, "Succeeded" | "Failed") {
            return Ok(None);
        }
        let containers = spec.into_iter().flat_map(|spec| &spec.containers);
        let mut ports = BTreeMap::new();
        for port in containers.flat_map(|container| container.ports.iter().flatten()) {
            if let Some(name) = &port.name {
                let protocol = Protocol::parse(port.protocol.as_deref().unwrap_or("TCP"))?;
                ports.insert(name.clone(), (protocol, u16::try_from(port.container_port)?));
            }
        }
        Ok(Some(Self {
            namespace: pod.namespace().unwrap_or_default(),
            namespace_labels: namespace_labels.clone(),
            name: pod.name_any(),
            labels: pod.labels().clone(),
            address: address.parse()?,
            ports,
        }))
    }
}

impl End {
    pub fn address(&self) -> IpAddr {
        match self {
            Self::Pod(pod) => pod.address,
            Self::Outside(address) => *address,
        }
    }

    pub fn pod(&self) -> Option<&Pod> {
        match self {
            Self::Pod(pod) => Some(pod),
            Self::Outside(_) => None,
        }
    }
}

impl Protocol {
    fn parse(text: &str) -> Result<Self> {
        match text.to_ascii_uppercase().as_str() {
            "TCP" => Ok(Self::Tcp),
            "UDP" => Ok(Self::Udp),
            other => bail!("{other} is not judged here"),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod(pod) => write!(f, "{}/{} ({})", pod.namespace, pod.name, pod.address),
            Self::Outside(address) => write!(f, "{address}"),
        }
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {} at {:?} {}", self.from, self.to, self.protocol, self.port)
    }
}

#[cfg(test)]
mod tests;
