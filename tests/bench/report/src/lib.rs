//! What benches share: spreads over runs, what the kernel tells of the machine and of processes, and the file of
//! results.
//!
//! Owns the form of results; deliberately runs nothing.

mod machine;
mod processes;
mod results;
mod spread;

pub use machine::{load_average, machine};
pub use processes::{children_of, is_asleep, thread_seconds, tree_seconds};
pub use results::{Part, verdict, write};
pub use spread::Spread;
