//! Jobs through a whole worker on embedded ports: real children, real files, real limits.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod bench;
mod calls;
mod dense;
mod duplicates;
mod engines;
mod imports;
mod outcomes;
mod revalidation;
mod urls;
