//! Several tenants in one web process: what they may not see of one another, and what they may not take
//! from one another. On embedded ports, in virtual time.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod breaker;
mod isolation;
mod limits;
mod town;
