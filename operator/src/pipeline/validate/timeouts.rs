//! The chain of timeouts, all of which follow from how long a visitor is held, unless the spec's Ingress has its own.

use std::fmt;

use crds::{IDLE_TIMEOUT_MARGIN_SECONDS, IngressSpec};
use pipeline::job::RUN_LIMIT_SECONDS;

use super::{InvalidSpec, invalid, unsigned};

/// Seconds that a pod still serves after it left the endpoints: traffic arrives for a while after that.
const PRE_STOP_SECONDS: u32 = 10;
/// Seconds of grace beyond the last hold.
const GRACE_MARGIN_SECONDS: u32 = 5;
/// Longest hold: CDNs give up on an origin after 30 s.
const MAX_HOLD_SECONDS: u32 = 29;
/// Seconds that a load balancer keeps an idle connection unless the spec says otherwise; longer than any hold.
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
const FIELDS: [&str; 3] = ["spec.web.holdSeconds", IDLE_TIMEOUT, DEREGISTRATION_DELAY];
const IDLE_TIMEOUT: &str = "spec.ingress.idleTimeoutSeconds";
const DEREGISTRATION_DELAY: &str = "spec.ingress.deregistrationDelaySeconds";

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

    /// With what the spec says of the load balancer.
    pub fn behind(self, ingress: Option<&IngressSpec>) -> Result<Self, InvalidSpec> {
        let told = |field, seconds: Option<i32>| seconds.map(|seconds| unsigned(field, seconds)).transpose();
        let idle = told(IDLE_TIMEOUT, ingress.and_then(|ingress| ingress.idle_timeout_seconds))?;
        let delay =
            told(DEREGISTRATION_DELAY, ingress.and_then(|ingress| ingress.deregistration_delay_seconds))?;
        let hold = self.hold;
        if let Some(idle) = idle.filter(|idle| *idle < hold + IDLE_TIMEOUT_MARGIN_SECONDS) {
            let why = format!(
                "it must be at least {IDLE_TIMEOUT_MARGIN_SECONDS} more than spec.web.holdSeconds ({hold}), since the \
                 load balancer gives up whoever waits longer; raise the one or lower the other"
            );
            return Err(invalid(IDLE_TIMEOUT, &idle, &why));
        }
        if let Some(delay) = delay.filter(|delay| *delay < hold) {
            let why = format!(
                "it must not be below spec.web.holdSeconds ({hold}), since the load balancer cuts off whoever a pod \
                 that goes holds longer; raise the one or lower the other"
            );
            return Err(invalid(DEREGISTRATION_DELAY, &delay, &why));
        }
        Ok(Self {
            idle_timeout: idle.unwrap_or(self.idle_timeout),
            deregistration_delay: delay.unwrap_or(self.deregistration_delay),
            ..self
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

    fn behind(hold: u32, idle: Option<i32>, delay: Option<i32>) -> Result<Timeouts, InvalidSpec> {
        let ingress = IngressSpec {
            idle_timeout_seconds: idle,
            deregistration_delay_seconds: delay,
            ..IngressSpec::default()
        };
        Timeouts::from_hold_seconds(hold)?.behind(Some(&ingress))
    }

    #[test]
    fn every_accepted_load_balancer_keeps_the_chain_and_every_other_is_a_matter_of_timeouts() {
        for hold in 23..=29 {
            for seconds in -1..=40 {
                let idle = behind(hold, Some(seconds), None);
                let is_right = seconds >= i32::try_from(hold).unwrap() + 5;
                assert_eq!(idle.as_ref().is_ok_and(|idle| idle.idle_timeout > idle.hold), is_right);
                assert!(is_right || idle.unwrap_err().is_of_timeouts());
                let delay = behind(hold, None, Some(seconds));
                let is_right = seconds >= i32::try_from(hold).unwrap();
                assert_eq!(
                    delay.as_ref().is_ok_and(|delay| delay.deregistration_delay >= delay.hold),
                    is_right
                );
                assert!(is_right || delay.unwrap_err().is_of_timeouts());
            }
        }
    }

    #[test]
    fn load_balancer_without_timeouts_of_its_own_leaves_the_chain_as_it_was() {
        let plain = Timeouts::from_hold_seconds(25).unwrap();
        assert_eq!((plain.behind(None), behind(25, None, None)), (Ok(plain), Ok(plain)));
        let told = behind(25, Some(120), Some(90)).unwrap();
        assert_eq!(told, Timeouts { idle_timeout: 120, deregistration_delay: 90, ..plain });
        let message = told.to_string();
        assert!(message.contains("hold (25 s) < idle timeout (120 s); hold ≤ deregistration delay (90 s)"));
    }
}
