//! The kernel's timer of this process's CPU time.
//!
//! A limit of CPU time counts from the process's start, and in whole seconds: a child that has served already would
//! have less for its next order.

use std::{io, mem::ManuallyDrop, time::Duration};

use nix::{
    sys::{
        signal::{SigEvent, SigevNotify, Signal},
        timer::{Expiration, Timer, TimerSetTimeFlags},
    },
    time::ClockId,
};

/// Ends with the process: a confined one may not delete it.
pub struct CpuTimer(ManuallyDrop<Timer>);

impl CpuTimer {
    pub(in crate::child::confine) fn new() -> io::Result<Self> {
        // As at a limit.
        let signal = SigEvent::new(SigevNotify::SigevSignal { signal: Signal::SIGXCPU, si_value: 0 });
        Ok(Self(ManuallyDrop::new(Timer::new(ClockId::CLOCK_PROCESS_CPUTIME_ID, signal)?)))
    }

    /// Ends this process by SIGXCPU as soon as it has used so much CPU time from now on.
    pub(in crate::child) fn start(&mut self, cpu_time: Duration) -> io::Result<()> {
        Ok(self.0.set(Expiration::OneShot(cpu_time.into()), TimerSetTimeFlags::empty())?)
    }
}
