//! What one pipeline's workers have shown of themselves.

use std::{num::NonZeroU32, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use super::{as_float, passed};
use crate::Sample;

/// Until workers have told: what an ordinary framework takes, fetched from a near origin.
const SERVICE_TIME_ASSUMED: Duration = Duration::from_secs(1);
/// What lies outside is a clock's mistake, or a job that ran into its limit.
const SERVICE_TIMES: (f64, f64) = (0.005, 60.0);
/// What is assumed counts like so many jobs: the first that end are the short ones.
const JOBS_ASSUMED: f64 = 20.0;
/// The service time is the mean of about so many jobs.
const JOBS_REMEMBERED: f64 = 300.0;
/// Until pods have shown: Kubernetes' own goal for 99 of 100 pods.
const START_UP_ASSUMED: Duration = Duration::from_secs(5);
const START_UPS: (f64, f64) = (0.5, 600.0);
/// How much the last start counts beside those before it.
const START_UP_WEIGHT: f64 = 0.5;

/// Learnt from samples; each is assumed until it was shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Learnt {
    service_seconds: Option<f64>,
    /// Whose mean that is, up to as many as are remembered.
    #[serde(skip)]
    jobs: f64,
    start_up_seconds: Option<f64>,
    concurrency: Option<NonZeroU32>,
    /// When more pods were asked for that are not all ready yet.
    #[serde(skip)]
    starting_since: Option<Timestamp>,
}

impl Learnt {
    /// How long a job takes, from its receipt to its outcome.
    pub fn service_time(&self) -> Duration {
        self.service_seconds.map_or(SERVICE_TIME_ASSUMED, Duration::from_secs_f64)
    }

    /// From asking for a pod until it is ready.
    pub fn start_up(&self) -> Duration {
        self.start_up_seconds.map_or(START_UP_ASSUMED, Duration::from_secs_f64)
    }

    /// Jobs that a pod runs at the same time.
    pub fn concurrency(&self) -> Option<NonZeroU32> {
        self.concurrency
    }

    pub(super) fn with(
        self,
        previous: Option<&(Timestamp, Sample)>,
        sample: &Sample,
        now: Timestamp,
    ) -> Self {
        let told = sample.workers.told().and_then(|workers| workers.concurrency);
        let starting_since = self.starting(previous, sample, now);
        let shown = self.starting_since.filter(|_| starting_since.is_none());
        let took = shown.and_then(|since| passed(since, sample.pods.ready_since.unwrap_or(now)));
        let (service_seconds, jobs) = self.service_with(previous.map(|(_, before)| before), sample);
        Self {
            service_seconds,
            jobs,
            start_up_seconds: took.map_or(self.start_up_seconds, |took| {
                let took = took.as_secs_f64().clamp(START_UPS.0, START_UPS.1);
                Some(self.start_up_seconds.map_or(took, |known| known + (took - known) * START_UP_WEIGHT))
            }),
            concurrency: told.or(self.concurrency),
            starting_since,
        }
    }

    /// Between a higher number of replicas and the sample in which all of them are ready.
    fn starting(
        &self,
        previous: Option<&(Timestamp, Sample)>,
        sample: &Sample,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let pods = sample.pods;
        let is_more = previous.is_some_and(|(_, before)| pods.replicas > before.pods.replicas);
        // Whoever asked did so after the sample before this one.
        let asked = || pods.asked_since.or_else(|| previous.map(|(then, _)| *then)).unwrap_or(now);
        let since = if is_more { Some(asked()) } else { self.starting_since };
        since.filter(|_| is_more || pods.ready < pods.replicas)
    }

    fn service_with(&self, before: Option<&Sample>, sample: &Sample) -> (Option<f64>, f64) {
        let unchanged = (self.service_seconds, self.jobs);
        let (Some(before), Some(workers)) =
            (before.and_then(|before| before.workers.told()), sample.workers.told())
        else {
            return unchanged;
        };
        let ended = as_float(workers.finished.saturating_sub(before.finished));
        let worked = workers.worked.saturating_sub(before.worked).as_secs_f64();
        if ended == 0.0 || worked == 0.0 {
            return unchanged;
        }
        let mean = (worked / ended).clamp(SERVICE_TIMES.0, SERVICE_TIMES.1);
        let known = self.service_time().as_secs_f64();
        let weight = ended / (ended + self.jobs.max(JOBS_ASSUMED));
        (Some(known + (mean - known) * weight), (self.jobs.max(JOBS_ASSUMED) + ended).min(JOBS_REMEMBERED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pods, Signal, Workers};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000 + second).unwrap()
    }

    fn learnt(samples: &[(i64, Sample)]) -> Learnt {
        let mut learnt = Learnt::default();
        let mut previous: Option<(Timestamp, Sample)> = None;
        for (second, sample) in samples {
            learnt = learnt.with(previous.as_ref(), sample, at(*second));
            previous = Some((at(*second), *sample));
        }
        learnt
    }

    #[test]
    fn service_time_is_the_mean_of_late_jobs() {
        let told = |finished, seconds| {
            let workers = Workers { finished, worked: Duration::from_secs(seconds), ..Workers::default() };
            Sample { workers: Signal::Told(workers), ..Sample::default() }
        };
        let samples = [(0, told(0, 0)), (1, told(180, 380)), (2, told(280, 880)), (3, told(280, 880))];
        assert_eq!(learnt(&samples[..1]).service_time(), SERVICE_TIME_ASSUMED);
        assert_eq!(
            learnt(&samples[..2]).service_time(),
            Duration::from_secs(2),
            "twenty of a second each before"
        );
        assert_eq!(learnt(&samples[..3]).service_time(), Duration::from_secs(3));
        assert_eq!(learnt(&samples).service_time(), Duration::from_secs(3));
        let restarted = [samples[0], samples[1], (2, told(0, 0))];
        assert_eq!(learnt(&restarted).service_time(), Duration::from_secs(2));
    }

    #[test]
    fn start_up_lasts_from_the_order_to_the_last_pod() {
        let pods = |replicas, ready| Sample {
            pods: Pods { replicas, ready, ..Pods::default() },
            ..Sample::default()
        };
        let ordered = [(0, pods(0, 0)), (1, pods(4, 0)), (2, pods(4, 2)), (3, pods(4, 4))];
        assert_eq!(learnt(&ordered[..3]).start_up(), START_UP_ASSUMED);
        assert_eq!(learnt(&ordered).start_up(), Duration::from_secs(3));
        let lost = [(10, pods(4, 2)), (60, pods(4, 4))];
        assert_eq!(learnt(&[ordered.as_slice(), &lost].concat()).start_up(), Duration::from_secs(3));
        let told = Pods { asked_since: Some(at(1)), ready_since: Some(at(2)), replicas: 4, ready: 4 };
        let told = Sample { pods: told, ..Sample::default() };
        assert_eq!(
            learnt(&[
                (0, pods(0, 0)),
                (2, Sample { pods: Pods { ready: 0, ..told.pods }, ..told }),
                (5, told)
            ])
            .start_up(),
            Duration::from_secs(1)
        );
    }
}
