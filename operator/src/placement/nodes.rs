//! The nodes of the cluster, as far as pods' places follow from them.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, PodSpec, Taint, Toleration};
use kube::{ResourceExt, runtime::watcher::Event};

use super::{
    Demand, PlacedPod, ZONE_LABEL,
    zones::{Zone, count},
};

type Sites = BTreeMap<String, Site>;

/// Kept by the events of one watch.
#[derive(Debug, Default)]
pub(super) struct NodeBoard(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    sites: Sites,
    /// What a list has brought so far.
    listed: Option<Sites>,
    is_known: bool,
}

/// A node with a zone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Site {
    pub(super) zone: String,
    labels: BTreeMap<String, String>,
    taints: Vec<Taint>,
    is_ready: bool,
    /// Since when it has been as ready as it is.
    pub(super) since: Option<Timestamp>,
}

impl NodeBoard {
    pub(super) fn zones(&self, template: &PodSpec, pods: Vec<PlacedPod>) -> Option<Vec<Zone>> {
        let state = self.lock();
        state.is_known.then(|| count(&state.sites, &Demand::of(template), pods))
    }

    pub(super) fn is_known(&self) -> bool {
        self.lock().is_known
    }

    /// Whether another set of nodes takes pods now. Of the first list nothing is news.
    pub(super) fn note(&self, event: Event<Node>) -> bool {
        let mut state = self.lock();
        let before = open(&state.sites);
        match event {
            Event::Init => state.listed = Some(Sites::new()),
            Event::InitApply(node) => {
                let State { sites, listed, .. } = &mut *state;
                put(listed.as_mut().unwrap_or(sites), &node);
            }
            Event::InitDone => {
                state.sites = state.listed.take().unwrap_or_default();
                if !mem::replace(&mut state.is_known, true) {
                    return false;
                }
            }
            Event::Apply(node) => put(&mut state.sites, &node),
            Event::Delete(node) => {
                state.sites.remove(&node.name_any());
            }
        }
        open(&state.sites) != before
    }

    /// Every entry is whole after every call, so a panic elsewhere leaves nothing half written.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Site {
    /// Whether the scheduler would place such a pod here, were there room. As for a topology constraint with
    /// `nodeAffinityPolicy` and `nodeTaintsPolicy` `Honor`.
    pub(super) fn takes(&self, demand: &Demand<'_>) -> bool {
        let has = |(label, value): (&String, &String)| self.labels.get(label) == Some(value);
        let is_asked_for = demand.selector.is_none_or(|selector| selector.iter().all(has));
        let is_tolerated =
            |taint: &Taint| demand.tolerations.iter().any(|toleration| tolerates(toleration, taint));
        let keeps_away = |taint: &&Taint| taint.effect != "PreferNoSchedule" && !is_tolerated(taint);
        self.is_ready && is_asked_for && !self.taints.iter().any(|taint| keeps_away(&taint))
    }
}

/// By the rules of the API: an absent key or effect means every one.
fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let same_or_any =
        |asked: Option<&str>, given: &str| asked.is_none_or(|asked| asked.is_empty() || asked == given);
    let exists = toleration.operator.as_deref() == Some("Exists");
    let value = toleration.value.as_deref().unwrap_or_default();
    same_or_any(toleration.effect.as_deref(), &taint.effect)
        && same_or_any(toleration.key.as_deref(), &taint.key)
        && (exists || value == taint.value.as_deref().unwrap_or_default())
}

/// The nodes on which something may be scheduled, whatever it is: those of a taint count where they stand.
fn open(sites: &Sites) -> BTreeSet<(String, String)> {
    let ready = sites.iter().filter(|(_, site)| site.is_ready && site.taints.is_empty());
    ready.map(|(name, site)| (name.clone(), site.zone.clone())).collect()
}

/// A node without a zone has no part in a spread over zones.
fn put(sites: &mut Sites, node: &Node) {
    let name = node.name_any();
    let Some(zone) = node.labels().get(ZONE_LABEL) else {
        sites.remove(&name);
        return;
    };
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = conditions.into_iter().flatten().find(|condition| condition.type_ == "Ready");
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
    sites.insert(
        name,
        Site {
            zone: zone.clone(),
            labels: node.labels().clone(),
            // When a taint was put there says nothing of its meaning, and changes.
            taints: taints.into_iter().map(|taint| Taint { time_added: None, ..taint }).collect(),
            is_ready: ready.is_some_and(|ready| ready.status == "True"),
            since: ready.and_then(|ready| ready.last_transition_time.as_ref()).map(|time| time.0),
        },
    );
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(ready: &str, taints: &Value) -> Node {
        serde_json::from_value(json!({
            "metadata": {"name": "n", "labels": {ZONE_LABEL: "a", "disk": "fast"}},
            "spec": {"taints": taints},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }))
        .unwrap()
    }

    fn takes(node: &Node, template: Value) -> bool {
        let mut sites = Sites::new();
        put(&mut sites, node);
        let template: PodSpec = serde_json::from_value(template).unwrap();
        sites["n"].takes(&Demand::of(&template))
    }

    #[test]
    fn node_takes_what_selects_it_and_tolerates_its_taints() {
        let taint = |key: &str, effect: &str| json!([{"key": key, "value": "v", "effect": effect}]);
        let plain = || json!({"containers": []});
        let tolerating = |toleration: Value| json!({"containers": [], "tolerations": [toleration]});
        let selecting = |value: &str| json!({"containers": [], "nodeSelector": {"disk": value}});
        let cases = vec![
            (node("True", &json!([])), plain(), true),
            (node("False", &json!([])), plain(), false),
            (node("Unknown", &json!([])), plain(), false),
            (node("True", &json!([])), selecting("fast"), true),
            (node("True", &json!([])), selecting("slow"), false),
            (node("True", &taint("k", "NoSchedule")), plain(), false),
            (node("True", &taint("k", "PreferNoSchedule")), plain(), true),
            (node("True", &taint("k", "NoSchedule")), tolerating(json!({"operator": "Exists"})), true),
            (
                node("True", &taint("k", "NoSchedule")),
                tolerating(json!({"key": "k", "operator": "Exists"})),
                true,
            ),
            (node("True", &taint("k", "NoSchedule")), tolerating(json!({"key": "k", "value": "v"})), true),
            (node("True", &taint("k", "NoSchedule")), tolerating(json!({"key": "k", "value": "w"})), false),
            (
                node("True", &taint("k", "NoSchedule")),
                tolerating(json!({"key": "l", "operator": "Exists"})),
                false,
            ),
            (
                node("True", &taint("node.kubernetes.io/unreachable", "NoSchedule")),
                tolerating(json!({
                    "key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute",
                })),
                false,
            ),
        ];
        for (node, template, expected) in cases {
            assert_eq!(takes(&node, template.clone()), expected, "{node:?} {template}");
        }
    }

    #[test]
    fn only_another_set_of_open_nodes_is_news() {
        let board = NodeBoard::default();
        board.note(Event::Init);
        board.note(Event::InitApply(node("True", &json!([]))));
        assert!(!board.note(Event::InitDone));
        assert!(!board.note(Event::Apply(node("True", &json!([])))));
        assert!(board.note(Event::Apply(node("Unknown", &json!([])))));
        assert!(board.note(Event::Apply(node("True", &json!([])))));
        let cordoned = json!([{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]);
        assert!(board.note(Event::Apply(node("True", &cordoned))));
        assert!(!board.note(Event::Delete(node("True", &cordoned))));
        assert!(board.note(Event::Apply(node("True", &json!([])))));
        assert!(board.note(Event::Delete(node("True", &json!([])))));
    }
}
