//! The example's npm packages: what `package-lock.json` pins with integrity, fetched and not committed.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use cluster::Cache;
use cluster::cache::{key_of_files, write_whole};
use cluster::command::logged;
use cluster::packages::{self, NODE};
use cluster::progress::Progress;

/// Where the example's site lies in the checkout.
pub(crate) const SITE: &str = "examples/origin";

/// Fetches the packages unless those of this lock file are there.
pub(crate) fn ensure(cache: &Cache, progress: &Progress) -> Result<()> {
    let site = cache.checkout.join(SITE);
    let modules = site.join("node_modules");
    let key = key_of_files(&[site.join("package.json"), site.join("package-lock.json")])?;
    let done = modules.join(".fetched");
    if fs::read_to_string(&done).is_ok_and(|fetched| fetched == key) {
        return Ok(());
    }
    packages::ensure(&NODE, cache, progress)?;
    progress.say(format!("fetching the npm packages of {SITE}"));
    let mut npm = Command::new("npm");
    npm.current_dir(&site).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--cache"]);
    npm.arg(cache.root.join("npm"));
    logged(&mut npm, &cache.root.join("log/npm.log"), "fetching npm packages", progress)?;
    write_whole(&done, key).with_context(|| format!("npm left no {}", modules.display()))
}
