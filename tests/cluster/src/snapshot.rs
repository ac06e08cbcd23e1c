//! What there is on the machine before and after: processes, mounts, links, packet filter rules,
//! kernel settings, control groups and files. `down` passes only when nothing of ours is new.
//!
//! Other programs may start and write meanwhile. Where a new thing can be told to be theirs it is
//! counted apart; where it cannot, it counts as left behind.

mod files;
mod kernel;
mod processes;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::cache::{Cache, write_whole};
use crate::cgroup::Groups;
use crate::firewall;
use crate::process::boot_id;
use crate::snapshot::files::Packages;

pub use kernel::restore_settings;

/// The state of the machine at one moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshot {
    boot: String,
    processes: BTreeSet<String>,
    mounts: BTreeSet<String>,
    links: BTreeSet<String>,
    rules: BTreeSet<String>,
    settings: BTreeMap<String, String>,
    groups: BTreeSet<String>,
    files: BTreeMap<String, files::Stamp>,
    /// Changes whenever a package is installed.
    packages: Option<files::Stamp>,
}

/// What is new since an earlier snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// One line for each thing that is left behind.
    pub left: Vec<String>,
    /// Things that others made meanwhile, for the record.
    pub of_others: Vec<String>,
}

impl Snapshot {
    pub fn take(cache: &Cache) -> Result<Self> {
        Ok(Self {
            boot: boot_id()?,
            processes: processes::all(),
            mounts: kernel::mounts()?,
            links: kernel::links()?,
            rules: firewall::rules()?.into_iter().collect(),
            settings: kernel::settings(),
            groups: Groups::find()?.all().iter().map(|group| group.display().to_string()).collect(),
            files: files::all(cache),
            packages: files::stamp(Path::new("/var/lib/dpkg/status")),
        })
    }

    fn path(cache: &Cache) -> std::path::PathBuf {
        cache.root.join("before.json")
    }

    pub fn save(&self, cache: &Cache) -> Result<()> {
        write_whole(&Self::path(cache), serde_json::to_vec(self)?)
    }

    /// The saved snapshot, if it is of this run of the machine.
    pub fn load(cache: &Cache) -> Result<Option<Self>> {
        let Ok(bytes) = fs::read(Self::path(cache)) else { return Ok(None) };
        let saved: Self = serde_json::from_slice(&bytes).context("the saved snapshot cannot be read")?;
        Ok((saved.boot == boot_id()?).then_some(saved))
    }

    pub fn forget(cache: &Cache) -> Result<()> {
        let path = Self::path(cache);
        if path.exists() {
            fs::remove_file(&path).context("cannot remove the saved snapshot")
        } else {
            Ok(())
        }
    }

    /// Writes the values back that the cluster's programs changed.
    pub fn restore_settings(&self) -> Result<()> {
        kernel::restore_settings(&self.settings)
    }

    /// Compares with the machine as it is now.
    pub fn compare_with_now(&self, cache: &Cache) -> Result<Comparison> {
        Ok(self.compare(&Self::take(cache)?, cache))
    }

    fn compare(&self, now: &Self, cache: &Cache) -> Comparison {
        let mut found = Comparison::default();
        for process in now.processes.difference(&self.processes) {
            if processes::is_ours(process, &cache.root) {
                found.left.push(format!("process {process}"));
            } else if processes::still_runs(process) {
                found.of_others.push(format!("process {process}"));
            }
        }
        for (kind, before, now) in [
            ("mount", &self.mounts, &now.mounts),
            ("link", &self.links, &now.links),
            ("rule", &self.rules, &now.rules),
        ] {
            found.left.extend(now.difference(before).map(|thing| format!("{kind} {thing}")));
        }
        for group in now.groups.difference(&self.groups) {
            let kept =
                if is_below_older(group, &self.groups) { &mut found.of_others } else { &mut found.left };
            kept.push(format!("control group {group}"));
        }
        for (name, value) in &self.settings {
            if let Some(new) = now.settings.get(name).filter(|new| *new != value) {
                found.left.push(format!("kernel setting {name}: was {value}, is {new}"));
            }
        }
        let packages = if self.packages == now.packages { Packages::Unchanged } else { Packages::Changed };
        files::compare(&self.files, &now.files, packages, &mut found);
        found
    }
}

/// Whether a control group was made inside one that was there before and is no root of a tree: such
/// a group belongs to the older one's owner, since all of ours lie in one of their own.
fn is_below_older(group: &str, before: &BTreeSet<String>) -> bool {
    let is_root =
        |folder: &Path| folder.parent().is_none_or(|above| !before.contains(&*above.to_string_lossy()));
    let older =
        Path::new(group).ancestors().skip(1).find(|folder| before.contains(&*folder.to_string_lossy()));
    older.is_some_and(|folder| !is_root(folder))
}

/// Lists a folder's entries by path; what cannot be read is empty.
fn entries(folder: &Path) -> Vec<fs::DirEntry> {
    fs::read_dir(folder).into_iter().flatten().flatten().collect()
}

#[cfg(test)]
mod tests;
