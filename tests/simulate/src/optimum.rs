//! The best that knows no future.
//!
//! It knows the present exactly and at once: what waits, who is idle, how many jobs come per second at this moment
//! and how long they take, and it may change its mind every tenth of a second. How it uses that is chosen for each
//! trace afterwards: of all combinations of three numbers the one with the fewest worker-seconds of those whose
//! visitors wait no longer than given. Who scales without that choice cannot be expected to reach it.

use std::collections::VecDeque;

use crate::{Policy, Removal, Run, Tick, Trace, World, counted, run, ticks};

/// In how many seconds what waits is to have begun.
const DRAINS: [f64; 7] = [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];
/// For how many seconds a pod is kept that is not needed.
const LINGERS: [f64; 6] = [0.0, 1.0, 2.0, 5.0, 15.0, 60.0];
/// How many places there are for each job that would be in work at this moment's rate.
const MARGINS: [f64; 7] = [0.0, 1.0, 1.05, 1.1, 1.2, 1.3, 1.45];

struct Best<'a> {
    trace: &'a Trace,
    drain: f64,
    linger: Tick,
    margin: f64,
    /// Falling numbers of pods that were needed, by the time at which they were needed last.
    needed: VecDeque<(Tick, u32)>,
}

/// `None` where no combination lets visitors wait so little.
pub fn find_optimum(trace: &Trace, backlog_area: f64) -> Option<Run> {
    let mut best: Option<Run> = None;
    for drain in DRAINS {
        for linger in LINGERS {
            for margin in MARGINS {
                let mut policy =
                    Best { trace, drain, linger: ticks(linger), margin, needed: VecDeque::new() };
                let run = run(trace, &mut policy);
                let is_cheaper =
                    best.as_ref().is_none_or(|best| run.figures.worker_seconds < best.figures.worker_seconds);
                if run.figures.backlog_area <= backlog_area && is_cheaper {
                    best = Some(run);
                }
            }
        }
    }
    best
}

impl Policy for Best<'_> {
    fn replicas(&mut self, now: Tick, world: &World) -> Option<u32> {
        let seen = world.present();
        let service = self.trace.mean_service(now);
        let jobs = counted(seen.visible + seen.running);
        let places = (jobs * service / (service + self.drain)).max(self.trace.load(now) * self.margin);
        let needed = pods(places / f64::from(self.trace.workers.concurrency)).max(u32::from(jobs > 0.0));
        // Who is lost is known at once.
        let lost = seen.ready.saturating_sub(seen.answering);
        while self.needed.back().is_some_and(|(_, fewer)| *fewer <= needed) {
            self.needed.pop_back();
        }
        self.needed.push_back((now, needed));
        while self.needed.front().is_some_and(|(at, _)| at + self.linger < now) {
            self.needed.pop_front();
        }
        let kept = self.needed.front().map_or(needed, |(_, most)| *most);
        let workers = self.trace.workers;
        Some((kept.max(seen.busy) + lost).clamp(workers.min, workers.max))
    }

    fn removal(&self) -> Removal {
        Removal::IdleFirst
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it saturates, and is never negative"
)]
fn pods(pods: f64) -> u32 {
    (pods - 1e-9).ceil() as u32
}
