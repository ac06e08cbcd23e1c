//! What the kernel holds the child to, and how the child is told of it: as arguments, before it reads anything.

use std::{io, time::Duration};

use rlimit::Resource;

/// Bounds of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChildLimits {
    /// CPU time for one order; the kernel ends the process when it is used up. All of a process's together may
    /// take half as much again.
    pub cpu_seconds: u64,
    /// Address space, the engine's stack and the program itself included.
    pub memory_bytes: u64,
}

impl ChildLimits {
    pub(super) fn cpu_time(&self) -> Duration {
        Duration::from_secs(self.cpu_seconds)
    }

    /// Of all orders before the last one.
    pub(super) fn cpu_time_before_last(&self) -> Duration {
        self.cpu_time() / 2
    }

    /// Binds this process, for good: a limit that was lowered cannot be raised again.
    pub(super) fn apply(&self) -> io::Result<()> {
        let Self { cpu_seconds, memory_bytes } = *self;
        // Soft below hard: SIGXCPU at the soft limit tells "CPU time" from any other end.
        let of_all_orders = cpu_seconds + cpu_seconds.div_ceil(2);
        Resource::CPU.set(of_all_orders, of_all_orders + 1)?;
        Resource::AS.set(memory_bytes, memory_bytes)?;
        Resource::CORE.set(0, 0)?;
        Resource::FSIZE.set(0, 0)
    }
}

/// No process, thread or descriptor more than there are. The first does not hold root.
pub(super) fn forbid_growth() -> io::Result<()> {
    Resource::NPROC.set(0, 0)?;
    Resource::NOFILE.set(0, 0)
}

/// All that a child is told at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) limits: ChildLimits,
    /// The longest style sheet that is taken.
    pub(crate) output_bytes: usize,
}

impl Terms {
    pub(crate) fn to_arguments(self) -> [String; 3] {
        let Self { limits: ChildLimits { cpu_seconds, memory_bytes }, output_bytes } = self;
        [cpu_seconds.to_string(), memory_bytes.to_string(), output_bytes.to_string()]
    }

    pub(super) fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut next = || arguments.next()?.parse::<u64>().ok();
        let limits = ChildLimits { cpu_seconds: next()?, memory_bytes: next()? };
        let output_bytes = usize::try_from(next()?).ok()?;
        arguments.next().is_none().then_some(Self { limits, output_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_survive_the_command_line() {
        let limits = ChildLimits { cpu_seconds: 8, memory_bytes: 768 << 20 };
        let terms = Terms { limits, output_bytes: 16 << 20 };
        let arguments = terms.to_arguments();
        assert_eq!(Terms::from_arguments(arguments.clone().into_iter()), Some(terms));
        assert_eq!(Terms::from_arguments(arguments.clone().into_iter().take(2)), None);
        assert_eq!(Terms::from_arguments(arguments.into_iter().chain(["1".to_owned()])), None);
    }
}
