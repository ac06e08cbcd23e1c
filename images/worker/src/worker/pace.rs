//! How fast jobs go of late, and how many are therefore worth receiving before there is a place for them.
//!
//! Pure: no clock, no queue.

use std::time::Duration;

/// The weight of the latest job is one in so many.
const MEMORY: u32 = 8;

/// A moving mean of what jobs took. Knows nothing before the first one has ended.
#[derive(Debug, Default)]
pub(super) struct Pace {
    mean: Option<Duration>,
}

impl Pace {
    pub(super) fn note(&mut self, took: Duration) {
        self.mean =
            Some(self.mean.map_or(took, |mean| mean.saturating_mul(MEMORY - 1) / MEMORY + took / MEMORY));
    }

    /// How many jobs are begun within this time where so many places are busy now. None while nothing is known.
    pub(super) fn begun_within(&self, time: Duration, places: usize) -> usize {
        let Some(mean) = self.mean else { return 0 };
        let ends = time.as_nanos() * places as u128 / mean.as_nanos().max(1);
        usize::try_from(ends).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn nothing_is_received_ahead_before_a_job_has_ended() {
        assert_eq!(Pace::default().begun_within(millis(150), 100), 0);
    }

    #[test]
    fn what_begins_within_a_time_grows_with_places_and_falls_with_what_jobs_take() {
        for (took, places, begun) in [(20, 2, 15), (20, 1, 7), (200, 2, 1), (301, 2, 0), (1, 4, 600)] {
            let mut pace = Pace::default();
            pace.note(millis(took));
            assert_eq!(pace.begun_within(millis(150), places), begun, "{took} ms at {places} places");
        }
        let mut pace = Pace::default();
        pace.note(Duration::ZERO);
        assert!(pace.begun_within(millis(150), 1) > 1_000_000);
    }

    #[test]
    fn one_long_job_stops_it_and_short_ones_bring_it_back() {
        let mut pace = Pace::default();
        pace.note(millis(20));
        pace.note(millis(8_000));
        assert_eq!(pace.begun_within(millis(150), 2), 0);
        let jobs = (1..99).find(|_| {
            pace.note(millis(20));
            pace.begun_within(millis(150), 2) >= 5
        });
        assert!(jobs.unwrap() < 30, "{jobs:?}");
    }
}
