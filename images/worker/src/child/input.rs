//! Standard input, for as long as there is CPU time left.
//!
//! The kernel looks at a limit of CPU time, and at a timer of it, at each tick, and only where the process is
//! running then: a child that asks and waits, asks and waits, runs a third longer than its limit. So the exact
//! clock is looked at with each question. Between questions the kernel is right.

use std::{
    io::{self, Read},
    process,
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};

/// The exit code of a child whose CPU time is used up, where no signal told it first.
pub const OUT_OF_TIME: u8 = 124;

pub(super) struct TimedInput<R> {
    input: R,
    /// Of this process, at which it ends.
    cpu_time: Duration,
}

/// What this process has used so far, exactly.
pub(super) fn used_cpu_time() -> io::Result<Duration> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?))
}

impl<R> TimedInput<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, cpu_time: Duration::MAX }
    }

    /// From now on there is so much.
    pub(super) fn start(&mut self, cpu_time: Duration) -> io::Result<()> {
        self.cpu_time = used_cpu_time()? + cpu_time;
        Ok(())
    }
}

impl<R: Read> Read for TimedInput<R> {
    /// Ends the process where its time is used up: no error of the engine's is to hide it.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if used_cpu_time()? > self.cpu_time {
            process::exit(OUT_OF_TIME.into());
        }
        self.input.read(buffer)
    }
}
