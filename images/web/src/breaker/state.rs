//! One origin's breaker: pure, and given the time.

use std::time::Duration;

use pipeline::manifest::OriginFailure;
use tokio::time::Instant;

use super::Refusal;

/// Jobs in a row that must fail, within [`WINDOW`], before an origin is left alone.
const FAILURES: u32 = 5;
const WINDOW: Duration = Duration::from_mins(1);
/// Until the first probe; doubled after each one that fails.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// A probe that has not ended after this time will not: the next one is let through.
const PROBE_PATIENCE: Duration = Duration::from_mins(1);
/// What a visitor is told while a probe is under way.
const PROBE_RETRY: Duration = Duration::from_secs(1);

/// What changed, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Opened { failures: u32 },
    StayedOpen { pause: Duration },
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Breaker(State);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many jobs in a row have failed since then.
    Closed { failures: u32, since: Instant },
    /// No job before `until`; the next pause is twice as long as this one.
    Open { cause: OriginFailure, pause: Duration, until: Instant },
    /// One job is under way that decides.
    Probing { cause: OriginFailure, pause: Duration, until: Instant },
}

impl Breaker {
    pub(super) fn new(now: Instant) -> Self {
        Self(State::Closed { failures: 0, since: now })
    }

    pub(super) fn is_open(&self) -> bool {
        match self.0 {
            State::Closed { .. } => false,
            State::Open { .. } | State::Probing { .. } => true,
        }
    }

    /// Whether it says nothing about the present any more.
    pub(super) fn is_forgotten(&self, now: Instant) -> bool {
        match self.0 {
            State::Closed { since, .. } => now.duration_since(since) >= WINDOW,
            State::Open { until, .. } | State::Probing { until, .. } => {
                now.duration_since(until) >= LONGEST_PAUSE
            }
        }
    }

    pub(super) fn refusal(&self, now: Instant) -> Option<Refusal> {
        match self.0 {
            State::Open { cause, until, .. } if now < until => {
                Some(Refusal { cause, retry_after: until.duration_since(now) })
            }
            State::Probing { cause, until, .. } if now < until => {
                Some(Refusal { cause, retry_after: PROBE_RETRY })
            }
            State::Closed { .. } | State::Open { .. } | State::Probing { .. } => None,
        }
    }

    /// Lets a job through, or not. The one that ends a pause is the probe.
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), Refusal> {
        if let Some(refusal) = self.refusal(now) {
            return Err(refusal);
        }
        match self.0 {
            State::Closed { .. } => {}
            State::Open { cause, pause, .. } | State::Probing { cause, pause, .. } => {
                self.0 = State::Probing { cause, pause, until: now + PROBE_PATIENCE };
            }
        }
        Ok(())
    }

    pub(super) fn fail(&mut self, cause: OriginFailure, now: Instant) -> Change {
        match self.0 {
            State::Closed { failures, since } => {
                let is_same_run = failures > 0 && now.duration_since(since) < WINDOW;
                let (failures, since) = if is_same_run { (failures + 1, since) } else { (1, now) };
                if failures < FAILURES {
                    self.0 = State::Closed { failures, since };
                    return Change::None;
                }
                self.0 = State::Open { cause, pause: FIRST_PAUSE, until: now + FIRST_PAUSE };
                Change::Opened { failures }
            }
            // A job that was sent before: no news.
            State::Open { pause, until, .. } => {
                self.0 = State::Open { cause, pause, until };
                Change::None
            }
            State::Probing { pause, .. } => {
                let pause = (pause * 2).min(LONGEST_PAUSE);
                self.0 = State::Open { cause, pause, until: now + pause };
                Change::StayedOpen { pause }
            }
        }
    }

    /// The origin has answered; nothing is left to remember.
    pub(super) fn heal(self) -> Change {
        if self.is_open() { Change::Closed } else { Change::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSE: OriginFailure = OriginFailure::TimedOut;

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(now);
        for _ in 1..FAILURES {
            assert_eq!(breaker.fail(CAUSE, now), Change::None);
            assert_eq!(breaker.admit(now), Ok(()));
        }
        assert_eq!(breaker.fail(CAUSE, now), Change::Opened { failures: FAILURES });
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_failures_now_and_then_do_not() {
        let start = Instant::now();
        opened(start);
        let mut breaker = Breaker::new(start);
        for number in 0..100 {
            let now = start + number * (WINDOW / (FAILURES - 1));
            assert_eq!(breaker.fail(CAUSE, now), Change::None, "{number}");
            assert_eq!(breaker.refusal(now), None);
        }
    }

    #[test]
    fn pauses_grow_up_to_a_bound_and_each_ends_with_one_probe() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        for expected in [5, 10, 20, 40, 80, 160, 300, 300] {
            let pause = Duration::from_secs(expected);
            assert_eq!(breaker.admit(now), Err(Refusal { cause: CAUSE, retry_after: pause }));
            now += pause;
            assert_eq!(breaker.refusal(now), None);
            assert_eq!(breaker.admit(now), Ok(()), "no probe after {pause:?}");
            assert_eq!(breaker.admit(now), Err(Refusal { cause: CAUSE, retry_after: PROBE_RETRY }));
            let next = (pause * 2).min(LONGEST_PAUSE);
            assert_eq!(breaker.fail(CAUSE, now), Change::StayedOpen { pause: next });
        }
        assert_eq!(breaker.heal(), Change::Closed);
        assert_eq!(Breaker::new(now).heal(), Change::None);
    }

    #[test]
    fn late_failures_of_earlier_jobs_make_no_pause_longer() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let late = now + Duration::from_secs(4);
        assert_eq!(breaker.fail(OriginFailure::Failed, late), Change::None);
        let retry_after = Duration::from_secs(1);
        assert_eq!(breaker.refusal(late), Some(Refusal { cause: OriginFailure::Failed, retry_after }));
    }

    #[test]
    fn probe_that_is_lost_is_followed_by_another() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let probe = now + FIRST_PAUSE;
        assert_eq!(breaker.admit(probe), Ok(()));
        assert!(breaker.admit(probe + PROBE_PATIENCE - Duration::from_millis(1)).is_err());
        assert_eq!(breaker.admit(probe + PROBE_PATIENCE), Ok(()));
        assert!(breaker.admit(probe + PROBE_PATIENCE).is_err());
    }
}
