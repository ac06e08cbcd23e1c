//! What is done while nobody tells what waits.

use std::{num::NonZeroU32, time::Duration};

/// Pods are never let go while signals fail; this says whether some are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// As many pods as there are.
    Keep,
    /// At least so many, once the signals have failed for `after`.
    AtLeast { replicas: NonZeroU32, after: Duration },
}

impl Fallback {
    /// The fewest pods after the signals have failed for this long.
    pub(crate) fn floor(self, failed_for: Duration) -> u32 {
        match self {
            Self::AtLeast { replicas, after } if failed_for >= after => replicas.get(),
            Self::Keep | Self::AtLeast { .. } => 0,
        }
    }
}
