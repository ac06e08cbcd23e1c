//! KEDA and the autoscaler of Kubernetes (HPA) that it feeds.
//!
//! KEDA looks at the queue itself and brings the first pod and takes the last; in between the HPA goes by the
//! jobs, in flight included, that KEDA's metrics server tells it at each of its rounds.

use std::collections::VecDeque;

use crate::{Policy, Removal, Seen, TICKS_PER_SECOND, Tick, Trace, World, counted, ticks};

/// The HPA's round (`--horizontal-pod-autoscaler-sync-period`), the length of its default policies of scaling up,
/// and what these allow in it: four pods or as many as there are, whichever is more.
const ROUND: Tick = 15 * TICKS_PER_SECOND;
const MOST_ADDED: u32 = 4;
/// `--horizontal-pod-autoscaler-tolerance`.
const TOLERANCE: f64 = 0.1;
/// Scaling down follows the highest recommendation of this time.
const STABILISATION: Tick = 300 * TICKS_PER_SECOND;
/// How old the queue's numbers are, as for everybody.
const QUEUE_AGE: usize = 10;

/// What a `ScaledObject` says, and when the two loops happen to turn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KedaSettings {
    pub queue_length: u32,
    pub polling_seconds: f64,
    pub cooldown_seconds: f64,
    /// Of the first look, and of the first round.
    pub poll_phase_seconds: f64,
    pub round_phase_seconds: f64,
}

impl KedaSettings {
    /// KEDA's defaults.
    pub fn new(queue_length: u32) -> Self {
        Self {
            queue_length,
            polling_seconds: 30.0,
            cooldown_seconds: 300.0,
            poll_phase_seconds: 0.0,
            round_phase_seconds: 0.0,
        }
    }

    /// The same with loops that turn at other times: nine that are spread evenly.
    pub fn spread(self) -> impl Iterator<Item = Self> {
        (0..9).map(move |index| Self {
            poll_phase_seconds: self.polling_seconds * f64::from(index) / 9.0,
            // Each phase of one loop meets another one of the other.
            round_phase_seconds: 15.0 * f64::from((index * 4) % 9) / 9.0,
            ..self
        })
    }
}

pub struct Keda {
    settings: KedaSettings,
    min: u32,
    max: u32,
    last_active: Tick,
    recommended: VecDeque<(Tick, u32)>,
    /// When how many pods were added.
    added: VecDeque<(Tick, u32)>,
}

impl Keda {
    pub fn new(trace: &Trace, settings: KedaSettings) -> Self {
        let (min, max) = (trace.workers.min, trace.workers.max);
        Self { settings, min, max, last_active: 0, recommended: VecDeque::new(), added: VecDeque::new() }
    }

    /// KEDA's own loop: to and from zero.
    fn look(&mut self, now: Tick, jobs: u64, replicas: u32) -> Option<u32> {
        if jobs > 0 {
            self.last_active = now;
            return (replicas == 0).then_some(self.min.max(1));
        }
        let is_over = now - self.last_active > ticks(self.settings.cooldown_seconds);
        (is_over && self.min == 0 && replicas > 0).then_some(0)
    }

    /// The HPA's round (`GetExternalPerPodMetricReplicas`, then stabilisation, then the policies).
    fn round(&mut self, now: Tick, jobs: u64, current: u32) -> Option<u32> {
        if current == 0 {
            return None;
        }
        let target = f64::from(self.settings.queue_length);
        let ratio = counted(jobs) / (target * f64::from(current));
        let wanted = if (1.0 - ratio).abs() <= TOLERANCE {
            current
        } else {
            ceiling(jobs, self.settings.queue_length)
        };
        let wanted = wanted.clamp(self.min.max(1), self.max);
        self.recommended.retain(|(at, _)| *at + STABILISATION > now);
        self.recommended.push_back((now, wanted));
        if wanted > current {
            // An addition counts until a round's length is over; the next round, one length later, still sees it.
            self.added.retain(|(at, _)| *at + ROUND >= now);
            let before = current - self.added.iter().map(|(_, count)| *count).sum::<u32>().min(current);
            let allowed = (before + MOST_ADDED).max(before * 2).max(current);
            let replicas = wanted.min(allowed);
            self.added.push_back((now, replicas - current));
            return Some(replicas);
        }
        let highest = self.recommended.iter().map(|(_, replicas)| *replicas).max().unwrap_or(wanted);
        Some(highest.min(current))
    }
}

fn ceiling(jobs: u64, queue_length: u32) -> u32 {
    u32::try_from(jobs.div_ceil(u64::from(queue_length))).unwrap_or(u32::MAX)
}

fn is_due(now: Tick, phase: f64, period: Tick) -> bool {
    now >= ticks(phase) && (now - ticks(phase)).is_multiple_of(period)
}

impl Policy for Keda {
    fn replicas(&mut self, now: Tick, world: &World) -> Option<u32> {
        let Seen { visible, in_flight, .. } = world.seen(QUEUE_AGE);
        let (jobs, current) = (visible + in_flight, world.present().replicas);
        let settings = self.settings;
        let is_look = is_due(now, settings.poll_phase_seconds, ticks(settings.polling_seconds));
        let looked = if is_look { self.look(now, jobs, current) } else { None };
        let is_round = looked.is_none() && is_due(now, settings.round_phase_seconds, ROUND);
        if is_round { self.round(now, jobs, current) } else { looked }
    }

    fn removal(&self) -> Removal {
        Removal::NewestFirst
    }
}
