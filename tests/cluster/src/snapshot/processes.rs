//! The processes part of a snapshot.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::process::ProcessId;
use crate::sandbox::MARK;
use crate::snapshot::entries;

/// Every process as `pid command`.
pub(super) fn all() -> BTreeSet<String> {
    let pids = entries(Path::new("/proc"));
    let own = i32::try_from(std::process::id()).ok();
    pids.iter()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| Some(*pid) != own)
        .filter_map(described)
        .collect()
}

fn described(pid: i32) -> Option<String> {
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    // Threads of the kernel have no command line.
    if command.is_empty() {
        return None;
    }
    let words: Vec<_> = command.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    Some(format!("{pid} {}", words.join(" ").trim_end()))
}

/// Whether a process carries our mark or runs from the cluster's part of the cache.
pub(super) fn is_ours(process: &str, cache: &Path) -> bool {
    let Some((pid, command)) = process.split_once(' ') else { return false };
    let marked = fs::read(format!("/proc/{pid}/environ")).is_ok_and(|variables| {
        variables.split(|byte| *byte == 0).any(|line| line.starts_with(MARK.as_bytes()))
    });
    let from_here = ["bin", "cluster", "venv-moto", "buildah"]
        .iter()
        .any(|part| command.contains(&cache.join(part).display().to_string()));
    still_runs(process) && (marked || from_here)
}

pub(super) fn still_runs(process: &str) -> bool {
    process.split(' ').next().and_then(|pid| pid.parse().ok()).and_then(ProcessId::of_running).is_some()
}
