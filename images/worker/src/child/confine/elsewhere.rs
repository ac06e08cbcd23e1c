//! On a developer's machine that is no Linux: nothing beyond limits.

use std::{io, time::Duration};

use super::{ConfineError, Confinement};

/// The limit of the process's CPU time alone holds it.
pub struct CpuTimer;

impl CpuTimer {
    #[expect(clippy::unnecessary_wraps, reason = "on Linux this may fail")]
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "on Linux this may fail")]
    pub(in crate::child) fn start(&mut self, _cpu_time: Duration) -> io::Result<()> {
        Ok(())
    }
}

#[expect(clippy::unnecessary_wraps, reason = "on Linux this may fail")]
pub(super) fn close_inherited() -> io::Result<()> {
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "on Linux this may fail")]
pub(super) fn forbid_files_and_network() -> Result<Confinement, ConfineError> {
    Ok(Confinement::LimitsOnly)
}

#[expect(clippy::unnecessary_wraps, reason = "on Linux this may fail")]
pub(super) fn filter_calls() -> Result<(), ConfineError> {
    Ok(())
}
