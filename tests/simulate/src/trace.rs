//! A load and its workers, as a file tells them.

use serde::Deserialize;

use crate::{TICKS_PER_SECOND, Tick, random::Random, seconds, ticks};

/// The loads that the decider is judged by, by name.
pub const TRACES: [(&str, &str); 9] = [
    ("steady", include_str!("../traces/steady.json")),
    ("step", include_str!("../traces/step.json")),
    ("spike", include_str!("../traces/spike.json")),
    ("flash-crowd", include_str!("../traces/flash-crowd.json")),
    ("sawtooth", include_str!("../traces/sawtooth.json")),
    ("diurnal", include_str!("../traces/diurnal.json")),
    ("slow-origin", include_str!("../traces/slow-origin.json")),
    ("poison-flood", include_str!("../traces/poison-flood.json")),
    ("zone-loss", include_str!("../traces/zone-loss.json")),
];

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trace {
    pub name: String,
    pub about: String,
    pub seconds: f64,
    /// Of the chance by which jobs come and take long.
    pub seed: u64,
    /// Jobs that visitors wait for.
    pub arrivals: Vec<Ramp>,
    /// Jobs that fail each time they are tried.
    #[serde(default)]
    pub poison: Vec<Ramp>,
    /// Mean of what a job takes, of a poisoned one as well.
    pub service_seconds: f64,
    #[serde(default)]
    pub slow: Vec<Slow>,
    /// When one pod of three is lost with its zone.
    pub zone_lost_at: Option<f64>,
    pub workers: Workers,
    /// What the decider is to reach: of a hundred visitors 95 wait no longer.
    pub target_wait_seconds: f64,
    /// What KEDA is to reach: jobs for each worker.
    pub queue_length: u32,
}

/// Jobs per second, from one rate to another in a straight line.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    pub from: f64,
    pub to: f64,
    pub rate: (f64, f64),
}

/// A time in which jobs take so many times as long.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slow {
    pub from: f64,
    pub to: f64,
    pub times: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workers {
    pub min: u32,
    pub max: u32,
    /// Jobs that one runs at the same time.
    pub concurrency: u32,
    /// From asking for one until it is ready.
    pub start_seconds: f64,
}

/// What a trace lets come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) arrives: Tick,
    pub(crate) service: Tick,
    pub(crate) is_poison: bool,
}

/// Why a text is no trace.
#[derive(Debug, thiserror::Error)]
#[error("the text is no trace")]
pub struct InvalidTrace(#[source] serde_json::Error);

impl Trace {
    pub fn parse(text: &str) -> Result<Self, InvalidTrace> {
        serde_json::from_str(text).map_err(InvalidTrace)
    }

    /// The same jobs each time, in the order in which they come.
    pub(crate) fn draw_jobs(&self) -> Vec<Job> {
        let mut random = Random::new(self.seed);
        let mut jobs = Vec::new();
        for tick in 0..ticks(self.seconds) {
            for (ramps, is_poison) in [(&self.arrivals, false), (&self.poison, true)] {
                for _ in 0..random.count(rate(ramps, tick) * seconds(1)) {
                    let service = ticks(self.mean_service(tick) * random.service()).max(1);
                    jobs.push(Job { arrives: tick, service, is_poison });
                }
            }
        }
        jobs
    }

    /// The load of this moment: jobs that would be in work if each began at once.
    pub(crate) fn load(&self, tick: Tick) -> f64 {
        (rate(&self.arrivals, tick) + rate(&self.poison, tick)) * self.mean_service(tick)
    }

    pub(crate) fn mean_service(&self, tick: Tick) -> f64 {
        let at = seconds(tick);
        let slow = self.slow.iter().find(|slow| (slow.from..slow.to).contains(&at));
        self.service_seconds * slow.map_or(1.0, |slow| slow.times)
    }

    pub(crate) fn is_lost_now(&self, tick: Tick) -> bool {
        self.zone_lost_at.is_some_and(|at| ticks(at) == tick)
    }

    pub(crate) fn last_tick(&self) -> Tick {
        ticks(self.seconds).max(TICKS_PER_SECOND)
    }
}

fn rate(ramps: &[Ramp], tick: Tick) -> f64 {
    let at = seconds(tick);
    let under_way = ramps.iter().filter(|ramp| (ramp.from..ramp.to).contains(&at));
    under_way
        .map(|ramp| ramp.rate.0 + (ramp.rate.1 - ramp.rate.0) * (at - ramp.from) / (ramp.to - ramp.from))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counted;

    #[test]
    fn traces_draw_the_jobs_that_they_tell_of() {
        for (name, text) in TRACES {
            let trace = Trace::parse(text).unwrap();
            assert_eq!(trace.name, name);
            let jobs = trace.draw_jobs();
            let expected: f64 = (0..trace.last_tick())
                .map(|tick| (rate(&trace.arrivals, tick) + rate(&trace.poison, tick)) * seconds(1))
                .sum();
            let deviation = (counted(jobs.len() as u64) - expected).abs() / expected.sqrt();
            assert!(deviation < 4.0, "{name}: {} jobs where {expected} are expected", jobs.len());
            assert_eq!(jobs, trace.draw_jobs());
        }
    }
}
