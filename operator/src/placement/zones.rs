//! How a tier's pods lie over the zones. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Demand, PlacedPod, nodes::Site};

/// A zone as the pods of one tier see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zone {
    pub name: String,
    /// Whether a node here takes such pods, were there room.
    pub takes_pods: bool,
    /// Since when one has: the longest of its nodes.
    pub since: Option<Timestamp>,
    /// Those that were not told to end.
    pub pods: Vec<PlacedPod>,
}

impl Zone {
    pub fn ready(&self) -> usize {
        self.pods.iter().filter(|pod| pod.is_ready).count()
    }
}

/// The zones that take pods, and those that have some, in the order of their names.
pub(super) fn count(sites: &BTreeMap<String, Site>, demand: &Demand<'_>, pods: Vec<PlacedPod>) -> Vec<Zone> {
    let mut zones: BTreeMap<&str, Zone> = BTreeMap::new();
    for site in sites.values().filter(|site| site.takes(demand)) {
        let zone = zones.entry(&site.zone).or_default();
        zone.since = if zone.takes_pods { zone.since.min(site.since) } else { site.since };
        zone.takes_pods = true;
    }
    for pod in pods.into_iter().filter(|pod| !pod.is_going) {
        if let Some(site) = pod.node.as_ref().and_then(|node| sites.get(node)) {
            zones.entry(&site.zone).or_default().pods.push(pod);
        }
    }
    zones.into_iter().map(|(name, zone)| Zone { name: name.to_owned(), ..zone }).collect()
}

/// By how many pods the fullest zone that takes pods has more than the emptiest one.
pub fn skew(zones: &[Zone]) -> usize {
    let counts = || zones.iter().filter(|zone| zone.takes_pods).map(|zone| zone.pods.len());
    counts().max().unwrap_or_default() - counts().min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Node, PodSpec};
    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::*;
    use crate::{names::Tier, placement::nodes::NodeBoard};

    fn node(name: &str, zone: &str, ready: &str, since: &str) -> Node {
        serde_json::from_value(json!({
            "metadata": {"name": name, "labels": {super::super::ZONE_LABEL: zone}},
            "status": {"conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": since}]},
        }))
        .unwrap()
    }

    fn pod(name: &str, node: Option<&str>, is_going: bool) -> PlacedPod {
        PlacedPod {
            name: name.into(),
            tier: Tier::Web,
            node: node.map(str::to_owned),
            is_ready: true,
            is_going,
            created: None,
        }
    }

    #[test]
    fn zones_that_take_pods_or_have_some_are_counted() {
        let board = NodeBoard::default();
        board.note(Event::Init);
        for node in [
            node("a1", "a", "True", "2026-11-27T10:00:00Z"),
            node("a2", "a", "True", "2026-11-27T09:00:00Z"),
            node("b1", "b", "True", "2026-11-27T10:00:00Z"),
            node("c1", "c", "Unknown", "2026-11-27T10:00:00Z"),
            node("d1", "d", "False", "2026-11-27T10:00:00Z"),
        ] {
            board.note(Event::InitApply(node));
        }
        board.note(Event::InitDone);
        let pods = vec![
            pod("1", Some("a1"), false),
            pod("2", Some("a2"), false),
            pod("3", Some("c1"), false),
            pod("4", Some("b1"), true),
            pod("5", None, false),
        ];
        let zones = board.zones(&PodSpec::default(), pods).unwrap();
        let told: Vec<_> =
            zones.iter().map(|zone| (zone.name.as_str(), zone.takes_pods, zone.pods.len())).collect();
        assert_eq!(told, [("a", true, 2), ("b", true, 0), ("c", false, 1)]);
        assert_eq!(zones[0].since, Some("2026-11-27T09:00:00Z".parse().unwrap()));
        assert_eq!(skew(&zones), 2);
        assert_eq!(skew(&zones[..1]), 0);
        assert_eq!(skew(&[]), 0);
    }
}
