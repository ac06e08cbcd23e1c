//! CPU that this process and its children have used, to the microsecond.

use std::{ops::Div, time::Duration};

use bench_report::thread_seconds;
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};

/// User and system time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    here: Duration,
    pub(crate) in_children: Duration,
}

impl Used {
    /// In children: those that were waited for, and these, which live.
    pub(crate) fn now(living: impl IntoIterator<Item = u32>) -> anyhow::Result<Self> {
        let of = |who| {
            let usage = getrusage(who)?;
            let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
            anyhow::Ok(Duration::from_micros(microseconds.try_into()?))
        };
        let living = living.into_iter().map(thread_seconds).map(Duration::from_secs_f64).sum::<Duration>();
        Ok(Self { here: of(UsageWho::RUSAGE_SELF)?, in_children: of(UsageWho::RUSAGE_CHILDREN)? + living })
    }

    pub(crate) fn since(self, before: Self) -> Self {
        let Self { here, in_children } = self;
        Self {
            here: here.saturating_sub(before.here),
            in_children: in_children.saturating_sub(before.in_children),
        }
    }

    /// Of both, in seconds.
    pub(crate) fn seconds(self) -> f64 {
        (self.here + self.in_children).as_secs_f64()
    }
}

impl Div<u32> for Used {
    type Output = Self;

    fn div(self, jobs: u32) -> Self {
        Self { here: self.here / jobs, in_children: self.in_children / jobs }
    }
}
