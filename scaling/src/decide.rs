//! The decision.
//!
//! Up at once, from zero on one message. Down only where all was told that was asked for, and fewer pods have
//! done for long enough, so that no pod is taken from a job. Where jobs wait that no pod takes, or pods do not
//! answer, they are believed lost, however many the cluster still takes for ready.

mod basis;
mod reason;

use std::time::Duration;

use jiff::Timestamp;

pub use basis::Basis;
pub use reason::Reason;

use crate::{
    Limits, Sample, ScaleIn, Step, Window,
    need::{Need, Needs},
};

/// A new leader has seen nothing yet of what the pods are there for.
const SEEN_ENOUGH: Duration = Duration::from_secs(30);

/// How many workers there should be, why, and what that was made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    pub replicas: u32,
    pub reason: Reason,
    pub basis: Basis,
}

/// `window` has seen the sample.
pub fn decide(limits: &Limits, window: &Window, sample: &Sample, now: Timestamp) -> Decision {
    let needs = Needs::weigh(limits, window, sample, now);
    let bounds = Bounds::at(limits, now);
    let Need { replicas, reason } = Round { limits, window, sample, now, needs, bounds }.choose();
    let current = sample.pods.replicas;
    let basis = Basis::of(window, sample, &needs, bounds, now);
    match limits.pause.map(|pause| pause.hold(current, replicas)) {
        Some(held) if held != replicas => Decision { replicas: held, reason: Reason::Paused, basis },
        Some(_) | None => Decision { replicas, reason, basis },
    }
}

/// The fewest and the most pods at this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    floor: u32,
    ceiling: u32,
    floor_reason: Reason,
}

impl Bounds {
    fn at(limits: &Limits, now: Timestamp) -> Self {
        let scheduled = limits.schedules.iter().map(|schedule| schedule.floor(now)).max().unwrap_or(0);
        let is_scheduled = scheduled > limits.min_replicas;
        Self {
            floor: limits.min_replicas.max(scheduled).min(limits.max_replicas),
            ceiling: limits.max_replicas,
            floor_reason: if is_scheduled { Reason::Scheduled } else { Reason::BelowMinimum },
        }
    }
}

/// All that one choice looks at.
struct Round<'a> {
    limits: &'a Limits,
    window: &'a Window,
    sample: &'a Sample,
    now: Timestamp,
    needs: Needs,
    bounds: Bounds,
}

impl Round<'_> {
    fn choose(&self) -> Need {
        let Bounds { floor, ceiling, floor_reason } = self.bounds;
        let current = self.sample.pods.replicas;
        let to = |replicas, reason| Need { replicas, reason };
        if current > floor && self.has_been_empty() {
            self.step_in(to(floor, Reason::Idle))
        } else if current > ceiling {
            to(ceiling, Reason::AboveMaximum)
        } else if let Some(fallback) = self.fallback() {
            fallback
        } else if let Some(out) = self.out() {
            out
        } else if current < floor {
            to(floor, floor_reason)
        } else if self.window.takers().are_missed(self.now) && current < ceiling {
            to(current.saturating_add(1), Reason::Untaken)
        } else if let Some(fewer) = self.fewer() {
            self.step_in(to(fewer, Reason::Surplus))
        } else {
            to(current, self.rest())
        }
    }

    /// Why nothing changes.
    fn rest(&self) -> Reason {
        if self.sample.has_gaps() {
            Reason::SignalsMissing
        } else if self.sample.jobs() > 0 {
            Reason::Enough
        } else if self.sample.pods.replicas == self.bounds.floor {
            Reason::AtRest
        } else {
            Reason::Waiting
        }
    }

    /// More pods, since nobody has told for long enough what visitors wait for.
    fn fallback(&self) -> Option<Need> {
        let least = self.limits.fallback.floor(self.window.blind_for(self.now));
        let replicas = least.max(self.bounds.floor).min(self.bounds.ceiling);
        let is_more = self.sample.is_blind() && least > 0 && replicas > self.sample.pods.replicas;
        is_more.then_some(Need { replicas, reason: Reason::Fallback })
    }

    fn has_been_empty(&self) -> bool {
        match self.limits.scale_in {
            ScaleIn::WhenEmptyFor(delay) => {
                self.sample.jobs() == 0
                    && self.window.empty_for(self.now).is_some_and(|lasted| lasted >= delay)
            }
            ScaleIn::WhenFewerDoFor(_) | ScaleIn::WhenFewerDoForAStart => false,
        }
    }

    /// More pods, where they are needed and one step allows it.
    fn out(&self) -> Option<Need> {
        let Bounds { floor, ceiling, .. } = self.bounds;
        let current = self.sample.pods.replicas;
        let Need { replicas, reason } = self.needs.out;
        let replicas = replicas.max(floor).min(ceiling);
        if replicas <= current || self.needs.out.replicas <= current || self.is_tolerated(replicas) {
            return None;
        }
        let allowed = step(self.limits.step_out, self.window.grown_for(self.now));
        // The first pod waits for nothing.
        let most = current.saturating_add(allowed).max(1);
        let replicas = replicas.min(most).max(floor);
        (replicas > current).then_some(Need { replicas, reason })
    }

    /// How many pods do, where that is fewer than there are. Where jobs wait and none runs it is not known which
    /// pods work.
    fn fewer(&self) -> Option<u32> {
        let patience = self.window.patience(self.limits)?.max(SEEN_ENOUGH);
        let fewer = self.needs.keep.max(self.bounds.floor);
        let is_fewer = fewer < self.sample.pods.replicas;
        let is_untaken = self.sample.running() == 0 && self.sample.pending() > 0;
        let is_known = self.window.seen_for(self.now) >= patience && !self.sample.has_gaps() && !is_untaken;
        (is_fewer && is_known && !self.is_tolerated(fewer)).then_some(fewer)
    }

    fn step_in(&self, Need { replicas, reason }: Need) -> Need {
        let allowed = step(self.limits.step_in, self.window.shrunk_for(self.now));
        let fewest = self.sample.pods.replicas.saturating_sub(allowed).min(self.bounds.ceiling);
        Need { replicas: replicas.max(fewest), reason }
    }

    /// A difference that is not worth a change. From zero and to zero it always is.
    fn is_tolerated(&self, replicas: u32) -> bool {
        let current = self.sample.pods.replicas;
        let difference = u64::from(current.abs_diff(replicas)) * 100;
        replicas > 0 && difference < u64::from(current) * u64::from(self.limits.tolerance_percent)
    }
}

/// How many pods may be added, or taken, now.
fn step(step: Option<Step>, last: Option<Duration>) -> u32 {
    match step {
        Some(Step { every, .. }) if last.is_some_and(|last| last < every) => 0,
        Some(Step { replicas, .. }) => replicas.get(),
        None => u32::MAX,
    }
}

#[cfg(test)]
mod tests;
