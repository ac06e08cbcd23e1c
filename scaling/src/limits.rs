//! What the spec allows and asks for.

use std::{num::NonZeroU32, time::Duration};

use crate::{Fallback, Pause, Schedule};

/// The bounds and aims of one pipeline. `Limits::new` sets none of those that may be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub min_replicas: u32,
    pub max_replicas: u32,
    pub target: Target,
    pub scale_in: ScaleIn,
    /// Of `max_replicas`, in percent: refreshes alone never ask for more. `None`: they count like visits.
    pub refresh_share_percent: Option<u32>,
    /// Of the number of pods, in percent: a smaller difference is not worth a change. Bounds are kept all the
    /// same, and so is the way to and from zero.
    pub tolerance_percent: u32,
    pub step_out: Option<Step>,
    pub step_in: Option<Step>,
    /// Floors for certain hours.
    pub schedules: Vec<Schedule>,
    pub pause: Option<Pause>,
    pub fallback: Fallback,
}

/// What the number of pods is to achieve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// So many jobs, waiting or in work, per worker pod.
    Backlog { per_replica: NonZeroU32 },
    /// Of a hundred visitors who wait for a job, ninety-five wait no longer than this until a worker begins it.
    Latency {
        wait: Duration,
        /// Jobs that a pod runs at the same time, until workers have told.
        concurrency: NonZeroU32,
    },
}

/// When pods are let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleIn {
    /// All beyond the minimum together, once the queues have been empty for so long, jobs in work included.
    WhenEmptyFor(Duration),
    /// Those that fewer would do without, once fewer would have done for so long.
    WhenFewerDoFor(Duration),
    /// Likewise, for as long as a pod takes to start: who lets one go and misses it at once has then lost no
    /// more than keeping it would have cost. The break-even rule of renting or buying skis, which costs at the
    /// most twice of what knowing the future would (Karlin et al., "Competitive snoopy caching", 1988).
    WhenFewerDoForAStart,
}

/// No more than so many pods at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub replicas: NonZeroU32,
    /// From one change in this direction to the next.
    pub every: Duration,
}

impl Limits {
    pub fn new(min_replicas: u32, max_replicas: u32, target: Target, scale_in: ScaleIn) -> Self {
        Self {
            min_replicas,
            max_replicas,
            target,
            scale_in,
            refresh_share_percent: None,
            tolerance_percent: 0,
            step_out: None,
            step_in: None,
            schedules: Vec::new(),
            pause: None,
            fallback: Fallback::Keep,
        }
    }
}
