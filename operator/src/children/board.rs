//! The objects of one kind.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crds::AssetPipeline;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Resource, ResourceExt,
    runtime::{reflector::ObjectRef, watcher::Event},
};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::Instant;

use super::Child;
use crate::scope::{Part, Told};

/// A watch that is later than this is believed again, whatever we have written: it has been listed anew, and what
/// we wrote has gone meanwhile.
const LATEST: Duration = Duration::from_mins(1);

/// Namespace and name, as `namespace/name`.
type Key = Box<str>;
type Objects = HashMap<Key, Kept>;

/// Kept by the events of one watch, and by what our own writes were answered with.
#[derive(Debug, Default)]
pub struct Board(Mutex<State>);

/// What is known of an object.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<K> {
    /// As it was last heard of.
    Known(Box<K>),
    /// There is none of ours, as far as we have heard.
    Absent,
    /// Nothing is known of any yet, or may be.
    Unlisted,
}

#[derive(Debug, Default)]
struct State {
    kept: Objects,
    /// What a list has brought so far.
    listed: Option<Objects>,
    /// Since when a list is under way: it has what was written before.
    listed_since: Option<Instant>,
    is_known: bool,
    /// Where nothing may be listed: what is known of it may be old, and what is not may be there.
    refused: HashSet<Part>,
    /// By namespace, each of which may be watched for itself: up to this version the watch has told everything.
    told: HashMap<Box<str>, u64>,
    /// Our own writes that the watch has not told of yet.
    written: HashMap<Key, Written>,
    /// Those that have not been answered yet, and the version of what was heard of the object since they began.
    writing: HashMap<Key, Option<u64>>,
}

/// An object in one version, as JSON.
#[derive(Debug)]
struct Kept {
    version: u64,
    body: Box<[u8]>,
}

#[derive(Debug)]
struct Written {
    at: Instant,
    /// Everything that the watch tells up to this version is older.
    version: u64,
    /// Absent where the object has gone.
    body: Option<Box<[u8]>>,
}

/// What is read of an object to see whose it is.
#[derive(Deserialize)]
struct Owned {
    metadata: ObjectMeta,
}

impl Board {
    pub(super) fn find<K: Child>(&self, namespace: &str, name: &str) -> Found<K> {
        let state = self.lock();
        if !state.is_known || state.refused.iter().any(|part| part.has(namespace)) {
            return Found::Unlisted;
        }
        let found = state.current(&build_key(namespace, name)).and_then(parse);
        found.map_or(Found::Absent, |object| Found::Known(Box::new(object)))
    }

    /// Some fields of an object.
    pub(super) fn read<T: DeserializeOwned>(&self, namespace: &str, name: &str) -> Option<T> {
        self.lock().current(&build_key(namespace, name)).and_then(parse)
    }

    /// Whether there is anything to wait for at a start.
    pub(super) fn is_answered(&self) -> bool {
        let state = self.lock();
        state.is_known || !state.refused.is_empty()
    }

    pub(super) fn begin(&self, key: &str) {
        self.lock().writing.insert(key.into(), None);
    }

    /// The version of what was heard meanwhile.
    pub(super) fn end(&self, key: &str) -> Option<u64> {
        self.lock().writing.remove(key).flatten()
    }

    /// Gives its version.
    pub(super) fn note_written<K: Child>(&self, written: &K) -> u64 {
        let key = key_of(written);
        let kept = keep(written.clone());
        let mut state = self.lock();
        state.written.retain(|_, written| written.at.elapsed() < LATEST);
        let Kept { version, body } = kept;
        // An answer that comes late may be of what the watch has told to be gone since.
        if state.told_of(&key) < version {
            state.written.insert(key, Written { at: Instant::now(), version, body: Some(body) });
        }
        version
    }

    pub(super) fn note_deleted(&self, namespace: &str, name: &str) {
        let key = build_key(namespace, name);
        let mut state = self.lock();
        let seen = state.kept.get(&key).map(|known| known.version);
        let told = state.written.get(&key).map(|written| written.version);
        match seen.max(told) {
            Some(version) => {
                state.written.insert(key, Written { at: Instant::now(), version, body: None });
            }
            None => drop(state.written.remove(&key)),
        }
    }

    /// What [`Board::note`] makes of an event. Where nothing may be listed is no pipeline's news.
    pub fn hear<K: Child>(&self, told: Told<K>) -> Vec<ObjectRef<AssetPipeline>> {
        match told {
            Told::Event(event) => return self.note(event),
            Told::Refused(part) => drop(self.lock().refused.insert(part)),
            Told::Allowed(part) => drop(self.lock().refused.remove(&part)),
        }
        Vec::new()
    }

