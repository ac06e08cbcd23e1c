//! The chain of timeouts, all of which follow from how long a visitor is held.

use std::fmt;

use pipeline::job::RUN_LIMIT_SECONDS;

use super::{InvalidSpec, invalid};

/// Seconds that a pod still serves after it left the endpoints: traffic arrives for a while after that.
const PRE_STOP_SECONDS: u32 = 10;
/// Seconds of grace beyond the last hold.
const GRACE_MARGIN_SECONDS: u32 = 5;
/// Longest hold: CDNs give up on an origin after 30 s.
const MAX_HOLD_SECONDS: u32 = 29;
/// Seconds that a load balancer keeps an idle connection; longer than any hold.
const IDLE_TIMEOUT_SECONDS: u32 = 60;
/// Seconds that a worker gets to end or hand back its jobs.
const WORKER_GRACE_SECONDS: u32 = 45;

/// Every timeout of a pipeline, in seconds. Coherent by construction: visibility ≤ hold/3, and run
/// limit + visibility < hold, so that a killed worker's job still answers; preStop + hold < grace ≤ 120; hold < idle timeout; and a target
/// leaves the load balancer no sooner than its last visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub hold: u32,
    pub visibility: u32,
    pub pre_stop: u32,
    pub web_grace: u32,
    pub worker_grace: u32,
    pub idle_timeout: u32,
    pub deregistration_delay: u32,
}

/// The fields of the spec by which a chain may break.
const FIELDS: [&str; 1] = ["spec.web.holdSeconds"];

impl InvalidSpec {
    /// Whether it is the timeouts that do not fit each other.
    pub fn is_of_timeouts(&self) -> bool {
        matches!(self, Self::Field { field, .. } if FIELDS.contains(&field.as_str()))
    }
}

impl fmt::Display for Timeouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hold, visibility, pre_stop, web_grace, worker_grace, idle_timeout, deregistration_delay } =
            self;
        write!(
            f,
            "one attempt ({RUN_LIMIT_SECONDS} s) + visibility ({visibility} s) < hold ({hold} s) < idle timeout \
             ({idle_timeout} s); hold ≤ deregistration delay ({deregistration_delay} s); preStop ({pre_stop} s) + \
             hold < grace of web pods ({web_grace} s); grace of workers {worker_grace} s"
        )
    }
}

impl Timeouts {
    pub fn from_hold_seconds(hold: u32) -> Result<Self, InvalidSpec> {
        let visibility = hold / 3;
        if hold > MAX_HOLD_SECONDS || RUN_LIMIT_SECONDS + visibility >= hold {
            let why = "it must lie between 23 and 29: one attempt takes up to 15 s, a lost job comes back after \
                       a third of the hold, and CDNs wait for 30 s";
            return Err(invalid("spec.web.holdSeconds", &hold, why));
        }
        Ok(Self {
            hold,
            visibility,
            pre_stop: PRE_STOP_SECONDS,
            web_grace: PRE_STOP_SECONDS + hold + GRACE_MARGIN_SECONDS,
            worker_grace: WORKER_GRACE_SECONDS,
            idle_timeout: IDLE_TIMEOUT_SECONDS,
            deregistration_delay: hold + GRACE_MARGIN_SECONDS,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accepted_hold_keeps_the_chain() {
        for hold in 0..200 {
            let Ok(timeouts) = Timeouts::from_hold_seconds(hold) else {
                assert!(!(23..=29).contains(&hold));
                continue;
            };
            let Timeouts {
                hold,
                visibility,
                pre_stop,
                web_grace,
                worker_grace,
                idle_timeout,
                deregistration_delay,
            } = timeouts;
            assert!(visibility >= 3 && visibility <= hold / 3 && RUN_LIMIT_SECONDS + visibility < hold);
            assert!(pre_stop + hold < web_grace && web_grace <= 120 && worker_grace <= 120);
            assert!(hold < idle_timeout && hold <= deregistration_delay);
        }
    }
}
