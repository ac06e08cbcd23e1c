//! Surplus pods go where a zone has come back: by eviction, one at a time, while nothing else is under way.
//!
//! The scheduler spreads pods when it places them, and never afterwards. The disruption budget is asked by the
//! eviction; the pod that comes instead is placed by the topology constraint.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crds::AssetPipeline;
use jiff::Timestamp;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{Api, Resource, ResourceExt, api::EvictParams, runtime::events::EventType};
use pipeline::chain;

use super::{
    apply::{Applied, namespaced},
    conditions::{MAX_SKEW, is_complete},
};
use crate::{
    context::Context,
    events::{build_event, publish},
    names::Tier,
    placement::{PlacedPod, Zone, skew},
};

/// For which a zone must have taken pods: nodes that come and go move nobody.
const STEADY: Duration = Duration::from_secs(20);
/// Between two evictions: the pod that comes instead is ready within seconds, and told of by then.
const PAUSE: Duration = Duration::from_secs(10);
/// After an eviction that helped nothing, such as where the zone has no room.
const RESIGNED: Duration = Duration::from_mins(10);
/// The reason of the event.
const REBALANCED: &str = "Rebalanced";

/// The last eviction of each tier, by the pipeline's UID. Memory only: after a restart one may be tried too early.
#[derive(Debug, Default)]
pub struct Moves(Mutex<HashMap<(String, Tier), Moved>>);

/// An eviction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moved {
    at: Timestamp,
    /// Before it.
    skew: usize,
}

impl Moves {
    pub fn forget(&self, object: &AssetPipeline) {
        let uid = object.uid().unwrap_or_default();
        self.lock().retain(|(known, _), _| *known != uid);
    }

    /// Every entry is whole after every call, so a panic elsewhere leaves nothing half written.
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, Tier), Moved>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be done for one tier.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    /// It is not time yet.
    Wait(Duration),
    Evict {
        pod: PlacedPod,
        skew: usize,
        /// From which zone to which.
        why: String,
    },
}

/// Evicts a pod where that evens the zones out. Gives the time after which to look again, where there is something
/// to wait for.
pub(super) async fn rebalance(
    context: &Context,
    object: &AssetPipeline,
    applied: &Applied,
) -> Option<Duration> {
    let (workloads, zones) = (&applied.workloads, &applied.zones);
    let tiers = [(Tier::Web, &workloads.web, &zones.web), (Tier::Worker, &workloads.worker, &zones.worker)];
    let mut again: Option<Duration> = None;
    for (tier, deployment, zones) in tiers {
        let Some((deployment, zones)) = deployment.as_ref().zip(zones.as_ref()) else { continue };
        let key = (object.uid()?, tier);
        let last = context.moves.lock().get(&key).copied();
        let now = (context.clock)();
        let wait = match plan_step(deployment, zones, last, now) {
            Step::Nothing => continue,
            Step::Wait(wait) => wait,
            Step::Evict { pod, skew, why } => {
                context.moves.lock().insert(key, Moved { at: now, skew });
                evict(context, object, &pod.name, &why).await;
                PAUSE
            }
        };
        again = Some(again.map_or(wait, |again| again.min(wait)));
    }
    again
}

/// What the disruption budget does not allow now is tried again later, as is what fails.
async fn evict(context: &Context, object: &AssetPipeline, pod: &str, why: &str) {
    let pods: Api<Pod> = namespaced(context, object);
    if let Err(error) = pods.evict(pod, &EvictParams::default()).await {
        tracing::warn!(pod, error = chain(&error), "a surplus pod could not be evicted");
        return;
    }
    tracing::info!(pod, why, "evicted a surplus pod");
    let note = format!("evicted pod {pod}: {why}");
    let event = build_event(EventType::Normal, REBALANCED, REBALANCED.to_owned(), note);
    publish(context, &object.object_ref(&()), vec![event]).await;
}

