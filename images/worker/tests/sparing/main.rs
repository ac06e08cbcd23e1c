//! What the queue costs, who waits for whom, and what becomes of messages when workers stop: whole workers in
//! virtual time, at an origin that has nothing and takes its time to say so. `duplicates` has real children.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

mod attempts;
mod bench;
mod calls;
mod fairness;
mod logs;
mod patience;
mod stop;
