//! What a decision needs to remember of earlier samples.
//!
//! Its size is fixed, whatever is scaled and for however long. The burst window has the last six seconds, in which a
//! crowd shows; the stable one the last two minutes, in which a single crowd does not, beside the last half minute.

mod arrivals;
mod learnt;
mod peaks;
mod slots;
mod takers;

use std::time::Duration;

use jiff::Timestamp;

pub(crate) use arrivals::Rate;
pub use learnt::Learnt;

use crate::{Limits, Sample, ScaleIn};
use arrivals::Arrivals;
use peaks::Peaks;
use takers::Takers;

/// What was seen up to now, of one pipeline: less than two kilobytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Window(Box<Past>);

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Past {
    /// When the first sample was seen.
    begun_at: Option<Timestamp>,
    previous: Option<(Timestamp, Sample)>,
    /// Since when every sample has been empty.
    empty_since: Option<Timestamp>,
    /// Since when nobody has told what visitors wait for.
    blind_since: Option<Timestamp>,
    /// When the number of pods that are asked for last grew, and when it last shrank.
    grown_at: Option<Timestamp>,
    shrunk_at: Option<Timestamp>,
    takers: Takers,
    learnt: Learnt,
    arrivals: Arrivals,
    /// Jobs that workers had or should have had, and those that they had.
    pending: Peaks,
    running: Peaks,
}

impl Window {
    /// The window after this sample was seen at `now`. Decide on the window that has seen the sample.
    #[must_use]
    pub fn with(mut self, sample: &Sample, now: Timestamp) -> Self {
        *self.0 = self.0.with(sample, now);
        self
    }

    /// As it was told, or assumed for what was not.
    pub fn learnt(&self) -> &Learnt {
        &self.0.learnt
    }

    /// Jobs of visits per second, over the last six seconds.
    pub(crate) fn burst_rate(&self) -> f64 {
        self.0.arrivals.burst_rate()
    }

    /// Jobs of visits per second in most parts of the last two minutes, or of the last half minute.
    pub(crate) fn stable_rate(&self) -> Rate {
        self.0.arrivals.stable_rate()
    }

    /// The most jobs that waited or ran at any time in the last `duration`.
    pub(crate) fn most_pending(&self, duration: Duration) -> f64 {
        self.0.pending.highest(duration)
    }

    /// The most jobs that ran at any time in the last `duration`.
    pub(crate) fn most_running(&self, duration: Duration) -> f64 {
        self.0.running.highest(duration)
    }

    /// How long samples have been seen.
    pub(crate) fn seen_for(&self, now: Timestamp) -> Duration {
        self.0.begun_at.and_then(|begun| passed(begun, now)).unwrap_or_default()
    }

    pub(crate) fn empty_for(&self, now: Timestamp) -> Option<Duration> {
        passed(self.0.empty_since?, now)
    }

    pub(crate) fn blind_for(&self, now: Timestamp) -> Duration {
        self.0.blind_since.and_then(|since| passed(since, now)).unwrap_or_default()
    }

    pub(crate) fn grown_for(&self, now: Timestamp) -> Option<Duration> {
        passed(self.0.grown_at?, now)
    }

    pub(crate) fn shrunk_for(&self, now: Timestamp) -> Option<Duration> {
        passed(self.0.shrunk_at?, now)
    }

    pub(crate) fn takers(&self) -> &Takers {
        &self.0.takers
    }

    /// How long fewer pods must have sufficed before some are let go; `None` where that is not the rule.
    pub(crate) fn patience(&self, limits: &Limits) -> Option<Duration> {
        match limits.scale_in {
            ScaleIn::WhenEmptyFor(_) => None,
            ScaleIn::WhenFewerDoFor(duration) => Some(duration),
            ScaleIn::WhenFewerDoForAStart => Some(self.0.learnt.start_up()),
        }
    }
}

impl Past {
    fn with(&self, sample: &Sample, now: Timestamp) -> Self {
        let before = self.previous.map_or(sample.pods.replicas, |(_, before)| before.pods.replicas);
        let at = |is_so: bool, last: Option<Timestamp>| if is_so { Some(now) } else { last };
        let since = |is_so: bool, since: Option<Timestamp>| is_so.then(|| since.unwrap_or(now));
        let learnt = self.learnt.with(self.previous.as_ref(), sample, now);
        let is_empty = sample.jobs() == 0 && !sample.has_gaps();
        let (pending, running) = (as_float(sample.pending()), as_float(sample.running()));
        Self {
            begun_at: self.begun_at.or(Some(now)),
            previous: Some((now, *sample)),
            empty_since: since(is_empty, self.empty_since),
            blind_since: since(sample.is_blind(), self.blind_since),
            grown_at: at(sample.pods.replicas > before, self.grown_at),
            shrunk_at: at(sample.pods.replicas < before, self.shrunk_at),
            takers: self.takers.with(sample, now),
            arrivals: self.arrivals.with(self.previous.as_ref(), sample, learnt.service_time(), now),
            learnt,
            pending: self.pending.raised(now, pending),
            running: self.running.raised(now, running),
        }
    }
}

/// `None` where the clock was set back, which is no time at all.
fn passed(since: Timestamp, now: Timestamp) -> Option<Duration> {
    Duration::try_from(now.duration_since(since)).ok()
}

/// Counts beyond 2^53 are none.
#[expect(clippy::cast_precision_loss, reason = "a queue of 2^53 messages is none")]
pub(crate) fn as_float(count: u64) -> f64 {
    count as f64
}
