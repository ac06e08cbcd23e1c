//! What the kernel holds the child to.

use std::io;

use rlimit::Resource;
use serde::{Deserialize, Serialize};

/// Bounds of one compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildLimits {
    /// CPU time; the kernel ends the process when it is used up.
    pub cpu_seconds: u64,
    /// Address space, the engine's stack and the program itself included.
    pub memory_bytes: u64,
}

/// Standard streams, and what the runtime opens for itself.
const MAX_OPEN_FILES: u64 = 16;

impl ChildLimits {
    /// Binds this process, for good: a limit that was lowered cannot be raised again.
    pub(super) fn apply(&self) -> io::Result<()> {
        let Self { cpu_seconds, memory_bytes } = *self;
        // Soft below hard: SIGXCPU at the soft limit tells "CPU time" from any other end.
        Resource::CPU.set(cpu_seconds, cpu_seconds + 1)?;
        Resource::AS.set(memory_bytes, memory_bytes)?;
        Resource::CORE.set(0, 0)?;
        Resource::FSIZE.set(0, 0)?;
        Resource::NOFILE.set(MAX_OPEN_FILES, MAX_OPEN_FILES)
    }
}
