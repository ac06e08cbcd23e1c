//! Memory of bindings that needed nothing, so that a reconcile for a changed pod costs no AWS call.
//!
//! It is only ever a shortcut: what is forgotten is looked at again, and a restart forgets everything.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crds::AssetPipeline;
use kube::ResourceExt;

use crate::{aws::ObservedBindings, tenants::ObservedRegistry};

/// How long bindings are taken for unchanged. Shorter than the time between two rounds of a settled pipeline,
/// so that each of those finds drift.
const TRUST: Duration = Duration::from_mins(4);

/// What was seen of each pipeline's bindings, by the pipeline's UID.
#[derive(Debug, Default)]
pub struct Settled {
    seen: Mutex<HashMap<String, Seen>>,
    /// Rounds in a row that wrote something outside the cluster.
    work: Mutex<HashMap<String, u32>>,
    /// Since when, and for which generation, SNS has waited for a confirmation.
    pending: Mutex<HashMap<String, (Option<i64>, Instant)>>,
}

#[derive(Debug)]
struct Seen {
    generation: Option<i64>,
    at: Instant,
    bindings: ObservedBindings,
    registry: ObservedRegistry,
}

impl Settled {
    /// What was seen, where it was seen for this generation and not long ago.
    pub fn recall(&self, object: &AssetPipeline) -> Option<(ObservedBindings, ObservedRegistry)> {
        let all = lock(&self.seen);
        let seen = all.get(object.uid()?.as_str())?;
        let is_fresh = seen.generation == object.metadata.generation && seen.at.elapsed() < TRUST;
        is_fresh.then(|| (seen.bindings.clone(), seen.registry.clone()))
    }

    /// Remembers what was just seen. [`Settled::forget`] it as soon as anything is to be written.
    pub fn note(&self, object: &AssetPipeline, bindings: &ObservedBindings, registry: &ObservedRegistry) {
        let Some(uid) = object.uid() else { return };
        let generation = object.metadata.generation;
        let (bindings, registry) = (bindings.clone(), registry.clone());
        lock(&self.seen).insert(uid, Seen { generation, at: Instant::now(), bindings, registry });
    }

    pub fn forget(&self, object: &AssetPipeline) {
        if let Some(uid) = object.uid() {
            lock(&self.seen).remove(&uid);
        }
    }

    /// How long SNS has waited for this generation's confirmation, as far as we have seen.
    pub fn note_pending(&self, object: &AssetPipeline) -> Duration {
        let Some(uid) = object.uid() else { return Duration::ZERO };
        let fresh = (object.metadata.generation, Instant::now());
        let mut pending = lock(&self.pending);
        let since = pending.entry(uid).or_insert(fresh);
        if since.0 != object.metadata.generation {
            *since = fresh;
        }
        since.1.elapsed()
    }

    /// SNS waits for nothing any more.
    pub fn forget_pending(&self, object: &AssetPipeline) {
        if let Some(uid) = object.uid() {
            lock(&self.pending).remove(&uid);
        }
    }

    /// Counts a round that wrote something; how many there were in a row, this one included.
    pub fn count_work(&self, object: &AssetPipeline) -> u32 {
        let Some(uid) = object.uid() else { return 1 };
        let mut work = lock(&self.work);
        let rounds = work.entry(uid).or_default();
        *rounds = rounds.saturating_add(1);
        *rounds
    }

    /// Counts a round that wrote nothing.
    pub fn count_rest(&self, object: &AssetPipeline) -> u32 {
        if let Some(uid) = object.uid() {
            lock(&self.work).remove(&uid);
        }
        0
    }
}

/// Every entry is whole after every call, so a panic elsewhere leaves nothing half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
