//! One command at a time changes the machine, or measures on it: `up`, `down`, `node`, `test` and `bench` wait for each other.

use std::fs::{File, TryLockError};
use std::time::Duration;

use anyhow::{Context, Result};
use cluster::Cache;
use cluster::progress::Progress;

/// Longer than any of the commands takes.
const PATIENCE: Duration = Duration::from_hours(2);

/// Waits for other commands to end. The lock is held until the answer is dropped, and freed by the
/// kernel where this process dies.
pub(crate) fn take(cache: &Cache) -> Result<File> {
    let path = cache.root.join("command.lock");
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    let what = "another `cargo xtask` on this machine to end";
    Progress::start().wait(what, PATIENCE, Duration::from_millis(500), || match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error).context("cannot lock the cache folder"),
    })?;
    Ok(file)
}
