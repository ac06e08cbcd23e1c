//! How many tests may load the cluster at the same time, whatever cargo's number of threads is.
//!
//! A place is a locked file, so that several processes share the places, and a killed one frees its own.

use std::{fs::File, fs::TryLockError, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use cluster::Cache;

use crate::patience::eventually;

/// Three web pods and some workers each: more would only make all of them slow.
const PLACES: usize = 2;
/// Longer than all tests before one take.
const FREE_WITHIN: Duration = Duration::from_mins(20);

/// Places on the cluster, held until dropped.
#[must_use]
pub struct Held {
    _files: Vec<File>,
}

/// Waits for one place.
pub async fn take_one() -> Result<Held> {
    let files = places()?;
    let file = eventually(FREE_WITHIN, "a free place on the cluster", async || {
        for file in &files {
            if is_taken_by_us(file)? {
                return file.try_clone().context("cannot share a lock");
            }
        }
        bail!("other tests hold all {PLACES} places")
    });
    Ok(Held { _files: vec![file.await?] })
}

/// Waits until nothing else runs, and keeps it so. Always in the same order, so that two who want all
/// places cannot block each other.
pub fn take_all() -> Result<Held> {
    let files = places()?;
    for file in &files {
        file.lock().context("cannot lock a place")?;
    }
    Ok(Held { _files: files })
}

fn places() -> Result<Vec<File>> {
    let folder = Cache::ensure(Cache::locate()?.root.join("places"))?;
    let open = |number| {
        let path = folder.join(format!("{number}"));
        File::create(&path).with_context(|| format!("cannot create {}", path.display()))
    };
    (0..PLACES).map(open).collect()
}

fn is_taken_by_us(file: &File) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(anyhow!(error).context("cannot lock a place")),
    }
}
