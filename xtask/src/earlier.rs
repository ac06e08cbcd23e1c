//! The version that the upgrade test begins at: its sources beside the cache's other things, and images of its own.
//!
//! Its programs are built as the present ones are, in the same folder, so that what both depend on is built once.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use cluster::Cache;
use cluster::cache::write_whole;
use cluster::command::{capture, output};
use cluster::progress::Progress;
use serde_json::json;

use crate::images;

/// The last one before pipelines got pods, network and status as they have them now.
const COMMIT: &str = "3dcfe54223a492a788738a6035f8c8c5f97432b3";
const CHART: &str = "charts/assetpipeline-operator";

/// Builds its images unless they are there, and writes where chart and images are to `earlier.json` in the cache, where
/// the test reads it.
pub fn build(cache: &Cache, progress: &Progress) -> Result<images::Programs> {
    let checkout = checkout(cache)?;
    let chart = checkout.join(CHART);
    let programs = images::build_earlier(&Cache { checkout, ..cache.clone() }, progress)?;
    let told = json!({"commit": COMMIT, "chart": chart, "images": programs});
    write_whole(&cache.root.join("earlier.json"), serde_json::to_vec_pretty(&told)?)?;
    Ok(programs)
}

/// Its sources, taken out of the repository once.
fn checkout(cache: &Cache) -> Result<PathBuf> {
    let folder = Cache::ensure(cache.root.join("earlier"))?.join(COMMIT);
    if folder.is_dir() {
        return Ok(folder);
    }
    let git = || {
        let mut git = Command::new("git");
        git.current_dir(&cache.checkout);
        git
    };
    let commit = format!("{COMMIT}^{{commit}}");
    if !output(git().args(["cat-file", "-e", &commit]))?.status.success() {
        bail!(
            "commit {COMMIT}, at which the upgrade test begins, is not in this checkout's repository: in a shallow \
             clone run `git fetch --unshallow`"
        );
    }
    let part = folder.with_extension("part");
    if part.exists() {
        fs::remove_dir_all(&part).with_context(|| format!("cannot remove {}", part.display()))?;
    }
    let archive = Cache::ensure(part.clone())?.join("sources.tar");
    capture(git().args(["archive", "--format=tar", "--output"]).arg(&archive).arg(COMMIT))?;
    capture(Command::new("tar").arg("--extract").arg("--file").arg(&archive).arg("--directory").arg(&part))?;
    fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))?;
    fs::rename(&part, &folder).with_context(|| format!("cannot put {} in place", folder.display()))?;
    Ok(folder)
}
