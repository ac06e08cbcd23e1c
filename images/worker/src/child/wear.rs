//! When a child has served long enough.

use std::{io, time::Duration};

use super::{input::used_cpu_time, limits::ChildLimits};

/// The limit of CPU time is of the whole process: what earlier orders have used is missing to the next one. This
/// part of it may be missing.
const MOST_CPU_PART: u32 = 20;

/// Whether this process is to be replaced rather than given another order.
pub(super) fn is_worn(limits: ChildLimits) -> io::Result<bool> {
    Ok(is_worn_by(used_cpu_time()?, limits))
}

fn is_worn_by(used: Duration, limits: ChildLimits) -> bool {
    used * MOST_CPU_PART > Duration::from_secs(limits.cpu_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn child_is_worn_by_more_than_a_twentieth_of_its_cpu_time() {
        for (milliseconds, cpu_seconds, is_worn) in
            [(0, 8, false), (400, 8, false), (401, 8, true), (50, 1, false), (51, 1, true), (8_000, 8, true)]
        {
            let limits = ChildLimits { cpu_seconds, memory_bytes: 0 };
            assert_eq!(is_worn_by(Duration::from_millis(milliseconds), limits), is_worn, "{milliseconds} ms");
        }
    }
}
