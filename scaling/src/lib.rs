//! How many workers there should be. Pure: limits, history, sample and time in, a decision out.
//!
//! Owns what a decision is made from and the decision. Deliberately fetches nothing, writes nothing, and does
//! not know Kubernetes, AWS or a clock.

mod decide;

pub use decide::{Decision, Limits, Reason, Sample, Window, decide};
