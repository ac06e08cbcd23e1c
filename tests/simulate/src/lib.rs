//! The scaling of workers in virtual time.
//!
//! Owns the model of queues and pods, the traces of load, the models of KEDA and of the best that knows no
//! future, and the figures and drawings by which the real decider is compared with both. Deliberately has no
//! rule of scaling of its own: that is `scaling`'s code.

mod comparison;
mod drawing;
mod figures;
mod keda;
mod optimum;
mod ours;
mod random;
mod recording;
mod run;
mod trace;
mod world;

pub use comparison::{Comparison, compare};
pub use drawing::draw;
pub use figures::Figures;
pub use keda::{Keda, KedaSettings};
pub use optimum::find_optimum;
pub use ours::{Ours, limits_for};
pub use recording::{Deviation, Recording};
pub use run::{Moment, Policy, Removal, Run, run};
pub use trace::{InvalidTrace, TRACES, Trace};
pub use world::{Seen, World};

/// Virtual time in steps of a tenth of a second.
pub type Tick = u64;
/// How many of them a second has.
pub const TICKS_PER_SECOND: Tick = 10;

/// The time of a tick.
#[expect(clippy::cast_precision_loss, reason = "a trace is shorter than 2^53 ticks")]
pub fn seconds(tick: Tick) -> f64 {
    tick as f64 / TICKS_PER_SECOND as f64
}

/// The tick of a time; none is before the beginning.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates at the beginning")]
pub fn ticks(seconds: f64) -> Tick {
    (seconds * 10.0).round() as Tick
}

/// A count for reckoning.
#[expect(clippy::cast_precision_loss, reason = "a trace has fewer than 2^53 jobs")]
pub(crate) fn counted(count: u64) -> f64 {
    count as f64
}