fn plan_step(deployment: &Deployment, zones: &[Zone], last: Option<Moved>, now: Timestamp) -> Step {
    let skew = skew(zones);
    let open = || zones.iter().filter(|zone| zone.takes_pods);
    let ends = open().max_by_key(|zone| zone.pods.len()).zip(open().min_by_key(|zone| zone.pods.len()));
    let Some((fullest, emptiest)) = ends.filter(|_| skew > MAX_SKEW && is_complete(deployment)) else {
        return Step::Nothing;
    };
    let steady_for = emptiest.since.map_or(STEADY, |since| passed(since, now));
    let last = last.map(|last| (last.skew, passed(last.at, now)));
    let wait = match last {
        _ if steady_for < STEADY => STEADY.saturating_sub(steady_for),
        Some((before, ago)) if skew >= before => RESIGNED.saturating_sub(ago),
        Some((_, ago)) => PAUSE.saturating_sub(ago),
        None => Duration::ZERO,
    };
    if !wait.is_zero() {
        return Step::Wait(wait);
    }
    // The youngest has been waited for the shortest.
    let Some(pod) = fullest.pods.iter().filter(|pod| pod.is_ready).max_by_key(|pod| pod.created) else {
        return Step::Nothing;
    };
    let count = |zone: &Zone| format!("zone {} with {}", zone.name, zone.pods.len());
    let why = format!("{} pods is to give one to {}", count(fullest), count(emptiest));
    Step::Evict { pod: pod.clone(), skew, why }
}

/// Clocks that were set back let it wait anew.
fn passed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 10_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn deployment(wanted: usize, ready: usize) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"generation": 2},
            "spec": {"replicas": wanted, "selector": {}, "template": {}},
            "status": {
                "observedGeneration": 2, "replicas": wanted, "readyReplicas": ready, "updatedReplicas": wanted,
            },
        }))
        .unwrap()
    }

    fn zone(name: &str, count: i64) -> Zone {
        let pod = |number: i64| PlacedPod {
            name: format!("{name}-{number}"),
            tier: Tier::Web,
            node: Some(name.to_owned()),
            is_ready: true,
            is_going: false,
            created: Some(at(number)),
        };
        let pods = (1..=count).map(pod).collect();
        Zone { name: name.to_owned(), takes_pods: true, since: Some(at(NOW - 60)), pods }
    }

    fn evicted(step: Step) -> Option<String> {
        match step {
            Step::Evict { pod, .. } => Some(pod.name),
            Step::Nothing | Step::Wait(_) => None,
        }
    }

    #[test]
    fn youngest_pod_of_the_fullest_zone_goes() {
        let zones = [zone("a", 1), zone("b", 2), zone("c", 0)];
        let step = plan_step(&deployment(3, 3), &zones, None, at(NOW));
        assert_eq!(evicted(step), Some("b-2".into()));
    }

    #[test]
    fn nobody_goes_where_nothing_is_gained_or_something_is_under_way() {
        let uneven = [zone("a", 3), zone("b", 0)];
        for (deployment, zones) in [
            (deployment(3, 2), &uneven[..]),
            (deployment(3, 3), &[zone("a", 2), zone("b", 1)]),
            (deployment(3, 3), &[zone("a", 3)]),
            (deployment(3, 3), &[zone("a", 3), Zone { takes_pods: false, ..zone("b", 0) }]),
            (deployment(3, 3), &[]),
        ] {
            assert_eq!(plan_step(&deployment, zones, None, at(NOW)), Step::Nothing, "{zones:?}");
        }
    }

    #[test]
    fn zone_that_has_just_come_back_is_waited_for() {
        let back = Zone { since: Some(at(NOW - 5)), ..zone("b", 0) };
        let step = plan_step(&deployment(3, 3), &[zone("a", 3), back], None, at(NOW));
        assert_eq!(step, Step::Wait(Duration::from_secs(15)));
    }

    #[test]
    fn next_one_goes_a_while_after_one_that_helped_and_long_after_one_that_did_not() {
        let zones = [zone("a", 4), zone("b", 1)];
        for (last, expected) in [
            (Moved { at: at(NOW - 4), skew: 5 }, Step::Wait(Duration::from_secs(6))),
            (Moved { at: at(NOW - 60), skew: 3 }, Step::Wait(Duration::from_mins(9))),
        ] {
            assert_eq!(plan_step(&deployment(5, 5), &zones, Some(last), at(NOW)), expected);
        }
        for last in [Moved { at: at(NOW - 11), skew: 5 }, Moved { at: at(NOW - 601), skew: 3 }] {
            assert!(evicted(plan_step(&deployment(5, 5), &zones, Some(last), at(NOW))).is_some());
        }
    }
}
