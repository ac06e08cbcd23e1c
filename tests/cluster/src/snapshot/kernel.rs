//! The kernel's part of a snapshot: mounts, links and settings.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::snapshot::entries;

const SETTINGS: &str = "/proc/sys";

/// Settings that count something or change by themselves, and files that act when they are read.
const VOLATILE: [&str; 13] = [
    "dev/cdrom",
    "fs/aio-nr",
    "fs/dentry-state",
    "fs/file-nr",
    "fs/inode-nr",
    "fs/inode-state",
    "fs/quota",
    "kernel/ns_last_pid",
    "kernel/pty/nr",
    "kernel/random",
    "net/ipv4/route/flush",
    "net/netfilter/nf_conntrack_count",
    "vm/stat_refresh",
];

/// Settings that Kubernetes and the bridge change, and that are put back.
const CHANGED_BY_US: [&str; 8] = [
    "kernel/keys",
    "kernel/panic",
    "net/bridge",
    "net/ipv4",
    "net/ipv6",
    "net/netfilter",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
];

pub(super) fn mounts() -> Result<BTreeSet<String>> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("cannot read the mounts")?;
    let shown = |line: &str| line.split(' ').take(3).collect::<Vec<_>>().join(" ");
    Ok(mounts.lines().map(shown).collect())
}

pub(super) fn links() -> Result<BTreeSet<String>> {
    let links = fs::read_dir("/sys/class/net").context("cannot read the network links")?;
    Ok(links.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// All settings that can be read, by path below `/proc/sys`.
pub(super) fn settings() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect_settings(Path::new(SETTINGS), &mut found);
    found
}

fn collect_settings(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in entries(folder) {
        let path = entry.path();
        let name = path.strip_prefix(SETTINGS).unwrap_or(&path).display().to_string();
        if VOLATILE.iter().any(|volatile| name.starts_with(volatile)) {
            continue;
        }
        if path.is_dir() {
            collect_settings(&path, found);
        } else if let Ok(value) = fs::read_to_string(&path) {
            found.insert(name, value.trim().to_owned());
        }
    }
}

/// Writes back those of the earlier values that differ now and are ours to put back.
pub fn restore_settings(before: &BTreeMap<String, String>) -> Result<()> {
    // This one resets others when it is written, so it goes first.
    let first = "net/ipv4/ip_forward";
    let ours = before.iter().filter(|(name, _)| CHANGED_BY_US.iter().any(|part| name.starts_with(part)));
    let ordered = before.get_key_value(first).into_iter().chain(ours);
    for (name, value) in ordered {
        let path = Path::new(SETTINGS).join(name);
        let Ok(now) = fs::read_to_string(&path) else { continue };
        if now.trim() != value {
            fs::write(&path, value).with_context(|| format!("cannot set {name} back to {value}"))?;
        }
    }
    Ok(())
}
