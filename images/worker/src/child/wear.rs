//! When a child has served long enough.

use std::{io, time::Duration};

use super::{input::used_cpu_time, limits::ChildLimits};

/// Whether this process is to be replaced rather than given another order: the limit of its CPU time is to leave
/// that one all of its own.
pub(super) fn is_worn(limits: ChildLimits) -> io::Result<bool> {
    Ok(is_worn_by(used_cpu_time()?, limits))
}

fn is_worn_by(used: Duration, limits: ChildLimits) -> bool {
    used > limits.cpu_time_before_last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn child_is_worn_by_more_than_half_of_an_orders_cpu_time() {
        for (milliseconds, cpu_seconds, is_worn) in
            [(0, 8, false), (4_000, 8, false), (4_001, 8, true), (500, 1, false), (501, 1, true)]
        {
            let limits = ChildLimits { cpu_seconds, memory_bytes: 0 };
            assert_eq!(is_worn_by(Duration::from_millis(milliseconds), limits), is_worn, "{milliseconds} ms");
        }
    }
}
