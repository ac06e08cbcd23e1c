//! Where everything that the commands make is kept: one folder that may be deleted at any time.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The cache folder and the checkout that it serves.
#[derive(Debug, Clone)]
pub struct Cache {
    /// The cache folder itself.
    pub root: PathBuf,
    /// The top of the checkout: the folder of the workspace's `Cargo.toml`.
    pub checkout: PathBuf,
}

impl Cache {
    /// Finds the checkout above the working directory, and the cache folder from
    /// `ASSETPIPELINE_CACHE`, `XDG_CACHE_HOME` or `HOME`, in this order.
    pub fn locate() -> Result<Self> {
        let checkout = find_checkout(&env::current_dir().context("no working directory")?)?;
        let root = if let Some(folder) = variable("ASSETPIPELINE_CACHE") {
            folder
        } else if let Some(folder) = variable("XDG_CACHE_HOME") {
            folder.join("assetpipeline")
        } else if let Some(home) = variable("HOME") {
            home.join(".cache/assetpipeline")
        } else {
            bail!("set ASSETPIPELINE_CACHE or HOME: there is no place for the cache folder")
        };
        fs::create_dir_all(&root)
            .with_context(|| format!("cannot create the cache folder {}", root.display()))?;
        let root = root.canonicalize().with_context(|| format!("cannot resolve {}", root.display()))?;
        Ok(Self { root, checkout })
    }

    /// Pinned binaries, each in a file whose name holds its version.
    pub fn binaries(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// The running cluster: process ids, sockets, keys, data, logs. `down` deletes it.
    pub fn state(&self) -> PathBuf {
        self.root.join("cluster")
    }

    /// Images as archives, each in a file whose name holds its tag.
    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    /// Cargo's target directory for nested calls: `CARGO_TARGET_DIR` where it is set.
    pub fn cargo_target(&self) -> PathBuf {
        variable("CARGO_TARGET_DIR").unwrap_or_else(|| self.root.join("target"))
    }

    /// Creates `folder` and its parents.
    pub fn ensure(folder: PathBuf) -> Result<PathBuf> {
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(folder)
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn find_checkout(start: &Path) -> Result<PathBuf> {
    start
        .ancestors()
        .find(|folder| folder.join("tests/cluster/kube/go.mod").is_file())
        .map(Path::to_path_buf)
        .context("run this inside a checkout of the project: no tests/cluster found in or above the working directory")
}

/// Sixteen hexadecimal digits that change when a file's content or name changes. Equal inputs give
/// equal keys under one toolchain, which is all that a cache needs.
pub fn key_of_files(files: &[PathBuf]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.file_name().unwrap_or(OsStr::new("")).hash(&mut hasher);
        fs::read(file).with_context(|| format!("cannot read {}", file.display()))?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Writes a file so that a reader sees either the old or the new content, never a part.
pub fn write_whole(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let part = path.with_extension("part");
    fs::write(&part, content).with_context(|| format!("cannot write {}", part.display()))?;
    fs::rename(&part, path).with_context(|| format!("cannot put {} in place", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_changes_with_content_and_name() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        fs::write(&one, "a").unwrap();
        fs::write(&two, "a").unwrap();
        let before = key_of_files(std::slice::from_ref(&one)).unwrap();
        assert_eq!(before, key_of_files(std::slice::from_ref(&one)).unwrap());
        assert_ne!(before, key_of_files(&[two]).unwrap());
        fs::write(&one, "b").unwrap();
        assert_ne!(before, key_of_files(&[one]).unwrap());
    }
}
