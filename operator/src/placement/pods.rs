//! The pods of all pipelines, a few words of each.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crds::AssetPipeline;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt,
    runtime::{reflector::ObjectRef, watcher::Event},
};

use crate::names::{COMPONENT_LABEL, PIPELINE_LABEL, Tier};

/// A pod as far as its place matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedPod {
    pub name: String,
    pub tier: Tier,
    /// Absent until it is scheduled.
    pub node: Option<String>,
    pub is_ready: bool,
    /// It was told to end, or has ended.
    pub is_going: bool,
    pub created: Option<Timestamp>,
}

/// By namespace and pipeline.
type Key = (String, String);
type Pods = HashMap<Key, BTreeMap<String, PlacedPod>>;

/// Kept by the events of one watch.
#[derive(Debug, Default)]
pub(super) struct PodBoard(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    pods: Pods,
    /// What a list has brought so far.
    listed: Option<Pods>,
    is_known: bool,
}

impl PodBoard {
    /// The tier's pods; `None` before the first list.
    pub(super) fn of(&self, namespace: &str, pipeline: &str, tier: Tier) -> Option<Vec<PlacedPod>> {
        let state = self.lock();
        if !state.is_known {
            return None;
        }
        let pods = state.pods.get(&(namespace.to_owned(), pipeline.to_owned()));
        Some(pods.into_iter().flat_map(BTreeMap::values).filter(|pod| pod.tier == tier).cloned().collect())
    }

    pub(super) fn is_known(&self) -> bool {
        self.lock().is_known
    }

    pub(super) fn pipelines(&self) -> Vec<ObjectRef<AssetPipeline>> {
        self.lock().pods.keys().map(refer).collect()
    }

    /// The pipelines for which something has changed. Of the first list nothing is news: everybody is looked at
    /// after a start.
    pub(super) fn note(&self, event: Event<Pod>) -> Vec<ObjectRef<AssetPipeline>> {
        let mut state = self.lock();
        match event {
            Event::Init => state.listed = Some(Pods::new()),
            Event::InitApply(pod) => {
                let State { pods, listed, .. } = &mut *state;
                put(listed.as_mut().unwrap_or(pods), &pod);
            }
            Event::InitDone => {
                let listed = state.listed.take().unwrap_or_default();
                let before = mem::replace(&mut state.pods, listed);
                if mem::replace(&mut state.is_known, true) {
                    let all = before.keys().chain(state.pods.keys());
                    let changed = all.filter(|key| before.get(key) != state.pods.get(key));
                    return changed.map(refer).collect();
                }
            }
            Event::Apply(pod) => return put(&mut state.pods, &pod).iter().map(refer).collect(),
            Event::Delete(pod) => return drop_pod(&mut state.pods, &pod).iter().map(refer).collect(),
        }
        Vec::new()
    }

    /// Every entry is whole after every call, so a panic elsewhere leaves nothing half written.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pipeline, where the pod is not as it was known.
fn put(pods: &mut Pods, pod: &Pod) -> Option<Key> {
    let (key, placed) = (key_of(pod)?, place(pod)?);
    let all = pods.entry(key.clone()).or_default();
    let is_new = all.get(&placed.name) != Some(&placed);
    all.insert(placed.name.clone(), placed);
    is_new.then_some(key)
}

fn drop_pod(pods: &mut Pods, pod: &Pod) -> Option<Key> {
    let key = key_of(pod)?;
    let all = pods.get_mut(&key)?;
    let was_there = all.remove(&pod.name_any()).is_some();
    if all.is_empty() {
        pods.remove(&key);
    }
    was_there.then_some(key)
}

fn key_of(pod: &Pod) -> Option<Key> {
    Some((pod.namespace()?, pod.labels().get(PIPELINE_LABEL)?.clone()))
}

fn place(pod: &Pod) -> Option<PlacedPod> {
    let tier = match pod.labels().get(COMPONENT_LABEL)?.as_str() {
        "web" => Tier::Web,
        "worker" => Tier::Worker,
        _ => return None,
    };
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    let phase = status.and_then(|status| status.phase.as_deref());
    Some(PlacedPod {
        name: pod.name_any(),
        tier,
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        is_ready: conditions.into_iter().any(|told| told.type_ == "Ready" && told.status == "True"),
        is_going: pod.metadata.deletion_timestamp.is_some() || matches!(phase, Some("Succeeded" | "Failed")),
        created: pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
    })
}

fn refer((namespace, name): &Key) -> ObjectRef<AssetPipeline> {
    ObjectRef::new(name).within(namespace)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, node: Option<&str>, is_ready: bool) -> Pod {
        let ready = if is_ready { "True" } else { "False" };
        serde_json::from_value(json!({
            "metadata": {
                "name": name, "namespace": "shop",
                "labels": {PIPELINE_LABEL: "site", COMPONENT_LABEL: "web"},
            },
            "spec": {"containers": [], "nodeName": node},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }))
        .unwrap()
    }

    fn names(board: &PodBoard) -> Option<Vec<String>> {
        Some(board.of("shop", "site", Tier::Web)?.into_iter().map(|pod| pod.name).collect())
    }

    #[test]
    fn nothing_is_known_before_the_first_list_and_nothing_of_it_is_news() {
        let board = PodBoard::default();
        assert_eq!(names(&board), None);
        for event in [Event::Init, Event::InitApply(pod("a", None, false)), Event::InitDone] {
            assert_eq!(board.note(event), []);
        }
        assert_eq!(names(&board), Some(vec!["a".into()]));
        assert_eq!(board.of("shop", "site", Tier::Worker), Some(vec![]));
    }

    #[test]
    fn only_what_matters_is_news() {
        let (board, site) = (PodBoard::default(), [ObjectRef::new("site").within("shop")]);
        board.note(Event::Init);
        board.note(Event::InitDone);
        assert_eq!(board.note(Event::Apply(pod("a", None, false))), site);
        assert_eq!(board.note(Event::Apply(pod("a", None, false))), []);
        assert_eq!(board.note(Event::Apply(pod("a", Some("n"), false))), site);
        assert_eq!(board.note(Event::Apply(pod("a", Some("n"), true))), site);
        let mut going = pod("a", Some("n"), true);
        going.metadata.deletion_timestamp = serde_json::from_value(json!("2026-11-27T00:00:00Z")).unwrap();
        assert_eq!(board.note(Event::Apply(going.clone())), site);
        assert_eq!(board.note(Event::Delete(going.clone())), site);
        assert_eq!(board.note(Event::Delete(going)), []);
        assert!(board.pipelines().is_empty());
    }

    #[test]
    fn list_after_a_broken_watch_tells_what_came_and_what_went() {
        let board = PodBoard::default();
        board.note(Event::Init);
        board.note(Event::InitApply(pod("a", None, false)));
        board.note(Event::InitDone);
        board.note(Event::Init);
        // Until the list is whole, what was known stands.
        assert_eq!(names(&board), Some(vec!["a".into()]));
        assert_eq!(board.note(Event::InitDone), [ObjectRef::new("site").within("shop")]);
        assert_eq!(names(&board), Some(vec![]));
    }
}
