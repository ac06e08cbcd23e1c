//! The calls a second that looking at drift may cost, and the interval that follows. Pure.
//!
//! Where AWS asks for fewer calls, what is left is halved; it grows back in equal steps of time, so that operators
//! that share an account come to share its limit.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

/// The time in which drift is found where the budget allows it.
pub const LEAST_INTERVAL: Duration = Duration::from_mins(5);
/// However little is left of the budget.
const MOST_INTERVAL: Duration = Duration::from_hours(24);
/// What a look at one pipeline costs: 20 for its bindings and one for the record of its hosts. Each tenant in the
/// pipeline's own spec costs one more, which is not counted.
const CALLS_PER_LOOK: f64 = 21.0;
/// Failures of one burst cut once.
const BURST: Duration = Duration::from_secs(10);
/// In which nothing becomes all again.
const RECOVERY: Duration = Duration::from_mins(20);
/// The part of the budget that is always left: without looks nobody would see that AWS takes calls again.
const LEAST_PART: f64 = 1.0 / 16.0;

#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    calls_per_second: f64,
    last_cut: Option<Cut>,
}

/// What was left, and since when it has grown.
#[derive(Debug, Clone, Copy)]
struct Cut {
    calls_per_second: f64,
    at: Instant,
}

impl Budget {
    pub(super) fn new(calls_per_second: NonZeroU32) -> Self {
        Self { calls_per_second: f64::from(calls_per_second.get()), last_cut: None }
    }

    /// The time between two looks at one of so many pipelines.
    pub(super) fn interval(&self, pipelines: usize, now: Instant) -> Duration {
        build_interval(pipelines, self.left(now))
    }

    /// The same without cuts. It changes only with the number of pipelines, and then in steps: it is told in every
    /// pipeline's status.
    pub(super) fn usual_interval(&self, pipelines: usize) -> Duration {
        build_interval(pipelines, self.calls_per_second)
    }

    /// Halves what is left. What that is, unless this burst has been counted.
    pub(super) fn cut(&mut self, now: Instant) -> Option<f64> {
        if self.last_cut.is_some_and(|last| now.saturating_duration_since(last.at) < BURST) {
            return None;
        }
        let left = (self.left(now) / 2.0).max(self.calls_per_second * LEAST_PART);
        self.last_cut = Some(Cut { calls_per_second: left, at: now });
        Some(left)
    }

    fn left(&self, now: Instant) -> f64 {
        let Some(Cut { calls_per_second, at }) = self.last_cut else { return self.calls_per_second };
        let grown = now.saturating_duration_since(at).div_duration_f64(RECOVERY) * self.calls_per_second;
        (calls_per_second + grown).min(self.calls_per_second)
    }
}

/// Rounded up to a step: between one doubling of the least interval and the next there are four.
fn build_interval(pipelines: usize, calls_per_second: f64) -> Duration {
    let pipelines = u32::try_from(pipelines).unwrap_or(u32::MAX);
    let needed = Duration::from_secs_f64(f64::from(pipelines) * CALLS_PER_LOOK / calls_per_second);
    if needed <= LEAST_INTERVAL {
        return LEAST_INTERVAL;
    }
    let needed = needed.min(MOST_INTERVAL);
    let mut doubled = LEAST_INTERVAL;
    while doubled * 2 <= needed {
        doubled *= 2;
    }
    let step = doubled / 4;
    let steps = needed.as_millis().div_ceil(step.as_millis());
    // There are eight at the most.
    (step * u32::try_from(steps).unwrap_or(8)).min(MOST_INTERVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(calls_per_second: u32) -> Budget {
        Budget::new(NonZeroU32::new(calls_per_second).unwrap())
    }

    fn minutes(minutes: u64) -> Duration {
        Duration::from_mins(minutes)
    }

    #[test]
    fn interval_is_five_minutes_until_the_budget_is_used_up() {
        let usual = |pipelines| budget(10).usual_interval(pipelines);
        // 3,000 calls in five minutes.
        assert_eq!([0, 1, 142].map(usual), [minutes(5); 3]);
        assert_eq!(usual(143), Duration::from_secs(375));
        assert_eq!(usual(1_000), minutes(35));
        // 210,000 calls are 5 h 50 min.
        assert_eq!(usual(10_000), minutes(400));
        assert_eq!(usual(usize::MAX), MOST_INTERVAL);
    }

    #[test]
    fn looks_at_ten_thousand_pipelines_stay_within_the_budget_and_use_most_of_it() {
        for calls_per_second in [1, 7, 10, 100] {
            for pipelines in [1_u32, 143, 150, 999, 5_000, 10_000] {
                let interval = budget(calls_per_second).usual_interval(pipelines as usize);
                let spent = f64::from(pipelines) * CALLS_PER_LOOK / interval.as_secs_f64();
                let part = spent / f64::from(calls_per_second);
                let is_bounded = interval == LEAST_INTERVAL || interval == MOST_INTERVAL;
                assert!(part <= 1.0 || interval == MOST_INTERVAL, "{pipelines} spend {spent} a second");
                assert!(part > 0.8 || is_bounded, "{pipelines} spend {spent} a second");
            }
        }
    }

    #[test]
    fn interval_grows_in_few_steps() {
        let mut steps: Vec<Duration> = (0..10_000).map(|n| budget(10).usual_interval(n)).collect();
        assert!(steps.is_sorted());
        steps.dedup();
        assert_eq!(steps.len(), 26);
    }

    #[test]
    fn budget_is_halved_once_for_a_burst_and_grows_back() {
        let start = Instant::now();
        let mut budget = budget(16);
        let left_after = |budget: &Budget, seconds| budget.left(start + Duration::from_secs(seconds));
        assert_eq!(budget.cut(start), Some(8.0));
        assert_eq!(budget.cut(start + Duration::from_secs(9)), None);
        assert!((left_after(&budget, 75) - 9.0).abs() < 1e-9);
        assert!((left_after(&budget, 600) - 16.0).abs() < 1e-9);
        assert!((left_after(&budget, 10_000) - 16.0).abs() < 1e-9);
        // 762 pipelines: 1,000 s at 16 a second, in steps.
        assert_eq!(budget.interval(762, start), minutes(35));
        assert_eq!(budget.usual_interval(762), Duration::from_secs(1_050));
    }

    #[test]
    fn something_is_left_however_long_aws_asks_for_less() {
        let mut now = Instant::now();
        let mut budget = budget(16);
        for _ in 0..20 {
            budget.cut(now);
            now += BURST;
        }
        let left = budget.left(now);
        assert!((1.0..1.2).contains(&left), "{left}");
        assert_eq!(budget.interval(10_000, now), MOST_INTERVAL);
    }

    /// Two operators share a limit of 10 calls a second in an account: neither starves, and together they come to
    /// rest about it.
    #[test]
    fn two_that_share_a_limit_come_to_share_it() {
        let start = Instant::now();
        let mut both = [budget(10), budget(10)];
        both[0].cut(start);
        let (mut sum, mut least) = (0.0, f64::MAX);
        for second in 0..7_200 {
            let now = start + Duration::from_secs(second);
            let left = [both[0].left(now), both[1].left(now)];
            if left[0] + left[1] > 10.0 {
                for budget in &mut both {
                    budget.cut(now);
                }
            }
            if second >= 3_600 {
                sum += left[0] + left[1];
                least = least.min(left[0]).min(left[1]);
            }
        }
        let mean = sum / 3_600.0;
        assert!((6.0..=10.0).contains(&mean), "together {mean} a second");
        assert!(least > 2.0, "one of them is down to {least} a second");
    }
}
