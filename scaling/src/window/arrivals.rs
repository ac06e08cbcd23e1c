//! How many jobs of visits come.

use std::time::Duration;

use jiff::Timestamp;

use super::{as_float, passed, slots::Slots};
use crate::{Sample, Signal};

/// What those slots of the two windows cover that are over.
const RECENT_SECONDS: f64 = 30.0;
const STABLE_SECONDS: f64 = 120.0;
/// So many times the error of a rate are no chance, and so few tell nothing.
const SURPRISE: f64 = 4.0;
const AGREEMENT: f64 = 1.0;

/// Jobs per second, and how far chance alone takes that from what it is a measure of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    pub(crate) mean: f64,
    pub(crate) error: f64,
    pub(crate) is_falling: bool,
}

/// Sent jobs as the web pods count them; else as the queue's numbers and the workers' show them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Arrivals {
    burst: Slots<6, 1>,
    recent: Slots<7, 5>,
    stable: Slots<13, 10>,
    is_falling: bool,
}

impl Arrivals {
    pub(super) fn with(
        self,
        previous: Option<&(Timestamp, Sample)>,
        sample: &Sample,
        service_time: Duration,
        now: Timestamp,
    ) -> Self {
        let arrived = previous.map_or(0.0, |(then, before)| {
            let lasted = passed(*then, now).unwrap_or_default();
            count(before, sample, lasted, service_time)
        });
        let arrivals = Self {
            burst: self.burst.added(now, arrived),
            recent: self.recent.added(now, arrived),
            stable: self.stable.added(now, arrived),
            is_falling: self.is_falling,
        };
        Self { is_falling: arrivals.falls(), ..arrivals }
    }

    pub(super) fn burst_rate(&self) -> f64 {
        self.burst.mean_rate()
    }

    /// The rate of most parts of the last two minutes, or of the last half minute where that tells another one
    /// than chance explains.
    pub(super) fn stable_rate(&self) -> Rate {
        let (stable, lately) = (self.stable.usual_rate(), self.recent.usual_rate());
        let error = SURPRISE * error_of(stable.max(lately), RECENT_SECONDS);
        if self.is_falling || lately > stable + error {
            Rate { mean: lately, error: error_of(lately, RECENT_SECONDS), is_falling: self.is_falling }
        } else {
            Rate { mean: stable, error: error_of(stable, STABLE_SECONDS), is_falling: false }
        }
    }

    /// A fall that chance does not explain goes on until the windows agree again.
    fn falls(&self) -> bool {
        let (stable, lately) = (self.stable.usual_rate(), self.recent.usual_rate());
        let errors = if self.is_falling { AGREEMENT } else { SURPRISE };
        lately < stable - errors * error_of(stable, RECENT_SECONDS)
    }
}

/// Jobs that come independently of each other vary by the root of their number (Poisson), and the median of a
/// window's parts by a quarter more than the mean of the whole.
fn error_of(rate: f64, seconds: f64) -> f64 {
    1.25 * (rate / seconds).sqrt()
}

/// Jobs that have come between two samples. A count that has become smaller is of other pods, and tells nothing.
fn count(before: &Sample, sample: &Sample, lasted: Duration, service_time: Duration) -> f64 {
    if let (Signal::Told(before), Signal::Told(web)) = (before.web, sample.web) {
        return as_float(web.sent.saturating_sub(before.sent));
    }
    let (Signal::Told(before_queue), Signal::Told(queue)) = (before.visits, sample.visits) else {
        return 0.0;
    };
    let ended = match (before.workers, sample.workers) {
        (Signal::Told(before), Signal::Told(workers)) => {
            as_float(workers.finished.saturating_sub(before.finished))
        }
        // Little's law: who always has so many jobs in work ends so many in a service time.
        _ => as_float(before_queue.in_flight) * lasted.as_secs_f64() / service_time.as_secs_f64(),
    };
    (as_float(queue.jobs()) - as_float(before_queue.jobs()) + ended).max(0.0)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "whole numbers are exact")]
mod tests {
    use super::*;
    use crate::{Queue, Web};

    fn seen(sent: Option<u64>, visible: u64, in_flight: u64) -> Sample {
        let web = sent.map_or(Signal::Unasked, |sent| Signal::Told(Web { sent, ..Web::default() }));
        let visits = Signal::Told(Queue { visible, in_flight, delayed: 0 });
        Sample { visits, web, ..Sample::default() }
    }

    #[test]
    fn web_pods_count_goes_before_the_queues() {
        let second = Duration::from_secs(1);
        let counted = |before, after| count(&before, &after, second, second / 2);
        assert_eq!(counted(seen(Some(5), 0, 0), seen(Some(8), 90, 0)), 3.0);
        assert_eq!(counted(seen(Some(5), 0, 0), seen(Some(2), 90, 0)), 0.0, "a web pod was started anew");
        assert_eq!(counted(seen(None, 10, 4), seen(None, 12, 4)), 10.0);
        assert_eq!(counted(seen(None, 10, 4), seen(None, 0, 0)), 0.0, "more was ended than thought");
    }
}
