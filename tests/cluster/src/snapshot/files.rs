//! The files part of a snapshot.
//!
//! Folders of the system are walked whole. In the folders that everybody writes to (`HOME`, `/tmp`)
//! a new path counts when its name shows that it comes from a program of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cache::Cache;
use crate::snapshot::{Comparison, entries};

/// Size and time of change: enough to see that a file was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    size: u64,
    changed: i64,
}

const WALKED: [&str; 10] =
    ["/etc", "/var", "/run", "/opt", "/srv", "/mnt", "/media", "/dev/shm", "/usr/local/bin", "/usr/libexec"];

/// Package management's own records, and logs and caches of other programs.
const LEFT_OUT: [&str; 10] = [
    "/run/utmp",
    "/var/backups",
    "/var/cache",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/lib/systemd",
    "/var/log/apt",
    "/var/log/journal",
    "/var/spool",
    "/var/tmp",
];

/// Shared folders and how deep they are looked at.
const SHARED: [(&str, usize); 2] = [("/tmp", 1), ("/var/tmp", 1)];
const HOME_DEPTH: usize = 3;

/// How the names begin that programs of ours give to what they write, after any dots.
const OUR_NAMES: [&str; 16] = [
    "assetpipeline",
    "aws",
    "boto",
    "buildah",
    "cni",
    "containerd",
    "containers",
    "coredns",
    "etcd",
    "go-build",
    "helm",
    "kube",
    "moto",
    "npm",
    "runc",
    "storage-run",
];

/// Changes of content count only here; elsewhere files are written by their owners all the time.
const CONTENT_MATTERS: [&str; 3] = ["/etc", "/opt", "/usr"];

/// What a package's scripts make there belongs to the package, though no list of its files names it.
const WRITTEN_BY_PACKAGES: [&str; 3] = ["/etc", "/usr", "/var"];

pub(super) fn all(cache: &Cache) -> BTreeMap<String, Stamp> {
    let mut left_out: Vec<PathBuf> = LEFT_OUT.iter().map(PathBuf::from).collect();
    left_out.extend([cache.root.clone(), cache.checkout.clone(), cache.cargo_target()]);
    let mut found = BTreeMap::new();
    for folder in WALKED {
        walk(Path::new(folder), usize::MAX, &left_out, &mut found);
    }
    left_out.retain(|folder| folder != Path::new("/var/tmp"));
    for (folder, depth) in SHARED {
        walk(Path::new(folder), depth, &left_out, &mut found);
    }
    if let Some(home) = env::var_os("HOME") {
        walk(Path::new(&home), HOME_DEPTH, &left_out, &mut found);
    }
    walk(Path::new("/"), 1, &left_out, &mut found);
    found
}

pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    std::fs::metadata(path).ok().map(|metadata| stamp_of(&metadata))
}

fn stamp_of(metadata: &std::fs::Metadata) -> Stamp {
    let (size, changed) = if metadata.is_file() { (metadata.size(), metadata.mtime()) } else { (0, 0) };
    Stamp { size, changed }
}

fn walk(folder: &Path, depth: usize, left_out: &[PathBuf], found: &mut BTreeMap<String, Stamp>) {
    for entry in entries(folder) {
        let path = entry.path();
        // Without following links: they may lead out of the folder or in circles.
        let Ok(metadata) = entry.metadata() else { continue };
        if left_out.contains(&path) {
            continue;
        }
        found.insert(path.display().to_string(), stamp_of(&metadata));
        if metadata.is_dir() && depth > 1 {
            walk(&path, depth - 1, left_out, found);
        }
    }
}

/// Whether packages were installed between the two snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packages {
    Unchanged,
    Changed,
}

pub(super) fn compare(
    before: &BTreeMap<String, Stamp>,
    now: &BTreeMap<String, Stamp>,
    packages: Packages,
    found: &mut Comparison,
) {
    let mut owned = None;
    for (path, stamp) in now {
        let change = match before.get(path) {
            None => "new file",
            Some(old) if old != stamp && is_below(path, &CONTENT_MATTERS) => "changed file",
            Some(_) => continue,
        };
        if owned.get_or_insert_with(files_of_packages).contains(path) {
            continue;
        }
        let line = format!("{change} {path}");
        let of_packages = packages == Packages::Changed && is_below(path, &WRITTEN_BY_PACKAGES);
        if !of_packages && (is_below(path, &WALKED) || is_named_like_ours(path)) {
            found.left.push(line);
        } else {
            found.of_others.push(line);
        }
    }
}

fn is_named_like_ours(path: &str) -> bool {
    let mut names = path.split('/').map(|name| name.trim_start_matches('.'));
    names.any(|name| OUR_NAMES.iter().any(|ours| name.starts_with(ours)))
}

fn is_below(path: &str, folders: &[&str]) -> bool {
    folders.iter().any(|folder| Path::new(path).starts_with(folder)) && !path.starts_with("/var/tmp")
}

/// Every path that an installed Debian package owns.
fn files_of_packages() -> BTreeSet<String> {
    let lists = entries(Path::new("/var/lib/dpkg/info"));
    lists
        .iter()
        .map(std::fs::DirEntry::path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "list"))
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .flat_map(|list| list.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}
