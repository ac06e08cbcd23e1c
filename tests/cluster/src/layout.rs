//! The fixed shape of the local cluster: names, zones, addresses and ports.

use std::net::Ipv4Addr;

/// One node: its own containerd and its own kubelet in a zone of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    pub name: &'static str,
    pub zone: &'static str,
    /// Last number of the node's address, third number of its pods' addresses, and part of its ports.
    pub index: u8,
}

/// One node per zone.
pub const NODES: [Node; 3] = [
    Node { name: "node-a", zone: "zone-a", index: 11 },
    Node { name: "node-b", zone: "zone-b", index: 12 },
    Node { name: "node-c", zone: "zone-c", index: 13 },
];

impl Node {
    /// The node with this name, or the one in the zone with this name.
    pub fn named(name: &str) -> Option<Self> {
        NODES.into_iter().find(|node| node.name == name || node.zone == name)
    }

    pub fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 88, 0, self.index)
    }

    pub fn kubelet_port(&self) -> u16 {
        10_250 + u16::from(self.index) * 10
    }

    pub fn kubelet_health_port(&self) -> u16 {
        self.kubelet_port() + 1
    }
}

pub const REGION: &str = "us-east-1";
/// The bridge that joins the pods of all nodes.
pub const BRIDGE: &str = "apbr0";
/// The host on the bridge: the API server and the AWS emulator listen here, and pods reach them.
pub const HOST_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 1);
pub const HOST_NETWORK: &str = "10.88.0.0/24";
pub const POD_NETWORK: &str = "10.244.0.0/16";
pub const POD_NETWORK_BITS: u8 = 16;
pub const POD_GATEWAY: &str = "10.244.0.1";
pub const SERVICE_NETWORK: &str = "10.96.0.0/16";
/// The first address of the service network belongs to the API server.
pub const API_SERVICE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
pub const DNS_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);
pub const DNS_DOMAIN: &str = "cluster.local";
pub const API_PORT: u16 = 6443;
/// Not the usual 2379 and 2380: Debian's package may run an etcd of its own there.
pub const ETCD_PORT: u16 = 12_379;
pub const ETCD_PEER_PORT: u16 = 12_380;
pub const MOTO_PORT: u16 = 5000;
pub const METRICS_PORT: u16 = 4443;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_nodes_do_not_meet() {
        let ports: Vec<_> =
            NODES.iter().flat_map(|node| [node.kubelet_port(), node.kubelet_health_port()]).collect();
        let mut unique = ports.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), ports.len());
    }
}
