//! Small hostile style sheets: each ends in an outcome, within its limits, and harms nobody else.

#![expect(clippy::format_collect, reason = "inputs may be made slowly")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod inputs;
mod limits;
mod parent;
mod worker;
