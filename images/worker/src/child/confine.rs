//! Gives up, for good, all that a compile does not need, and then does what is to be done.
//!
//! Three layers, each of which holds alone: limits of the kernel, landlock where the kernel has it, and a
//! filter on system calls. A child is confined before it reads its first byte. Deliberately not here: what a
//! child does then, and what its parent makes of its end.

#[cfg_attr(not(target_os = "linux"), path = "confine/elsewhere.rs")]
#[cfg_attr(target_os = "linux", path = "confine/linux.rs")]
mod kernel;

use std::{io, thread};

use serde::{Deserialize, Serialize};

use super::limits::{ChildLimits, forbid_growth};
pub use kernel::CpuTimer;

/// The stack of what runs confined. Engines recurse over nested rules and calls; a deeper recursion ends the
/// child.
const STACK_BYTES: usize = 64 << 20;

/// What holds a child beside its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Confinement {
    /// seccomp, and landlock with all that we ask of it.
    Full,
    /// seccomp, and a landlock that cannot hold all of it: the kernel is older than 6.12.
    OldLandlock,
    /// seccomp alone.
    NoLandlock,
    /// This is no Linux: limits alone.
    LimitsOnly,
    /// A build that is profiled (`cfg(training)`), where a child has to write a file. For no stranger's Sass.
    Nothing,
}

impl Confinement {
    /// What the kernel lacks, for people.
    pub fn lacks(self) -> Option<&'static str> {
        match self {
            Self::Full => None,
            Self::OldLandlock => Some("landlock of Linux 6.12"),
            Self::NoLandlock => Some("landlock"),
            Self::LimitsOnly => Some("seccomp and landlock"),
            Self::Nothing => Some("any confinement, being built to be profiled"),
        }
    }
}

/// Why a process could not be confined. It must not be given anything of a tenant's then.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    #[error("could not close the descriptors that were left open for this process")]
    Descriptors(#[source] io::Error),
    #[error("could not set a limit of this process")]
    Limit(#[source] io::Error),
    #[error("the kernel gave no timer of this process's CPU time")]
    CpuTimer(#[source] io::Error),
    #[cfg(target_os = "linux")]
    #[error("landlock refused its rules")]
    Landlock(#[from] landlock::RulesetError),
    #[cfg(target_os = "linux")]
    #[error("could not build the filter on system calls")]
    Filter(#[from] seccompiler::BackendError),
    #[cfg(target_os = "linux")]
    #[error("the kernel did not take the filter on system calls; seccomp is required")]
    Seccomp(#[from] seccompiler::Error),
    #[error("could not start the thread that compiles")]
    Thread(#[source] io::Error),
    #[error("the confined thread panicked")]
    Panicked,
}

/// Does `work` on a thread with a large stack, in a process that can do nothing but compute, read standard
/// input and write to standard output from then on; what it tries beyond that ends it by SIGSYS. Only where
/// nothing else runs in this process: what others hold open is closed under them.
pub fn run<T: Send + 'static>(
    limits: ChildLimits,
    work: impl FnOnce(Confinement, CpuTimer) -> T + Send + 'static,
) -> Result<T, ConfineError> {
    let confinement = if cfg!(training) { Confinement::Nothing } else { restrict(limits)? };
    let confined = move || {
        let cpu_timer = CpuTimer::new().map_err(ConfineError::CpuTimer)?;
        if !cfg!(training) {
            // After the thread was started, which these would forbid. The filter holds every thread.
            forbid_growth().map_err(ConfineError::Limit)?;
            kernel::filter_calls()?;
        }
        Ok(work(confinement, cpu_timer))
    };
    let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn(confined);
    thread.map_err(ConfineError::Thread)?.join().unwrap_or(Err(ConfineError::Panicked))
}

/// All layers but the filter on system calls, for this thread and those that it starts.
pub fn restrict(limits: ChildLimits) -> Result<Confinement, ConfineError> {
    kernel::close_inherited().map_err(ConfineError::Descriptors)?;
    limits.apply().map_err(ConfineError::Limit)?;
    kernel::forbid_files_and_network()
}
