//! Taking everything away again, and proving it.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cgroup::{BASE, Groups};
use crate::lifecycle::Cluster;
use crate::progress::Progress;
use crate::snapshot::{Comparison, Snapshot};
use crate::{firewall, network};

/// What the comparison of before and after found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leftovers {
    /// There was neither a cluster nor a record of the machine before it.
    NothingToTakeDown,
    /// The cluster is gone, but no record of the machine before it was found to compare with.
    NotCompared,
    Compared(Comparison),
}

impl Cluster {
    /// Ends and removes all that the cluster consists of, and compares the machine with the record
    /// that was made before the first start.
    pub fn down(&self, progress: &Progress) -> Result<Leftovers> {
        let _unused = self.wait_until_unused(progress)?;
        let _lock = self.lock()?;
        let before = Snapshot::load(&self.cache)?;
        if before.is_none() && !self.exists() {
            return Ok(Leftovers::NothingToTakeDown);
        }
        self.clear(progress)?;
        let Some(before) = before else { return Ok(Leftovers::NotCompared) };
        before.restore_settings()?;
        progress.say("comparing the machine with how it was before");
        // The kernel takes down network namespaces and their links after their last process.
        let mut found = before.compare_with_now(&self.cache)?;
        for _ in 0..20 {
            if found.left.is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(250));
            found = before.compare_with_now(&self.cache)?;
        }
        if found.left.is_empty() {
            Snapshot::forget(&self.cache)?;
        }
        Ok(Leftovers::Compared(found))
    }

    fn wait_until_unused(&self, progress: &Progress) -> Result<File> {
        let file = self.use_file()?;
        let what = "the tests that use the cluster to end";
        progress.wait(what, Duration::from_hours(1), Duration::from_millis(500), || {
            match file.try_lock() {
                Ok(()) => Ok(true),
                Err(TryLockError::WouldBlock) => Ok(false),
                Err(TryLockError::Error(error)) => Err(error).context("cannot lock the cluster"),
            }
        })?;
        Ok(file)
    }

    /// Ends and removes everything, in whatever state it is.
    pub(super) fn clear(&self, progress: &Progress) -> Result<()> {
        progress.say("ending all processes of the cluster");
        let groups = Groups::find()?;
        groups.kill(BASE)?;
        groups.remove(BASE)?;
        network::remove()?;
        firewall::clear()?;
        remove_folder(&self.cache.state())
    }
}

fn remove_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}
