//! The highest levels of late.

use std::time::Duration;

use jiff::Timestamp;

use super::slots::Slots;

/// Up to here by the second, beyond in slots of ten seconds, and five minutes at the most.
const FINE_SECONDS: f64 = 15.0;

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Peaks {
    fine: Slots<16, 1>,
    coarse: Slots<31, 10>,
}

impl Peaks {
    /// With a level that lasts from now on until another one is told.
    pub(super) fn raised(self, now: Timestamp, level: f64) -> Self {
        Self { fine: self.fine.raised(now, level), coarse: self.coarse.raised(now, level) }
    }

    pub(super) fn highest(&self, duration: Duration) -> f64 {
        let seconds = duration.as_secs_f64();
        if seconds <= FINE_SECONDS { self.fine.highest(seconds) } else { self.coarse.highest(seconds) }
    }
}
