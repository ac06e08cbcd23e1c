//! A recorded run of KEDA beside its model.
//!
//! A recording says what was sent and when the number of pods reached which number. When KEDA's two loops turned is
//! not part of it, so the model runs in all phases, and the nearest one is compared.

use serde::Deserialize;

use crate::{Keda, KedaSettings, Run, TICKS_PER_SECOND, Trace, run, ticks};

/// How many phases of each loop are tried.
const PHASES: u32 = 30;
const ROUND_SECONDS: f64 = 15.0;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recording {
    /// What was sent, and the pods that it was sent to.
    pub trace: Trace,
    pub polling_seconds: f64,
    pub cooldown_seconds: f64,
    /// Each change of the number of pods that the Deployment asked for.
    pub replicas: Vec<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub second: f64,
    pub replicas: u32,
}

/// How far the nearest run of the model is from the recording, as a share of the recorded number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deviation {
    /// Of the times from the first message to each higher number of pods, the one that differs most.
    pub time_to_scale: f64,
    pub worker_seconds: f64,
}

impl Recording {
    /// The smallest deviation over all phases of KEDA's loops.
    pub fn compare(&self) -> Deviation {
        let settings = KedaSettings {
            polling_seconds: self.polling_seconds,
            cooldown_seconds: self.cooldown_seconds,
            ..KedaSettings::new(self.trace.queue_length)
        };
        let share = |index: u32| f64::from(index) / f64::from(PHASES);
        let phases = (0..PHASES).flat_map(|poll| (0..PHASES).map(move |round| (share(poll), share(round))));
        let deviations = phases.map(|(poll, round)| {
            let poll_phase_seconds = self.polling_seconds * poll;
            let round_phase_seconds = ROUND_SECONDS * round;
            let settings = KedaSettings { poll_phase_seconds, round_phase_seconds, ..settings };
            self.deviation(&run(&self.trace, &mut Keda::new(&self.trace, settings)))
        });
        let nearest = deviations.min_by(|one, other| one.largest().total_cmp(&other.largest()));
        nearest.unwrap_or(Deviation { time_to_scale: 1.0, worker_seconds: 1.0 })
    }

    fn deviation(&self, run: &Run) -> Deviation {
        let begin = self.trace.arrivals.first().map_or(0.0, |ramp| ramp.from);
        let recorded = |number: u32| {
            let reached = self.replicas.iter().find(|change| change.replicas >= number);
            reached.map(|change| change.second - begin)
        };
        let modelled = |number: u32| {
            let reached = run.moments.iter().find(|moment| moment.replicas >= number);
            reached.map_or(self.trace.seconds, |moment| moment.second) - begin
        };
        let most = self.replicas.iter().map(|change| change.replicas).max().unwrap_or(0);
        let times = (1..=most).filter_map(|number| Some(apart(recorded(number)?, modelled(number))));
        let paid: u32 = (0..ticks(self.trace.seconds) / TICKS_PER_SECOND).map(|second| self.at(second)).sum();
        Deviation {
            time_to_scale: times.fold(0.0, f64::max),
            worker_seconds: apart(f64::from(paid), run.figures.worker_seconds),
        }
    }

    /// The number of pods at a second.
    fn at(&self, second: u64) -> u32 {
        let before = |change: &&Change| ticks(change.second) <= second * TICKS_PER_SECOND;
        self.replicas.iter().take_while(before).last().map_or(0, |change| change.replicas)
    }
}

impl Deviation {
    pub fn largest(&self) -> f64 {
        self.time_to_scale.max(self.worker_seconds)
    }
}

fn apart(recorded: f64, modelled: f64) -> f64 {
    (modelled - recorded).abs() / recorded.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The model's own run, as if it had been recorded.
    fn recorded(settings: KedaSettings) -> Recording {
        let trace = Trace::parse(include_str!("../traces/spike.json")).unwrap();
        let run = run(&trace, &mut Keda::new(&trace, settings));
        let mut replicas: Vec<Change> = Vec::new();
        for moment in run.moments {
            if replicas.last().map_or(0, |change| change.replicas) != moment.replicas {
                replicas.push(Change { second: moment.second, replicas: moment.replicas });
            }
        }
        let KedaSettings { polling_seconds, cooldown_seconds, .. } = settings;
        Recording { trace, polling_seconds, cooldown_seconds, replicas }
    }

    #[test]
    fn phases_of_a_recording_are_found() {
        let settings =
            KedaSettings { poll_phase_seconds: 7.0, round_phase_seconds: 11.0, ..KedaSettings::new(5) };
        assert!(recorded(settings).compare().largest() < 0.05);
    }

    #[test]
    fn what_keda_does_not_do_is_no_recording_of_it() {
        let mut quick = recorded(KedaSettings::new(5));
        quick.replicas = vec![Change { second: 61.0, replicas: 20 }, Change { second: 90.0, replicas: 0 }];
        assert!(quick.compare().largest() > 0.5);
    }
}
