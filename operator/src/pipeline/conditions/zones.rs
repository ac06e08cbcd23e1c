//! Whether the pods lie over the zones as evenly as they can. Pure.

use crds::condition_reason as reason;

use super::{Verdict, fails, holds};
use crate::placement::{TierZones, Zone, skew};

/// As the pods' topology constraint has it.
pub(in crate::pipeline) const MAX_SKEW: usize = 1;

/// What is told where nodes cannot be seen.
const NODES_UNSEEN: &str = "the operator does not watch the cluster's nodes, or has no right to (Helm value \
                            watchNodes): pods are spread over the zones as ever, but not counted there, and none is \
                            moved to a zone that comes back";

/// `None` while it is not known.
pub(in crate::pipeline) fn judge_zones(zones: &TierZones) -> Option<Verdict> {
    let TierZones { web, worker, are_unseen } = zones;
    if *are_unseen {
        return Some(fails(reason::NODES_UNSEEN, NODES_UNSEEN));
    }
    let web = web.as_deref()?;
    let worker = worker.as_deref().unwrap_or_default();
    let told = format!("web pods: {}", tell(web));
    let open: Vec<&str> = web.iter().filter(|zone| zone.takes_pods).map(|zone| zone.name.as_str()).collect();
    Some(if skew(web) > MAX_SKEW {
        fails(reason::UNEVEN, told)
    } else if skew(worker) > MAX_SKEW {
        fails(reason::UNEVEN, format!("worker pods: {}", tell(worker)))
    } else {
        match open.as_slice() {
            [] => fails(
                reason::NO_ZONES,
                "no node that takes web pods has the label topology.kubernetes.io/zone",
            ),
            [zone] => fails(reason::SINGLE_ZONE, format!("every node that takes web pods is in zone {zone}")),
            _ => holds(told),
        }
    })
}

/// Such as `zone-a 1, zone-b 1, zone-c 0`.
fn tell(zones: &[Zone]) -> String {
    let told = zones.iter().map(|zone| {
        let closed = if zone.takes_pods { "" } else { " (takes none)" };
        format!("{} {}{closed}", zone.name, zone.pods.len())
    });
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{names::Tier, placement::PlacedPod};

    fn zones(counts: &[(&str, bool, usize)]) -> Vec<Zone> {
        let pod = PlacedPod {
            name: "p".into(),
            tier: Tier::Web,
            node: None,
            is_ready: true,
            is_going: false,
            created: None,
        };
        let zone = |&(name, takes_pods, count): &(&str, bool, usize)| Zone {
            name: name.into(),
            takes_pods,
            since: None,
            pods: vec![pod.clone(); count],
        };
        counts.iter().map(zone).collect()
    }

    #[test]
    fn spread_is_told_by_zones() {
        let judge = |web: &[_], worker: &[_]| {
            let verdict = judge_zones(&TierZones {
                web: Some(zones(web)),
                worker: Some(zones(worker)),
                are_unseen: false,
            });
            verdict.map(|verdict| (verdict.holds, verdict.reason, verdict.message)).unwrap()
        };
        assert_eq!(judge_zones(&TierZones::default()), None);
        let even = [("a", true, 1), ("b", true, 1), ("c", true, 0)];
        assert_eq!(judge(&even, &[]), (true, "AsSpecified", "web pods: a 1, b 1, c 0".into()));
        let uneven = [("a", true, 2), ("b", true, 1), ("c", true, 0)];
        assert_eq!(judge(&uneven, &[]), (false, "Uneven", "web pods: a 2, b 1, c 0".into()));
        assert_eq!(judge(&even, &uneven), (false, "Uneven", "worker pods: a 2, b 1, c 0".into()));
        let lost = [("a", true, 2), ("b", true, 1), ("c", false, 1)];
        assert_eq!(judge(&lost, &[]), (true, "AsSpecified", "web pods: a 2, b 1, c 1 (takes none)".into()));
        assert_eq!(judge(&[("a", true, 3)], &[]).1, "SingleZone");
        assert_eq!(judge(&[], &[]).1, "NoZones");
        let unseen = judge_zones(&TierZones { are_unseen: true, ..TierZones::default() }).unwrap();
        assert_eq!((unseen.holds, unseen.reason), (false, "NodesUnseen"));
    }
}
