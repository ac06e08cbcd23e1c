//! The real decider, as the operator asks it.

use std::{num::NonZeroU32, time::Duration};

use jiff::Timestamp;
use scaling::{Limits, Pods, Queue, Sample, ScaleIn, Signal, Target, Web, Window, Workers, decide};

use crate::{Policy, Removal, Seen, TICKS_PER_SECOND, Tick, Trace, World, seconds};

/// How often it is asked.
const PERIOD: Tick = TICKS_PER_SECOND;
/// How old the queue's numbers are, and those of the pods.
const QUEUE_AGE: usize = 10;
const PODS_AGE: usize = 5;

pub struct Ours {
    limits: Limits,
    concurrency: NonZeroU32,
    window: Window,
}

/// What a pipeline under this trace would say: the target of its visitors' wait, and nothing else.
pub fn limits_for(trace: &Trace) -> Limits {
    let concurrency = NonZeroU32::new(trace.workers.concurrency).unwrap_or(NonZeroU32::MIN);
    let wait = Duration::from_secs_f64(trace.target_wait_seconds);
    let target = Target::Latency { wait, concurrency };
    let mut limits = Limits::new(trace.workers.min, trace.workers.max, target, ScaleIn::WhenFewerDoForAStart);
    limits.tolerance_percent = 10;
    limits
}

impl Ours {
    pub fn new(trace: &Trace, limits: Limits) -> Self {
        let concurrency = NonZeroU32::new(trace.workers.concurrency).unwrap_or(NonZeroU32::MIN);
        Self { limits, concurrency, window: Window::default() }
    }

    fn sample(&self, queue: &Seen, pods: &Seen, present: &Seen) -> Sample {
        let web = Web {
            held: pods.held,
            oldest_wait: duration(pods.oldest_wait),
            sent: pods.sent,
            finished: pods.finished,
        };
        let workers = Workers {
            answering: pods.answering,
            busy: pods.busy,
            running: pods.running,
            concurrency: (pods.answering > 0).then_some(self.concurrency),
            finished: pods.finished,
            worked: duration(pods.worked),
        };
        let visits = Queue { visible: queue.visible, in_flight: queue.in_flight, delayed: 0 };
        let pods = Pods {
            replicas: present.replicas,
            ready: pods.ready.min(present.replicas),
            asked_since: present.asked_since.map(at),
            ready_since: pods.ready_since.map(at),
        };
        Sample {
            visits: Signal::Told(visits),
            refreshes: Signal::Unasked,
            web: Signal::Told(web),
            workers: Signal::Told(workers),
            pods,
        }
    }
}

impl Policy for Ours {
    fn replicas(&mut self, now: Tick, world: &World) -> Option<u32> {
        if !now.is_multiple_of(PERIOD) {
            return None;
        }
        let sample = self.sample(&world.seen(QUEUE_AGE), &world.seen(PODS_AGE), &world.present());
        self.window = std::mem::take(&mut self.window).with(&sample, at(now));
        Some(decide(&self.limits, &self.window, &sample, at(now)).replicas)
    }

    fn removal(&self) -> Removal {
        Removal::IdleFirst
    }
}

fn duration(ticks: Tick) -> Duration {
    Duration::from_secs_f64(seconds(ticks))
}

fn at(tick: Tick) -> Timestamp {
    Timestamp::UNIX_EPOCH + duration(tick)
}
