//! What a run is judged by.

use std::fmt;

use crate::Moment;

/// Changes of direction are counted within this time.
const REVERSALS_WITHIN_SECONDS: f64 = 300.0;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Jobs that waited, times the seconds that they did.
    pub backlog_area: f64,
    /// Pods that existed, times the seconds that they did.
    pub worker_seconds: f64,
    /// From a job's arrival to its first beginning.
    pub mean_wait: f64,
    pub p95_wait: f64,
    pub longest_wait: f64,
    /// Changes of direction of the number of pods: the most in any five minutes.
    pub reversals: usize,
}

impl Figures {
    pub(crate) fn of(
        backlog_area: f64,
        worker_seconds: f64,
        waits: &[(f64, f64)],
        moments: &[Moment],
    ) -> Self {
        let mut sorted: Vec<f64> = waits.iter().map(|(_, wait)| *wait).collect();
        sorted.sort_by(f64::total_cmp);
        let late = sorted.len() * 95 / 100;
        Self {
            backlog_area,
            worker_seconds,
            mean_wait: mean(sorted.iter().copied()),
            p95_wait: sorted.get(late).copied().unwrap_or_default(),
            longest_wait: sorted.last().copied().unwrap_or_default(),
            reversals: count_reversals(moments),
        }
    }
}

/// Of nothing it is 0.
pub(crate) fn mean(numbers: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = numbers.fold((0.0, 0.0), |(sum, count), number| (sum + number, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

fn count_reversals(moments: &[Moment]) -> usize {
    let mut reversals: Vec<f64> = Vec::new();
    let mut was_up = None;
    for pair in moments.windows(2) {
        let [before, after] = pair else { continue };
        if before.replicas == after.replicas {
            continue;
        }
        let is_up = after.replicas > before.replicas;
        if was_up.is_some_and(|was_up| was_up != is_up) {
            reversals.push(after.second);
        }
        was_up = Some(is_up);
    }
    let within = |first: &f64| {
        reversals.iter().filter(|at| (*first..*first + REVERSALS_WITHIN_SECONDS).contains(*at)).count()
    };
    reversals.iter().map(within).max().unwrap_or(0)
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backlog_area, worker_seconds, mean_wait, p95_wait, longest_wait, reversals } = self;
        write!(
            f,
            "backlog {backlog_area:>8.0} job·s  workers {worker_seconds:>7.0} s  wait {mean_wait:>5.2} s, p95 \
             {p95_wait:>5.1} s, longest {longest_wait:>5.1} s  {reversals} reversals"
        )
    }
}
