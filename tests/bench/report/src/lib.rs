//! What benches share: spreads over runs, what is told of the machine, and the file of results.
//!
//! Owns the form of results; deliberately measures nothing.

mod machine;
mod results;
mod spread;

pub use machine::{load_average, machine};
pub use results::{Part, verdict, write};
pub use spread::Spread;
