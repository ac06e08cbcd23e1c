//! The decision.
//!
//! Up at once, from zero on one message. Down only after the queue has been empty for the whole delay,
//! jobs in work included, so that no pod is taken from a job. Where jobs wait that no pod takes, the pods
//! are believed lost, however many the cluster still takes for ready: it takes most of a minute to miss a
//! node that has gone silent, and their visitors wait for less.

use std::{fmt, num::NonZeroU32, time::Duration};

use jiff::Timestamp;

/// Workers past their start that take nothing for so long are believed lost: a worker takes a job that waits within a
/// fraction of a second, and a queue's numbers lag a little behind.
const TAKEN_WITHIN: Duration = Duration::from_secs(3);

/// The bounds that the spec sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub min_replicas: u32,
    pub max_replicas: u32,
    /// Jobs, waiting or in work, per worker pod.
    pub backlog_per_replica: NonZeroU32,
    /// How long the queue must have been empty before pods are let go.
    pub scale_down_delay: Duration,
}

/// What was seen at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    pub visible: u64,
    pub in_flight: u64,
    pub delayed: u64,
    /// What the Deployment asks for now.
    pub replicas: u32,
    /// Pods that the cluster takes for ready.
    pub ready: u32,
}

/// What a decision needs to remember of earlier samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// Since when every sample has been empty.
    empty_since: Option<Timestamp>,
    /// The number of pods, as long as it stays the same and all of them have been ready: they are past their
    /// start, whatever has become of them since.
    started: Option<u32>,
    /// Since when every sample has shown jobs that wait, none in work, and pods past their start.
    untaken_since: Option<Timestamp>,
}

/// How many workers there should be, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub replicas: u32,
    pub reason: Reason,
}

/// Why a decision is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// There are more jobs than the pods should have.
    Backlog,
    /// Jobs wait, and none of the pods takes any.
    Untaken,
    /// The spec asks for more pods than there are.
    BelowMinimum,
    /// The spec allows fewer pods than there are.
    AboveMaximum,
    /// The queue has been empty for the whole delay.
    Idle,
    /// There are jobs, and enough pods for them.
    Enough,
    /// The queue is empty, and the delay is not over.
    Waiting,
    /// The queue is empty, and there are as few pods as the spec allows.
    AtRest,
}

impl Sample {
    fn jobs(&self) -> u64 {
        self.visible.saturating_add(self.in_flight).saturating_add(self.delayed)
    }
}

impl Window {
    /// The window after this sample was seen at `now`. Decide on the window that has seen the sample.
    #[must_use]
    pub fn with(self, sample: &Sample, now: Timestamp) -> Self {
        let Sample { visible, in_flight, delayed: _, replicas, ready } = *sample;
        let started = if ready >= replicas {
            Some(replicas)
        } else {
            self.started.filter(|number| *number == replicas)
        };
        let is_untaken = visible > 0 && in_flight == 0 && replicas > 0 && started.is_some();
        let since = |is_so: bool, before: Option<Timestamp>| is_so.then(|| before.unwrap_or(now));
        Self {
            empty_since: since(sample.jobs() == 0, self.empty_since),
            started,
            untaken_since: since(is_untaken, self.untaken_since),
        }
    }
}

fn has_lasted(since: Option<Timestamp>, duration: Duration, now: Timestamp) -> bool {
    // A clock that was set back makes the difference negative, which is not long enough.
    since.is_some_and(|since| {
        Duration::try_from(now.duration_since(since)).is_ok_and(|lasted| lasted >= duration)
    })
}

pub fn decide(limits: &Limits, window: &Window, sample: &Sample, now: Timestamp) -> Decision {
    let Limits { min_replicas, max_replicas, backlog_per_replica, scale_down_delay } = *limits;
    let current = sample.replicas;
    let wanted = sample.jobs().div_ceil(u64::from(backlog_per_replica.get()));
    let wanted = u32::try_from(wanted).unwrap_or(u32::MAX).min(max_replicas);
    let decision = |replicas, reason| Decision { replicas, reason };
    let is_idle = sample.jobs() == 0 && has_lasted(window.empty_since, scale_down_delay, now);
    let is_untaken = has_lasted(window.untaken_since, TAKEN_WITHIN, now);
    if is_idle && current > min_replicas {
        decision(min_replicas, Reason::Idle)
    } else if current > max_replicas {
        decision(max_replicas, Reason::AboveMaximum)
    } else if wanted > current {
        decision(wanted.max(min_replicas), Reason::Backlog)
    } else if current < min_replicas {
        decision(min_replicas, Reason::BelowMinimum)
    } else if is_untaken && current < max_replicas {
        decision(current.saturating_add(1), Reason::Untaken)
    } else if sample.jobs() > 0 {
        decision(current, Reason::Enough)
    } else if current == min_replicas {
        decision(current, Reason::AtRest)
    } else {
        decision(current, Reason::Waiting)
    }
}

impl Reason {
    /// The reason as events and metrics name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backlog => "Backlog",
            Self::Untaken => "Untaken",
            Self::BelowMinimum => "BelowMinimum",
            Self::AboveMaximum => "AboveMaximum",
            Self::Idle => "Idle",
            Self::Enough => "Enough",
            Self::Waiting => "Waiting",
            Self::AtRest => "AtRest",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
