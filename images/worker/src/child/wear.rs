//! When a child has served long enough.

use std::{io, time::Duration};

use super::{input::used_cpu_time, limits::ChildLimits};

/// The limit of CPU time is of the whole process: what earlier orders have used is missing to the next one. This
/// part of it may be missing.
const MOST_CPU_PART: u32 = 20;

/// Whether this process is to be replaced rather than given another order.
pub(super) fn is_worn(limits: ChildLimits) -> io::Result<bool> {
    Ok(used_cpu_time()? * MOST_CPU_PART > Duration::from_secs(limits.cpu_seconds))
}
