//! npm packages: what a `package-lock.json` pins with integrity, fetched and not committed.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use cluster::Cache;
use cluster::cache::{key_of_files, write_whole};
use cluster::command::logged;
use cluster::packages::{self, NODE};
use cluster::progress::Progress;

/// A folder with a lock file.
pub struct Site {
    /// In the checkout.
    pub folder: &'static str,
    install: &'static [&'static str],
}

/// The example's site.
pub const EXAMPLE: Site = Site { folder: "examples/origin", install: &["ci"] };

/// The reference compiler, and the code bases that it compiles. Not by `ci`, which wants the lock file to pin
/// what belongs to other platforms, too: not every registry has all of that.
pub const CORPUS: Site =
    Site { folder: "tests/corpus/oracle", install: &["install", "--no-save", "--no-progress"] };

/// Fetches the packages unless those of this lock file are there.
pub fn ensure(site: &Site, cache: &Cache, progress: &Progress) -> Result<()> {
    let Site { folder, install } = site;
    let site = cache.checkout.join(folder);
    let modules = site.join("node_modules");
    let key = key_of_files(&[site.join("package.json"), site.join("package-lock.json")])?;
    let done = modules.join(".fetched");
    if fs::read_to_string(&done).is_ok_and(|fetched| fetched == key) {
        return Ok(());
    }
    packages::ensure(&NODE, cache, progress)?;
    progress.say(format!("fetching the npm packages of {folder}"));
    let mut npm = Command::new("npm");
    npm.current_dir(&site).args(*install).args(["--ignore-scripts", "--no-audit", "--no-fund", "--cache"]);
    npm.arg(cache.root.join("npm"));
    logged(&mut npm, &cache.root.join("log/npm.log"), "fetching npm packages", progress)?;
    write_whole(&done, key).with_context(|| format!("npm left no {}", modules.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_the_lock_file_are_fetched_once() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache { root: folder.path().join("cache"), checkout: folder.path().join("checkout") };
        for site in [EXAMPLE, CORPUS] {
            let at = cache.checkout.join(site.folder);
            fs::create_dir_all(at.join("node_modules")).unwrap();
            let files = [at.join("package.json"), at.join("package-lock.json")];
            for file in &files {
                fs::write(file, "{}").unwrap();
            }
            fs::write(at.join("node_modules/.fetched"), key_of_files(&files).unwrap()).unwrap();
            ensure(&site, &cache, &Progress::start()).unwrap();
        }
        assert!(!cache.root.exists(), "npm was called");
    }
}
