//! How many workers there should be. Pure: limits, history, sample and time in, a decision out.
//!
//! Owns what a decision is made from and the decision. Deliberately fetches nothing, writes nothing, and does
//! not know Kubernetes, AWS or a clock.

mod decide;
mod doubt;
mod fallback;
mod limits;
mod need;
mod pause;
mod sample;
mod schedule;
mod window;

pub use decide::{Basis, Decision, Reason, decide};
pub use doubt::Doubt;
pub use fallback::Fallback;
pub use limits::{Limits, ScaleIn, Step, Target};
pub use pause::{InvalidPause, Pause};
pub use sample::{Pods, Queue, Sample, Signal, Web, Workers};
pub use schedule::{InvalidSchedule, Schedule};
pub use window::{Learnt, Window};
