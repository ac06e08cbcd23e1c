//! Parent and child against whatever the other one may say.
//!
//! A target for fuzzing: `PROPTEST_CASES=100000 cargo test -p worker --test protocol` goes on for longer.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

mod child;
mod parent;
mod speech;
