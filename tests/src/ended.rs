//! Cleaning up after a test that may fail or panic.

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    thread,
};

use anyhow::Result;
use futures::FutureExt;

/// How an act ended, kept until everything is cleaned up.
#[must_use]
pub struct Ended(thread::Result<Result<()>>);

impl Ended {
    /// Runs the act to its end, be it a panic.
    pub async fn of(act: impl Future<Output = Result<()>>) -> Self {
        Self(AssertUnwindSafe(act).catch_unwind().await)
    }

    pub fn is_well(&self) -> bool {
        matches!(self.0, Ok(Ok(())))
    }

    /// The act's failure or panic goes on; after a good end the cleaning's outcome counts.
    pub fn then(self, cleaned: Result<()>) -> Result<()> {
        self.0.unwrap_or_else(|panic| resume_unwind(panic)).and(cleaned)
    }
}
