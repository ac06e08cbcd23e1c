//! The control groups of the cluster: they limit pods, and they name every process that belongs to
//! it, so that all can be found and ended without guessing.
//!
//! Knows both layouts: one tree (version 2), or one tree per controller (version 1).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::process::ProcessId;

/// The group that holds all others of ours.
pub const BASE: &str = "assetpipeline";
/// Control plane, emulator, and what else belongs to no node.
pub const HOST: &str = "assetpipeline/host";

/// The mounted trees of control groups.
#[derive(Debug, Clone)]
pub struct Groups {
    trees: Vec<PathBuf>,
    unified: bool,
}

impl Groups {
    pub fn find() -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").context("cannot read the mounts")?;
        let of_type = |kind: &str| -> Vec<PathBuf> {
            let lines = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
            lines
                .filter(|fields| fields.get(2) == Some(&kind))
                .filter_map(|fields| fields.get(1).map(PathBuf::from))
                .collect()
        };
        let version_one = of_type("cgroup");
        if !version_one.is_empty() {
            return Ok(Self { trees: version_one, unified: false });
        }
        match of_type("cgroup2").into_iter().next() {
            Some(tree) => Ok(Self { trees: vec![tree], unified: true }),
            None => bail!("no control groups are mounted: mount cgroup2 on /sys/fs/cgroup"),
        }
    }

    /// The tree in which every process of ours is looked for.
    fn tracking(&self) -> Result<&Path> {
        let pids = self.trees.iter().find(|tree| tree.ends_with("pids"));
        pids.or(self.trees.first()).map(PathBuf::as_path).context("no control group tree")
    }

    /// The file that a process writes its id to in order to join `group`.
    pub fn join_file(&self, group: &str) -> Result<PathBuf> {
        Ok(self.tracking()?.join(group).join("cgroup.procs"))
    }

    /// Creates a group and those above it, able to hold processes.
    pub fn create(&self, group: &str) -> Result<()> {
        for tree in &self.trees {
            let mut above = tree.clone();
            for part in group.split('/') {
                let folder = above.join(part);
                if self.unified {
                    delegate_controllers(&above)?;
                }
                fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
                // Without these two a group of version 1's cpuset takes no process.
                for file in ["cpuset.cpus", "cpuset.mems"] {
                    copy_setting(&above.join(file), &folder.join(file))?;
                }
                above = folder;
            }
        }
        Ok(())
    }

    /// The processes in a group and in all groups below it.
    pub fn processes(&self, group: &str) -> Result<Vec<ProcessId>> {
        let mut found = Vec::new();
        for folder in folders_below(&self.tracking()?.join(group)) {
            let listed = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            found.extend(
                listed.lines().filter_map(|line| line.parse().ok()).filter_map(ProcessId::of_running),
            );
        }
        Ok(found)
    }

    /// Ends all processes in a group and below it, also those that are started meanwhile.
    pub fn kill(&self, group: &str) -> Result<()> {
        let started = Instant::now();
        loop {
            let processes = self.processes(group)?;
            if processes.is_empty() {
                return Ok(());
            }
            if started.elapsed() > Duration::from_secs(30) {
                let pids: Vec<_> = processes.iter().map(|process| process.pid).collect();
                bail!("processes {pids:?} of the group {group} do not end");
            }
            for process in processes {
                process.signal(Signal::KILL)?;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Removes a group and all below it; its processes must have ended.
    pub fn remove(&self, group: &str) -> Result<()> {
        for tree in &self.trees {
            let started = Instant::now();
            // Deepest first; the kernel may need a moment after the last process ended.
            for folder in folders_below(&tree.join(group)).into_iter().rev() {
                while let Err(error) = fs::remove_dir(&folder) {
                    if error.kind() == std::io::ErrorKind::NotFound {
                        break;
                    }
                    if started.elapsed() > Duration::from_secs(10) {
                        return Err(error).with_context(|| format!("cannot remove {}", folder.display()));
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
        Ok(())
    }

    /// All groups on this machine, for comparison.
    pub fn all(&self) -> Vec<PathBuf> {
        self.trees.iter().flat_map(|tree| folders_below(tree)).collect()
    }
}

/// The folder and all folders below it, each before those that it contains.
fn folders_below(folder: &Path) -> Vec<PathBuf> {
    if !folder.is_dir() {
        return Vec::new();
    }
    let mut found = vec![folder.to_path_buf()];
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        found.extend(folders_below(&entry.path()));
    }
    found
}

fn copy_setting(from: &Path, to: &Path) -> Result<()> {
    let (Ok(above), Ok(own)) = (fs::read_to_string(from), fs::read_to_string(to)) else { return Ok(()) };
    if own.trim().is_empty() && !above.trim().is_empty() {
        fs::write(to, above).with_context(|| format!("cannot write {}", to.display()))?;
    }
    Ok(())
}

/// Lets the groups below `folder` use the controllers that it has (version 2). One by one, since a
/// controller that cannot be passed on (cpu, where real-time processes run) must not keep the others
/// back; the kubelet names what it misses.
fn delegate_controllers(folder: &Path) -> Result<()> {
    let controllers = fs::read_to_string(folder.join("cgroup.controllers"))
        .with_context(|| format!("cannot read the controllers of {}", folder.display()))?;
    for name in controllers.split_whitespace() {
        fs::write(folder.join("cgroup.subtree_control"), format!("+{name}")).ok();
    }
    Ok(())
}
