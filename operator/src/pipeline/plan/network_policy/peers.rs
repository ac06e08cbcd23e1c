//! Who is at the other end, and at which port.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use k8s_openapi::{
    api::networking::v1::{IPBlock, NetworkPolicyEgressRule, NetworkPolicyPeer, NetworkPolicyPort},
    apimachinery::pkg::{
        apis::meta::v1::{LabelSelector, LabelSelectorRequirement},
        util::intstr::IntOrString,
    },
};
use pipeline::{
    address::{Networks, without_innermost},
    place::{Place, place},
};
use url::{Host, Url};

use crate::{
    names::{MANAGED_BY_LABEL, NAMESPACE_LABEL, OPERATOR_LABELS, OPERATOR_MANAGER, Tier},
    pipeline::validate::ValidPipeline,
};

pub(super) fn tcp(port: u16) -> NetworkPolicyPort {
    NetworkPolicyPort { port: Some(IntOrString::Int(port.into())), ..every_port() }
}

pub(super) fn udp(port: u16) -> NetworkPolicyPort {
    NetworkPolicyPort { protocol: Some("UDP".to_owned()), ..tcp(port) }
}

/// Of TCP, which all of ours is but DNS.
pub(super) fn every_port() -> NetworkPolicyPort {
    NetworkPolicyPort { protocol: Some("TCP".to_owned()), ..NetworkPolicyPort::default() }
}

pub(super) fn peer(networks: Networks) -> NetworkPolicyPeer {
    let Networks { network, except } = networks;
    let except: Vec<String> = except.iter().map(ToString::to_string).collect();
    NetworkPolicyPeer {
        ip_block: Some(IPBlock {
            cidr: network.trunc().to_string(),
            except: (!except.is_empty()).then_some(except),
        }),
        ..NetworkPolicyPeer::default()
    }
}

/// The tier's pods, in the pipeline's namespace.
pub(super) fn pods_of(valid: &ValidPipeline, tier: Tier) -> LabelSelector {
    labelled(tier.selector(&valid.name))
}

pub(super) fn own_pods(valid: &ValidPipeline, tier: Tier) -> NetworkPolicyPeer {
    NetworkPolicyPeer { pod_selector: Some(pods_of(valid, tier)), ..NetworkPolicyPeer::default() }
}

/// The operator's, in the namespace that it runs in.
pub(super) fn operator_pods(namespace: &str) -> NetworkPolicyPeer {
    let of_namespace = BTreeMap::from([(NAMESPACE_LABEL.to_owned(), namespace.to_owned())]);
    let of_pods = OPERATOR_LABELS.map(|(label, value)| (label.to_owned(), value.to_owned()));
    NetworkPolicyPeer {
        namespace_selector: Some(labelled(of_namespace)),
        pod_selector: Some(labelled(of_pods.into())),
        ..NetworkPolicyPeer::default()
    }
}

/// All pods of the cluster.
pub(super) fn all_pods() -> NetworkPolicyPeer {
    NetworkPolicyPeer { namespace_selector: Some(LabelSelector::default()), ..NetworkPolicyPeer::default() }
}

/// All pods of the cluster but those of pipelines.
pub(super) fn others_pods() -> NetworkPolicyPeer {
    let are_not_ours = LabelSelectorRequirement {
        key: MANAGED_BY_LABEL.to_owned(),
        operator: "NotIn".to_owned(),
        values: Some(vec![OPERATOR_MANAGER.to_owned()]),
    };
    NetworkPolicyPeer {
        pod_selector: Some(LabelSelector {
            match_expressions: Some(vec![are_not_ours]),
            ..LabelSelector::default()
        }),
        ..all_pods()
    }
}

/// What is reached at a URL that the settings name. Behind a name of the cluster's own is a Service, and behind that
/// are pods, which listen at any port; any other name may stand for every address.
pub(super) fn build_endpoint(url: &Url, cluster_domain: &str) -> Vec<NetworkPolicyEgressRule> {
    let ports = url.port_or_known_default().map(|port| vec![tcp(port)]);
    let rule = |to| NetworkPolicyEgressRule { to: Some(to), ports: ports.clone() };
    match url.host() {
        Some(Host::Ipv4(address)) => vec![rule(vec![alone(address.into())])],
        Some(Host::Ipv6(address)) => vec![rule(vec![alone(address.into())])],
        Some(Host::Domain(name)) if place(name) == Place::Inside || name.ends_with(cluster_domain) => {
            let pods =
                NetworkPolicyEgressRule { to: Some(vec![others_pods()]), ports: Some(vec![every_port()]) };
            vec![rule(anywhere()), pods]
        }
        Some(Host::Domain(_)) | None => vec![rule(anywhere())],
    }
}

fn alone(address: IpAddr) -> NetworkPolicyPeer {
    peer(Networks { network: address.into(), except: Vec::new() })
}

fn anywhere() -> Vec<NetworkPolicyPeer> {
    let all = [IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
    all.map(without_innermost).map(peer).into()
}

fn labelled(labels: BTreeMap<String, String>) -> LabelSelector {
    LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
}
