//! Whether the pods take the jobs that wait.
//!
//! It takes a cluster most of a minute to miss a node that has gone silent. Until then its pods count as ready,
//! and their visitors wait for less.

use std::time::Duration;

use jiff::Timestamp;

use super::passed;
use crate::{Sample, Signal};

/// Workers past their start that take nothing, or answer nothing, for so long are believed lost: a worker takes a
/// job that waits within a fraction of a second, and a queue's numbers lag a little behind.
const TAKEN_WITHIN: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Takers {
    /// The number of pods, as long as it stays the same and all of them have been ready: they are past their
    /// start, whatever has become of them since.
    started: Option<u32>,
    /// Since when every sample has shown jobs that wait, none in work, and pods past their start.
    untaken_since: Option<Timestamp>,
    /// Since when how many ready pods have not answered.
    mute: Option<(Timestamp, u32)>,
}

impl Takers {
    pub(super) fn with(self, sample: &Sample, now: Timestamp) -> Self {
        let pods = sample.pods;
        let started = if pods.ready >= pods.replicas {
            Some(pods.replicas)
        } else {
            self.started.filter(|number| *number == pods.replicas)
        };
        let waits = sample.waiting_visits() > 0 || sample.queues().visible > 0;
        let is_untaken = waits && sample.running() == 0 && pods.replicas > 0 && started.is_some();
        Self {
            started,
            untaken_since: is_untaken.then(|| self.untaken_since.unwrap_or(now)),
            mute: self.mute_with(sample, now),
        }
    }

    fn mute_with(&self, sample: &Sample, now: Timestamp) -> Option<(Timestamp, u32)> {
        let Signal::Told(workers) = sample.workers else { return None };
        let count = sample.pods.ready.min(sample.pods.replicas).saturating_sub(workers.answering);
        let since = match self.mute {
            // Of more than before the later ones have been mute for less.
            Some((since, before)) if count <= before => since,
            Some(_) | None => now,
        };
        (count > 0).then_some((since, count))
    }

    /// Whether jobs wait that no pod takes.
    pub(crate) fn are_missed(&self, now: Timestamp) -> bool {
        self.untaken_since.is_some_and(|since| has_lasted(since, now))
    }

    /// Pods that are ready in the cluster's eyes and did not answer when they were last asked.
    pub(crate) fn mute(&self) -> u32 {
        self.mute.map_or(0, |(_, count)| count)
    }

    /// Those that have not answered for long enough.
    pub(crate) fn lost(&self, now: Timestamp) -> u32 {
        self.mute.filter(|(since, _)| has_lasted(*since, now)).map_or(0, |(_, count)| count)
    }
}

fn has_lasted(since: Timestamp, now: Timestamp) -> bool {
    passed(since, now).is_some_and(|lasted| lasted >= TAKEN_WITHIN)
}
