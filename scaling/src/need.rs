//! How many pods the jobs need.

mod staffing;

use std::{num::NonZeroU32, time::Duration};

use jiff::Timestamp;

use crate::{
    Limits, Reason, Sample, Target, Window,
    window::{Rate, as_float},
};
use staffing::places_for_load;

/// Refreshes, which nobody waits for, are to begin within this time.
const REFRESHED_WITHIN: Duration = Duration::from_mins(1);

/// A load is certain to be higher than what was seen of it less so many times the error of that.
const CERTAIN: f64 = 2.0;
/// Of the target: how long visitors may wait under a load that goes on.
const CALM: f64 = 0.1;
/// Few jobs take so many times as long as the mean. Who is held for longer has waited for a worker.
const SERVICE_TAIL: f64 = 5.0;

/// The fewest pods that do, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) replicas: u32,
    pub(crate) reason: Reason,
}

/// What is asked for at once, and what no pod is let go from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) out: Need,
    pub(crate) keep: u32,
}

impl Needs {
    pub(crate) fn weigh(limits: &Limits, window: &Window, sample: &Sample, now: Timestamp) -> Self {
        let (out, keep) = match limits.target {
            Target::Backlog { per_replica } => weigh_backlog(limits, window, sample, per_replica.get()),
            Target::Latency { wait, concurrency } => {
                Latency::of(window, wait, concurrency).weigh(limits, window, sample)
            }
        };
        // Whoever is lost works for nobody, and is replaced before the cluster misses it.
        let lost = window.takers().lost(now);
        let replicas = out.replicas.saturating_add(if out.replicas > 0 { lost } else { 0 });
        let reason = if lost > 0 && out.replicas <= sample.pods.replicas { Reason::Lost } else { out.reason };
        let keep = keep.max(sample.busy()).saturating_add(if keep > 0 { window.takers().mute() } else { 0 });
        Self { out: Need { replicas, reason }, keep }
    }
}

fn weigh_backlog(limits: &Limits, window: &Window, sample: &Sample, per_replica: u32) -> (Need, u32) {
    let pods_for = |jobs: f64| whole(jobs / f64::from(per_replica));
    let refreshes = sample.refreshes.told().unwrap_or_default().jobs();
    let visits = sample.jobs().saturating_sub(refreshes);
    let replicas = with_refreshes(limits, pods_for(as_float(visits)), pods_for(as_float(sample.jobs())));
    let keep = window.patience(limits).map_or(0, |patience| pods_for(window.most_pending(patience)));
    (Need { replicas, reason: Reason::Backlog }, keep.max(replicas))
}

/// What visits need is never cut; refreshes add to it up to their share.
fn with_refreshes(limits: &Limits, visits: u32, all: u32) -> u32 {
    let share = limits.refresh_share_percent.map_or(u32::MAX, |percent| {
        let share = u64::from(limits.max_replicas) * u64::from(percent) / 100;
        u32::try_from(share).unwrap_or(u32::MAX).max(1)
    });
    visits.max(all.min(share))
}

/// Everything that the latency of visits depends on, in seconds.
struct Latency {
    wait: f64,
    service: f64,
    start_up: f64,
    concurrency: f64,
}

impl Latency {
    fn of(window: &Window, wait: Duration, assumed: NonZeroU32) -> Self {
        Self {
            wait: wait.as_secs_f64(),
            service: window.learnt().service_time().as_secs_f64(),
            start_up: window.learnt().start_up().as_secs_f64(),
            concurrency: f64::from(window.learnt().concurrency().unwrap_or(assumed).get()),
        }
    }

    fn weigh(&self, limits: &Limits, window: &Window, sample: &Sample) -> (Need, u32) {
        let refreshes = self.pods_for_refreshes(sample);
        let add = |pods: u32| with_refreshes(limits, pods, pods.saturating_add(refreshes));
        let jobs = sample.waiting_visits().saturating_add(sample.running());
        let burst = self.pods_for_burst(sample, as_float(jobs));
        let load = self.pods_for_load(window.stable_rate(), sample.pods.replicas);
        let reason = if burst > load { Reason::Latency } else { Reason::Load };
        let replicas = add(burst.max(load));
        let patience = window.patience(limits).unwrap_or_default();
        let backlog = self.pods_to_clear(window.most_pending(patience), self.late_drain());
        let used = whole(window.most_running(patience) / self.concurrency);
        let keep = add(self.pods_to_keep(window).max(backlog).max(used));
        (Need { replicas, reason }, keep.max(replicas))
    }

    /// None beyond those that are asked for where they begin everything in time, those that start included.
    /// Others would be late by their start, so they are asked for only as many as have work for as long as
    /// they take to start.
    fn pods_for_burst(&self, sample: &Sample, jobs: f64) -> u32 {
        let oldest = sample.web.told().map_or(0.0, |web| web.oldest_wait.as_secs_f64());
        let current = sample.pods.replicas;
        let late = (oldest - SERVICE_TAIL * self.service).max(0.0);
        if self.pods_to_clear(jobs, self.wait - late) <= current {
            return self.pods_to_clear(jobs, f64::INFINITY);
        }
        self.pods_to_clear(jobs, self.late_drain())
    }

    /// What is left of the target after a start, or as long as that start where it is longer.
    fn late_drain(&self) -> f64 {
        (self.wait - self.start_up).max(self.start_up)
    }

    /// So that the last of these jobs begins within `drain`: with P places for J jobs in all, P begin at once
    /// and P more in each service time.
    fn pods_to_clear(&self, jobs: f64, drain: f64) -> u32 {
        let places = jobs * self.service / (self.service + drain.max(0.0));
        let pods = whole(places / self.concurrency);
        if jobs > 0.0 { pods.max(1) } else { pods }
    }

    /// Where the load needs more than there are, whatever chance may have added to what was seen of it, it gets
    /// as many as it will keep.
    fn pods_for_load(&self, rate: Rate, current: u32) -> u32 {
        let least = self.pods_at(rate.mean - CERTAIN * rate.error, self.wait);
        if least > current { least.max(self.pods_at(rate.mean, self.wait * CALM)) } else { least }
    }

    /// A load that goes on is not left with as few pods as would just do: each wave of chance would make it ask
    /// for more, and let them go again. One that falls needs no such room, since it will need less and less.
    fn pods_to_keep(&self, window: &Window) -> u32 {
        let rate = window.stable_rate();
        let wait = if rate.is_falling { self.wait } else { self.wait * CALM };
        self.pods_at(rate.mean + rate.error, wait).max(self.pods_at(window.burst_rate(), wait))
    }

    fn pods_at(&self, rate: f64, wait: f64) -> u32 {
        whole(f64::from(places_for_load(rate * self.service, wait / self.service)) / self.concurrency)
    }

    /// Refreshes have half of the places at the most.
    fn pods_for_refreshes(&self, sample: &Sample) -> u32 {
        let jobs = as_float(sample.refreshes.told().unwrap_or_default().visible);
        let places = jobs * self.service / (self.service + REFRESHED_WITHIN.as_secs_f64());
        whole(places / (self.concurrency / 2.0).floor().max(1.0))
    }
}

/// Rounded up, so that a part of a pod is one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it saturates, and is never negative"
)]
fn whole(pods: f64) -> u32 {
    // What floating point adds to a whole number is no pod.
    (pods - 1e-9).ceil() as u32
}
