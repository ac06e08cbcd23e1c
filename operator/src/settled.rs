//! Memory of bindings that needed nothing, so that a reconcile for a changed pod costs no AWS call.
//!
//! It is only ever a shortcut: what is forgotten is looked at again, and a restart forgets everything.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crds::AssetPipeline;
use jiff::Timestamp;
use kube::ResourceExt;
use tokio::time::Instant;

use crate::{aws::ObservedBindings, tenants::ObservedRegistry};

/// What was seen of each pipeline's bindings, by the pipeline's UID.
#[derive(Debug, Default)]
pub struct Settled {
    seen: Mutex<HashMap<String, Seen>>,
    /// The pipelines that this process has looked at before.
    known: Mutex<HashSet<String>>,
    /// Rounds in a row that wrote something outside the cluster.
    work: Mutex<HashMap<String, u32>>,
    pending: Mutex<HashMap<String, Pending>>,
    /// Rounds in a row that failed in the cluster.
    failures: Mutex<HashMap<String, u32>>,
}

/// That SNS waits for a confirmation.
#[derive(Debug)]
struct Pending {
    generation: Option<i64>,
    /// Of this generation, as far as we have seen.
    since: Instant,
    looked: Timestamp,
}

#[derive(Debug)]
struct Seen {
    generation: Option<i64>,
    at: Instant,
    /// Part of the interval for which it is taken for unchanged.
    part: f64,
    bindings: ObservedBindings,
    registry: ObservedRegistry,
}

impl Settled {
    /// What was seen, where it was seen for this generation and within about that interval.
    pub fn recall(
        &self,
        object: &AssetPipeline,
        interval: Duration,
    ) -> Option<(ObservedBindings, ObservedRegistry)> {
        let all = lock(&self.seen);
        let seen = all.get(object.uid()?.as_str())?;
        let is_fresh = seen.generation == object.metadata.generation && !seen.left_of(interval).is_zero();
        is_fresh.then(|| (seen.bindings.clone(), seen.registry.clone()))
    }

    /// Until what was seen is looked at again; `None` where nothing is remembered.
    pub fn until_look(&self, object: &AssetPipeline, interval: Duration) -> Option<Duration> {
        Some(lock(&self.seen).get(object.uid()?.as_str())?.left_of(interval))
    }

    /// Remembers what was just seen. [`Settled::forget`] it as soon as anything is to be written.
    pub fn note(&self, object: &AssetPipeline, bindings: &ObservedBindings, registry: &ObservedRegistry) {
        let Some(uid) = object.uid() else { return };
        let generation = object.metadata.generation;
        let (bindings, registry) = (bindings.clone(), registry.clone());
        let is_first = lock(&self.known).insert(uid.clone());
        let part = build_part(is_first, rand::random());
        lock(&self.seen).insert(uid, Seen { generation, at: Instant::now(), part, bindings, registry });
    }

    pub fn forget(&self, object: &AssetPipeline) {
        if let Some(uid) = object.uid() {
            lock(&self.seen).remove(&uid);
        }
    }

    /// The pipeline is going.
    pub fn forget_all(&self, object: &AssetPipeline) {
        let Some(uid) = object.uid() else { return };
        lock(&self.seen).remove(&uid);
        lock(&self.known).remove(&uid);
        lock(&self.work).remove(&uid);
        lock(&self.pending).remove(&uid);
        lock(&self.failures).remove(&uid);
    }

    /// That SNS was seen to wait for this generation's confirmation, and is left to; for how long, as far as we
    /// have seen.
    pub fn note_pending(&self, object: &AssetPipeline, now: Timestamp) -> Duration {
        let Some(uid) = object.uid() else { return Duration::ZERO };
        let generation = object.metadata.generation;
        let mut pending = lock(&self.pending);
        let before = pending.get(&uid).filter(|before| before.generation == generation);
        let since = before.map_or_else(Instant::now, |before| before.since);
        pending.insert(uid, Pending { generation, since, looked: now });
        since.elapsed()
    }

    /// When that was last noted.
    pub fn pending_looked(&self, object: &AssetPipeline) -> Option<Timestamp> {
        Some(lock(&self.pending).get(object.uid()?.as_str())?.looked)
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

    /// Counts a round that failed in the cluster; how many there were in a row before it.
    pub fn count_failure(&self, object: &impl ResourceExt) -> u32 {
        let Some(uid) = object.uid() else { return 0 };
        let mut failures = lock(&self.failures);
        let rounds = failures.entry(uid).or_default();
        *rounds = rounds.saturating_add(1);
        *rounds - 1
    }

    /// A round came to its end.
    pub fn forget_failures(&self, object: &impl ResourceExt) {
        if let Some(uid) = object.uid() {
            lock(&self.failures).remove(&uid);
        }
    }

    /// Counts a round that wrote nothing.
    pub fn count_rest(&self, object: &AssetPipeline) -> u32 {
        if let Some(uid) = object.uid() {
            lock(&self.work).remove(&uid);
        }
        0
    }
}

impl Seen {
    fn left_of(&self, interval: Duration) -> Duration {
        interval.mul_f64(self.part).saturating_sub(self.at.elapsed())
    }
}

/// All pipelines are looked at when the operator starts, and are spread over an interval from then on. `chance` is
/// between 0 and 1.
fn build_part(is_first: bool, chance: f64) -> f64 {
    if is_first { 0.1 + 0.9 * chance } else { 0.9 + 0.2 * chance }
}

/// Every entry is whole after every call, so a panic elsewhere leaves nothing half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_look_of_a_process_spreads_pipelines_over_the_interval_and_later_ones_a_little() {
        let seconds =
            |is_first, chance| Duration::from_mins(5).mul_f64(build_part(is_first, chance)).as_secs();
        assert_eq!([0.0, 0.5, 1.0].map(|chance| seconds(true, chance)), [30, 165, 300]);
        assert_eq!([0.0, 0.5, 1.0].map(|chance| seconds(false, chance)), [270, 300, 330]);
    }
}