    /// The pipelines whose children are not as they were known. What we wrote ourselves is no news, nor is anything
    /// in the first list: everybody is looked at after a start.
    pub fn note<K: Child>(&self, event: Event<K>) -> Vec<ObjectRef<AssetPipeline>> {
        let mut state = self.lock();
        match event {
            Event::Init => {
                state.listed = Some(Objects::new());
                state.listed_since = Some(Instant::now());
            }
            Event::InitApply(object) => {
                let State { kept, listed, .. } = &mut *state;
                listed.as_mut().unwrap_or(kept).insert(key_of(&object), keep(object));
            }
            Event::InitDone => {
                let listed = state.listed.take().unwrap_or_default();
                let was_known = mem::replace(&mut state.is_known, true);
                let changed = state.replace(listed);
                return if was_known { changed } else { Vec::new() };
            }
            Event::Apply(object) => {
                let (key, next) = (key_of(&object), keep(object));
                state.note_told(&key, next.version);
                return state.change(&key, Some(next));
            }
            // In the version that the deletion made.
            Event::Delete(object) => {
                let key = key_of(&object);
                state.note_told(&key, keep(object).version);
                return state.change(&key, None);
            }
        }
        Vec::new()
    }

    /// Every entry is whole after every call, so a panic elsewhere leaves nothing half written.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The newest that is known.
    fn current(&self, key: &str) -> Option<&[u8]> {
        let kept = self.kept.get(key);
        match self.written.get(key).filter(|written| written.at.elapsed() < LATEST) {
            Some(written) if kept.is_none_or(|kept| written.is_newer_than(kept)) => written.body.as_deref(),
            Some(_) | None => kept.map(|kept| &*kept.body),
        }
    }

    fn told_of(&self, key: &str) -> u64 {
        self.told.get(namespace_of(key)).copied().unwrap_or_default()
    }

    fn note_told(&mut self, key: &str, version: u64) {
        let told = self.told.entry(namespace_of(key).into()).or_default();
        *told = version.max(*told);
    }

    fn change(&mut self, key: &str, next: Option<Kept>) -> Vec<ObjectRef<AssetPipeline>> {
        let before = self.current(key).map(Box::from);
        let (told, since) = (self.told_of(key), self.listed_since);
        let is_told = |written: &Written| match &next {
            _ if since.is_some_and(|since| written.at < since) => true,
            Some(next) => !written.is_newer_than(next),
            // What we have written since is made anew by what the watch tells next.
            None => written.body.is_none() || written.version <= told,
        };
        if self.written.get(key).is_some_and(is_told) {
            self.written.remove(key);
        }
        match next {
            Some(next) => drop(self.kept.insert(key.into(), next)),
            None => drop(self.kept.remove(key)),
        }
        if before.as_deref() == self.current(key) {
            return Vec::new();
        }
        let version = self.kept.get(key).map_or(u64::MAX, |kept| kept.version);
        if let Some(heard) = self.writing.get_mut(key) {
            // Whether it is our write is seen when that is answered.
            *heard = Some(version.max(heard.unwrap_or_default()));
            return Vec::new();
        }
        owners(key, [before.as_deref(), self.current(key)])
    }

    fn replace(&mut self, listed: Objects) -> Vec<ObjectRef<AssetPipeline>> {
        for (key, next) in &listed {
            self.note_told(key, next.version);
        }
        let known: HashSet<&Key> = self.kept.keys().chain(self.written.keys()).collect();
        let gone: Vec<Key> = known.into_iter().filter(|key| !listed.contains_key(&**key)).cloned().collect();
        let mut changed: Vec<_> = gone.iter().flat_map(|key| self.change(key, None)).collect();
        for (key, next) in listed {
            changed.extend(self.change(&key, Some(next)));
        }
        self.listed_since = None;
        self.kept.shrink_to_fit();
        changed
    }
}

impl Written {
    fn is_newer_than(&self, kept: &Kept) -> bool {
        // Of what is gone the version is the last one that it had.
        if self.body.is_some() { self.version > kept.version } else { self.version >= kept.version }
    }
}

fn key_of(object: &impl ResourceExt) -> Key {
    build_key(&object.namespace().unwrap_or_default(), &object.name_any())
}

fn namespace_of(key: &str) -> &str {
    key.split_once('/').map_or("", |(namespace, _)| namespace)
}

pub(super) fn build_key(namespace: &str, name: &str) -> Key {
    format!("{namespace}/{name}").into()
}

/// Versions grow with time: they are revisions of the API server's store, and since Kubernetes 1.35 said to be
/// comparable (KEP-5504). One that is no number is older than any.
fn keep<K: Child>(mut object: K) -> Kept {
    let version = object.meta_mut().resource_version.take();
    let version = version.and_then(|version| version.parse().ok()).unwrap_or_default();
    object.prune();
    let body = serde_json::to_vec(&object)
        .expect("Kubernetes objects are made of maps with text keys, which always serialize");
    Kept { version, body: body.into() }
}

/// Everything that is kept was serialized here.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// Whose the object was, and whose it is.
fn owners(key: &str, bodies: [Option<&[u8]>; 2]) -> Vec<ObjectRef<AssetPipeline>> {
    let namespace = namespace_of(key);
    let mut found = Vec::new();
    for owned in bodies.into_iter().flatten().filter_map(parse::<Owned>) {
        let owner = owned
            .metadata
            .owner_references
            .into_iter()
            .flatten()
            .find(|owner| owner.controller == Some(true) && owner.kind == AssetPipeline::kind(&()));
        let owner = owner.map(|owner| ObjectRef::new(&owner.name).within(namespace));
        found.extend(owner.filter(|owner| !found.contains(owner)));
    }
    found
}

#[cfg(test)]
mod tests;
