//! Several watches of a kind as if they were one. Pure.
//!
//! Whoever hears of a list believes that it is the whole, so only one is told: once every watch has listed its
//! part, or has been refused it. What a later list of a part brings is told as changes, and so is what it lacks.

use std::{
    collections::{HashMap, HashSet},
    mem,
};

use kube::{Resource, ResourceExt, runtime::watcher::Event};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::watch::Told;

/// By name, within a part.
type Name = Box<str>;
/// What is told of an object that has gone unseen: its metadata, as far as anybody reads that of objects that go.
type Remnant = Box<str>;

/// What has been told of the parts.
#[derive(Debug)]
pub(super) struct Merge<K> {
    parts: Vec<Part>,
    progress: Progress,
    /// What went before the list was whole, by part and name.
    gone: HashMap<(usize, Name), K>,
}

#[derive(Debug, Default)]
struct Part {
    /// It has been listed, or refused.
    is_answered: bool,
    known: HashMap<Name, Remnant>,
    /// What a list has brought so far.
    listed: HashSet<Name>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Fresh,
    Listing,
    Listed,
}

impl<K> Merge<K>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    pub(super) fn of(parts: usize) -> Self {
        let parts = (0..parts).map(|_| Part::default()).collect();
        Self { parts, progress: Progress::Fresh, gone: HashMap::new() }
    }

    /// What is to be told of what the watch of a part tells. A single one is told as it is, and nothing is kept.
    pub(super) fn take(&mut self, number: usize, told: Told<K>) -> Vec<Told<K>> {
        if let [_] = *self.parts {
            return vec![told];
        }
        match told {
            Told::Event(event) => self.merge(number, event).into_iter().map(Told::Event).collect(),
            Told::Refused(part) => {
                let mut events = self.begin();
                self.answer(number, &mut events);
                // Whoever takes the list for the whole must know already what it does not have.
                [Told::Refused(part)].into_iter().chain(events.into_iter().map(Told::Event)).collect()
            }
            Told::Allowed(part) => vec![Told::Allowed(part)],
        }
    }

    fn begin(&mut self) -> Vec<Event<K>> {
        if self.progress != Progress::Fresh {
            return Vec::new();
        }
        self.progress = Progress::Listing;
        vec![Event::Init]
    }

    fn merge(&mut self, number: usize, event: Event<K>) -> Vec<Event<K>> {
        let mut events = self.begin();
        let Some(part) = self.parts.get_mut(number) else { return events };
        match event {
            Event::Init => part.listed.clear(),
            Event::InitApply(object) => {
                part.listed.insert(object.name_any().into());
                self.apply(number, object, &mut events);
            }
            Event::Apply(object) => self.apply(number, object, &mut events),
            Event::Delete(object) => {
                part.known.remove(&*object.name_any());
                self.delete(number, object, &mut events);
            }
            Event::InitDone => {
                for object in part.end_list() {
                    self.delete(number, object, &mut events);
                }
                self.answer(number, &mut events);
            }
        }
        events
    }

    fn apply(&mut self, number: usize, object: K, events: &mut Vec<Event<K>>) {
        let name = Name::from(object.name_any());
        self.gone.remove(&(number, name.clone()));
        if let Some(part) = self.parts.get_mut(number) {
            part.known.insert(name, remnant_of(&object));
        }
        let is_listed = self.progress == Progress::Listed;
        events.push(if is_listed { Event::Apply(object) } else { Event::InitApply(object) });
    }

    /// A list that is not whole yet cannot be told to lack something.
    fn delete(&mut self, number: usize, object: K, events: &mut Vec<Event<K>>) {
        if self.progress == Progress::Listed {
            events.push(Event::Delete(object));
        } else {
            self.gone.insert((number, object.name_any().into()), object);
        }
    }

    fn answer(&mut self, number: usize, events: &mut Vec<Event<K>>) {
        if let Some(part) = self.parts.get_mut(number) {
            part.is_answered = true;
        }
        if self.progress != Progress::Listed && self.parts.iter().all(|part| part.is_answered) {
            self.progress = Progress::Listed;
            events.push(Event::InitDone);
            events.extend(mem::take(&mut self.gone).into_values().map(Event::Delete));
        }
    }
}

impl Part {
    /// What the list lacks.
    fn end_list<K>(&mut self) -> Vec<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let listed = mem::take(&mut self.listed);
        let lacking = self.known.extract_if(|name, _| !listed.contains(name));
        lacking.filter_map(|(name, remnant)| revive(&name, &remnant)).collect()
    }
}

/// Who an object is, what it is marked with, and whose it is.
fn remnant_of<K: Resource<DynamicType = ()>>(object: &K) -> Remnant {
    let metadata = object.meta();
    let remnant = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
            "labels": metadata.labels,
            "ownerReferences": metadata.owner_references,
        },
    });
    remnant.to_string().into()
}

fn revive<K: Resource<DynamicType = ()> + DeserializeOwned>(name: &str, remnant: &str) -> Option<K> {
    let revived = serde_json::from_str(remnant);
    revived
        .inspect_err(|error| {
            tracing::error!(kind = %K::kind(&()), name, %error, "an object is gone, and nobody can be told of it");
        })
        .ok()
}

#[cfg(test)]
mod tests;
