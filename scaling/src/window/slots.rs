//! Numbers by time, in a fixed number of slots of `SECONDS` each.

use jiff::Timestamp;

/// The newest slot comes first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Slots<const COUNT: usize, const SECONDS: u32> {
    /// The number of the newest slot since 1970; `None` before anything came.
    newest: Option<i64>,
    values: [f64; COUNT],
}

impl<const COUNT: usize, const SECONDS: u32> Default for Slots<COUNT, SECONDS> {
    fn default() -> Self {
        Self { newest: None, values: [0.0; COUNT] }
    }
}

impl<const COUNT: usize, const SECONDS: u32> Slots<COUNT, SECONDS> {
    /// With this much more since it was last told: in the slot of `now`, or in equal parts in all that have
    /// begun since then.
    pub(super) fn added(mut self, now: Timestamp, amount: f64) -> Self {
        let begun = self.advance(now, 0.0).max(1);
        let share = amount / f64::from(begun);
        self.values.iter_mut().zip(0..begun).for_each(|(value, _)| *value += share);
        self
    }

    /// With a level that lasts from now on until another one is told.
    pub(super) fn raised(mut self, now: Timestamp, level: f64) -> Self {
        let last = self.values.first().copied().unwrap_or_default();
        let begun = self.advance(now, last);
        if let Some(first) = self.values.first_mut() {
            *first = if begun > 0 { level } else { first.max(level) };
        }
        self
    }

    /// How many slots have begun since the newest one. A clock that was set back stays in the slot that it was in.
    fn advance(&mut self, now: Timestamp, fill: f64) -> u32 {
        let number = now.as_second().div_euclid(SECONDS.into());
        let newest = self.newest.unwrap_or(number - 1);
        let begun = u32::try_from(number.saturating_sub(newest).max(0)).unwrap_or(u32::MAX);
        self.newest = Some(newest.max(number));
        let fresh = usize::try_from(begun).unwrap_or(COUNT).min(COUNT);
        self.values.rotate_right(fresh);
        self.values.iter_mut().take(fresh).for_each(|value| *value = fill);
        begun
    }

    /// The highest level within the last `seconds`, whole slots.
    pub(super) fn highest(&self, seconds: f64) -> f64 {
        let begins = |number: u32| f64::from(number) * f64::from(SECONDS);
        let within = self.values.iter().zip(0..).filter(|(_, number)| begins(*number) <= seconds);
        within.map(|(value, _)| *value).fold(0.0, f64::max)
    }

    /// The mean of all slots, per second.
    pub(super) fn mean_rate(&self) -> f64 {
        let seconds: f64 = self.values.iter().map(|_| f64::from(SECONDS)).sum();
        self.values.iter().sum::<f64>() / seconds
    }

    /// What most slots have at least, per second: the lower median of those that are over.
    pub(super) fn usual_rate(&self) -> f64 {
        let mut values = self.values;
        let over = values.get_mut(1..).unwrap_or_default();
        over.sort_by(f64::total_cmp);
        let middle = over.len().saturating_sub(1) / 2;
        over.get(middle).copied().unwrap_or_default() / f64::from(SECONDS)
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "whole numbers are exact")]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000 + second).unwrap()
    }

    #[test]
    fn single_crowd_is_not_usual() {
        let mut crowd = Slots::<6, 5>::default();
        let mut steady = Slots::<6, 5>::default();
        for second in 0..25 {
            crowd = crowd.added(at(second), if second == 12 { 300.0 } else { 0.0 });
            steady = steady.added(at(second), 2.0);
        }
        assert_eq!((crowd.usual_rate(), crowd.mean_rate()), (0.0, 10.0));
        assert_eq!(steady.usual_rate(), 2.0);
        assert_eq!(steady.added(at(1_000), 0.0).mean_rate(), 0.0, "long ago");
        assert_eq!(
            steady.added(at(1_025), 2_010.0).usual_rate(),
            2.0,
            "over all of the time without a sample"
        );
    }

    #[test]
    fn level_lasts_until_another_is_told() {
        let slots = Slots::<4, 1>::default().raised(at(0), 7.0).raised(at(3), 1.0);
        assert_eq!(slots.values, [1.0, 7.0, 7.0, 7.0]);
        assert_eq!([slots.highest(0.5), slots.highest(1.0)], [1.0, 7.0]);
        assert_eq!(slots.raised(at(-50), 9.0).values, [9.0, 7.0, 7.0, 7.0], "a clock that was set back");
    }
}
