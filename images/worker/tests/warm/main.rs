//! Children that are started ahead of their jobs, and those that stay for their tenant's next one.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

mod bounds;
mod children;
mod site;
mod waiting;
