//! One policy under one trace.

use crate::{Figures, TICKS_PER_SECOND, Tick, Trace, World, seconds};

/// Who scales.
pub trait Policy {
    /// The number of pods from now on; `None` leaves it. It is asked at every tick.
    fn replicas(&mut self, now: Tick, world: &World) -> Option<u32>;

    fn removal(&self) -> Removal;
}

/// Which pods go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// By deletion cost, which tells the cluster who is idle.
    IdleFirst,
    /// As the cluster does it by itself.
    NewestFirst,
}

/// A second of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    pub second: f64,
    pub waiting: u64,
    pub replicas: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub figures: Figures,
    pub moments: Vec<Moment>,
    /// Of all jobs in the order in which they begin: when they came and how long they waited, in seconds.
    pub waits: Vec<(f64, f64)>,
}

pub fn run(trace: &Trace, policy: &mut dyn Policy) -> Run {
    let jobs = trace.draw_jobs();
    let mut coming = jobs.as_slice();
    let mut world = World::new(trace);
    let mut moments = Vec::new();
    let (mut area, mut paid) = (0_u64, 0_u64);
    for now in 0..trace.last_tick() {
        let (come, later) = coming.split_at(coming.partition_point(|job| job.arrives <= now));
        coming = later;
        world.step(now, come);
        if trace.is_lost_now(now) {
            world.lose_zone();
        }
        if let Some(replicas) = policy.replicas(now, &world) {
            world.scale(replicas, policy.removal());
        }
        let present = world.present();
        area += present.visible;
        paid += u64::from(world.paid());
        if now.is_multiple_of(TICKS_PER_SECOND) {
            moments.push(Moment {
                second: seconds(now),
                waiting: present.visible,
                replicas: present.replicas,
            });
        }
    }
    let waits: Vec<_> = world.waits().into_iter().map(|(at, wait)| (seconds(at), seconds(wait))).collect();
    Run { figures: Figures::of(seconds(area), seconds(paid), &waits, &moments), moments, waits }
}
