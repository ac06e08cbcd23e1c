//! Floors for certain hours: so many workers from one cron expression to the next.

use std::num::NonZeroU32;

use croner::{
    Cron,
    errors::CronError,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Timestamp, tz::TimeZone};

/// At least `replicas` pods from each time that `start` names until the next one that `end` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    start: Cron,
    end: Cron,
    time_zone: TimeZone,
    replicas: NonZeroU32,
}

/// Why texts are no schedule.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSchedule {
    #[error("{expression:?} is no cron expression of minute, hour, day, month and weekday")]
    Expression { expression: String, source: CronError },
    #[error("{expression:?} names no time that ever comes")]
    Never { expression: String, source: CronError },
    #[error("{0:?} is no time zone of the IANA database, such as Europe/Vienna")]
    TimeZone(String),
    #[error("start and end are the same, {0:?}, so that the hours would be none or all")]
    SameTimes(String),
}

impl Schedule {
    /// From five-field cron expressions and the name of an IANA time zone. Where clocks are put forward, a time
    /// that is skipped comes as the clocks jump; where they are put back, one that comes twice counts once.
    pub fn parse(
        start: &str,
        end: &str,
        time_zone: &str,
        replicas: NonZeroU32,
    ) -> Result<Self, InvalidSchedule> {
        let zone = TimeZone::get(time_zone).map_err(|_| InvalidSchedule::TimeZone(time_zone.to_owned()))?;
        if start == end {
            return Err(InvalidSchedule::SameTimes(start.to_owned()));
        }
        Ok(Self { start: parse_cron(start)?, end: parse_cron(end)?, time_zone: zone, replicas })
    }

    /// The fewest pods at `now`.
    pub fn floor(&self, now: Timestamp) -> u32 {
        if self.is_active(now) { self.replicas.get() } else { 0 }
    }

    /// Whether the end comes before the next start. At the moment of a start it is active, at that of an end
    /// no more.
    fn is_active(&self, now: Timestamp) -> bool {
        let now = now.to_zoned(self.time_zone.clone());
        let next = |cron: &Cron| cron.find_next_occurrence(&now, false).ok();
        match (next(&self.start), next(&self.end)) {
            (Some(start), Some(end)) => end < start,
            // Past the last time that the calendar has, nothing starts.
            (_, None) | (None, Some(_)) => false,
        }
    }
}

fn parse_cron(expression: &str) -> Result<Cron, InvalidSchedule> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron = parser
        .parse(expression)
        .map_err(|source| InvalidSchedule::Expression { expression: expression.to_owned(), source })?;
    // The 30th of February is well formed.
    cron.find_next_occurrence(&Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC), false)
        .map_err(|source| InvalidSchedule::Never { expression: expression.to_owned(), source })?;
    Ok(cron)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floors(start: &str, end: &str, zone: &str, times: &[&str]) -> Vec<u32> {
        let schedule = Schedule::parse(start, end, zone, NonZeroU32::new(3).unwrap()).unwrap();
        times.iter().map(|time| schedule.floor(time.parse().unwrap())).collect()
    }

    #[test]
    fn floor_holds_from_start_to_end_in_its_time_zone() {
        let times = [
            "2026-03-02T07:59:59+01:00",
            "2026-03-02T08:00:00+01:00",
            "2026-03-02T19:59:59+01:00",
            "2026-03-02T20:00:00+01:00",
            "2026-03-07T12:00:00+01:00",
            "2026-07-01T08:00:00+02:00",
        ];
        let floors = floors("0 8 * * MON-FRI", "0 20 * * MON-FRI", "Europe/Vienna", &times);
        assert_eq!(floors, [0, 3, 3, 0, 0, 3]);
    }

    #[test]
    fn floor_over_midnight_holds_on_both_days() {
        let times = ["2026-03-02T23:00:00Z", "2026-03-03T05:59:00Z", "2026-03-03T06:00:00Z"];
        assert_eq!(floors("0 22 * * *", "0 6 * * *", "UTC", &times), [3, 3, 0]);
    }

    #[test]
    fn hour_that_clocks_skip_starts_as_they_jump() {
        let times = ["2026-03-29T01:59:59+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"];
        assert_eq!(floors("30 2 * * *", "0 4 * * *", "Europe/Vienna", &times), [0, 3, 0]);
    }

    #[test]
    fn hour_that_comes_twice_ends_once() {
        let times = [
            "2026-10-25T02:29:00+02:00",
            "2026-10-25T02:30:00+02:00",
            "2026-10-25T02:30:00+01:00",
            "2026-10-25T03:00:00+01:00",
        ];
        assert_eq!(floors("0 1 * * *", "30 2 * * *", "Europe/Vienna", &times), [3, 0, 0, 0]);
    }

    #[test]
    fn what_is_no_schedule_says_why() {
        for (start, end, zone, expected) in [
            (
                "0 8 * *",
                "0 9 * * *",
                "UTC",
                "\"0 8 * *\" is no cron expression of minute, hour, day, month and weekday",
            ),
            ("0 8 * * *", "0 0 30 2 *", "UTC", "\"0 0 30 2 *\" names no time that ever comes"),
            (
                "0 8 * * *",
                "0 9 * * *",
                "Mars/Base",
                "\"Mars/Base\" is no time zone of the IANA database, such as Europe/Vienna",
            ),
            (
                "0 8 * * *",
                "0 8 * * *",
                "UTC",
                "start and end are the same, \"0 8 * * *\", so that the hours would be none or all",
            ),
        ] {
            let refused = Schedule::parse(start, end, zone, NonZeroU32::MIN).unwrap_err();
            assert_eq!(refused.to_string(), expected);
        }
    }
}
