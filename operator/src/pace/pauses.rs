//! Who waits since AWS asked for fewer calls, and for how long: longer with each time in a row. Pure.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use pipeline::Error;

/// The first pause, where AWS names none.
const FIRST: Duration = Duration::from_secs(15);
const MOST: Duration = Duration::from_mins(10);
/// Doublings of [`FIRST`], past [`MOST`].
const MAX_DOUBLINGS: u32 = 6;

/// By the object's UID.
#[derive(Debug, Default)]
pub(super) struct Pauses(HashMap<String, Pause>);

#[derive(Debug)]
struct Pause {
    in_a_row: u32,
    until: Instant,
    /// Another one is a person's change, which waits for nothing.
    generation: Option<i64>,
    error: Error,
}

impl Pauses {
    /// How long the object waits after it was throttled, and whether that is news: what is told in a pause of the
    /// pause itself is none.
    pub(super) fn note(
        &mut self,
        uid: String,
        generation: Option<i64>,
        error: &Error,
        (now, chance): (Instant, f64),
    ) -> (Duration, bool) {
        let before = self.0.get(&uid);
        if let Some(running) = before.filter(|pause| pause.is_running(generation, now)) {
            return (running.until.saturating_duration_since(now), false);
        }
        let in_a_row = before.map_or(0, |pause| pause.in_a_row).saturating_add(1);
        let length = build_pause(in_a_row, error.retry_after, chance);
        self.0.insert(uid, Pause { in_a_row, until: now + length, generation, error: error.told_again() });
        (length, true)
    }

    /// The failure as it was told, while the pause lasts.
    pub(super) fn running(&self, uid: &str, generation: Option<i64>, now: Instant) -> Option<Error> {
        let pause = self.0.get(uid).filter(|pause| pause.is_running(generation, now))?;
        Some(pause.error.told_again())
    }

    pub(super) fn forget(&mut self, uid: &str) {
        self.0.remove(uid);
    }
}

impl Pause {
    fn is_running(&self, generation: Option<i64>, now: Instant) -> bool {
        self.generation == generation && now < self.until
    }
}

/// Never shorter than AWS asks for. `chance` is between 0 and 1, and spreads those that were throttled together.
fn build_pause(in_a_row: u32, retry_after: Option<Duration>, chance: f64) -> Duration {
    let doubled = FIRST.saturating_mul(1 << in_a_row.saturating_sub(1).min(MAX_DOUBLINGS)).min(MOST);
    doubled.max(retry_after.unwrap_or_default()).mul_f64(1.0 + chance / 2.0)
}

#[cfg(test)]
mod tests {
    use pipeline::{ErrorKind, chain};

    use super::*;

    fn throttled() -> Error {
        Error::new(ErrorKind::Throttled, "look at bucket b").with_source("service error")
    }

    #[test]
    fn pauses_double_up_to_ten_minutes_and_are_spread() {
        let lengths = [1, 2, 3, 6, 7, 100].map(|in_a_row| build_pause(in_a_row, None, 0.0).as_secs());
        assert_eq!(lengths, [15, 30, 60, 480, 600, 600]);
        assert_eq!(build_pause(1, None, 0.5), Duration::from_millis(18_750));
        assert_eq!(build_pause(1, Some(Duration::from_secs(40)), 0.0), Duration::from_secs(40));
    }

    #[test]
    fn each_time_in_a_row_counts_once_and_an_answer_ends_the_row() {
        let (mut pauses, start) = (Pauses::default(), Instant::now());
        let note = |pauses: &mut Pauses, seconds| {
            let at = start + Duration::from_secs(seconds);
            let (length, is_new) = pauses.note("u-1".into(), Some(1), &throttled(), (at, 0.0));
            (length.as_secs(), is_new)
        };
        assert_eq!(note(&mut pauses, 0), (15, true));
        assert_eq!(note(&mut pauses, 5), (10, false));
        assert_eq!(note(&mut pauses, 15), (30, true));
        pauses.forget("u-1");
        assert_eq!(note(&mut pauses, 16), (15, true));
    }

    #[test]
    fn pause_holds_for_its_object_and_ends_with_a_change_of_the_spec() {
        let (mut pauses, start) = (Pauses::default(), Instant::now());
        pauses.note("u-1".into(), Some(1), &throttled(), (start, 0.0));
        let running = |uid: &str, generation, seconds| {
            let at = start + Duration::from_secs(seconds);
            pauses.running(uid, Some(generation), at).map(|error| (error.kind, chain(&error)))
        };
        // Told again as it was, so that no status changes.
        assert_eq!(running("u-1", 1, 14), Some((ErrorKind::Throttled, chain(&throttled()))));
        assert_eq!([running("u-1", 1, 15), running("u-1", 2, 1), running("u-2", 1, 1)], [None, None, None]);
    }
}
