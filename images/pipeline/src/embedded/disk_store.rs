//! An object store in a folder: one file an object.

use std::{
    io::{self, ErrorKind as IoKind},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{sync::Mutex, task};

use crate::{
    Error, ErrorKind,
    names::Digest,
    ports::{Condition, DeleteOutcome, ETag, Object, PutOutcome, Store},
};

/// Objects as files below one folder, replaced whole by a rename. One process owns the folder: writers
/// in other processes are not kept apart.
pub struct DiskStore {
    root: PathBuf,
    /// Makes "check the condition, then write" one step.
    writer: Arc<Mutex<()>>,
}

/// Ends the name of an object's file, so that `a` and `a/b` can both be objects.
const SUFFIX: &str = ".object";

impl DiskStore {
    /// Uses `root`, and makes it where it is missing.
    pub fn open(root: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(root)?;
        Ok(Self { root: root.to_owned(), writer: Arc::default() })
    }

    fn file_of(&self, name: &str) -> Result<PathBuf, Error> {
        let is_plain =
            |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0']);
        if name.split('/').all(is_plain) {
            Ok(self.root.join(format!("{name}{SUFFIX}")))
        } else {
            Err(Error::new(ErrorKind::Invalid, format!("use {name:?} as an object's name")))
        }
    }
}

#[async_trait]
impl Store for DiskStore {
    async fn get(&self, name: &str) -> Result<Option<Object>, Error> {
        let file = self.file_of(name)?;
        blocking(format!("read object {name}"), move || read(&file)).await
    }

    async fn put(&self, name: &str, body: Bytes, condition: Condition) -> Result<PutOutcome, Error> {
        let file = self.file_of(name)?;
        // The guard travels into the blocking task: a caller that stops waiting does not unlock half a write.
        let guard = self.writer.clone().lock_owned().await;
        blocking(format!("write object {name}"), move || {
            let _guard = guard;
            write_if(&file, &body, &condition)
        })
        .await
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        let file = self.file_of(name)?;
        let guard = self.writer.clone().lock_owned().await;
        blocking(format!("delete object {name}"), move || {
            let _guard = guard;
            present(std::fs::remove_file(&file)).map(|_| ())
        })
        .await
    }

    async fn delete_if(&self, name: &str, etag: &ETag) -> Result<DeleteOutcome, Error> {
        let (file, etag) = (self.file_of(name)?, etag.clone());
        let guard = self.writer.clone().lock_owned().await;
        blocking(format!("delete object {name}"), move || {
            let _guard = guard;
            match read(&file)? {
                Some(object) if object.etag != etag => Ok(DeleteOutcome::PreconditionFailed),
                Some(_) | None => present(std::fs::remove_file(&file)).map(|_| DeleteOutcome::Deleted),
            }
        })
        .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let (root, prefix) = (self.root.clone(), prefix.to_owned());
        blocking(format!("list objects under {prefix}"), move || {
            let mut names = Vec::new();
            collect(&root, "", &mut names)?;
            names.retain(|name| name.starts_with(&prefix));
            names.sort();
            Ok(names)
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    attempted: String,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let outcome = task::spawn_blocking(work).await.map_err(io::Error::other).and_then(|outcome| outcome);
    outcome.map_err(|source| Error::new(ErrorKind::Unavailable, attempted).with_source(source))
}

fn present<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), IoKind::NotFound | IoKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The tag is the content's digest, so it survives a restart.
fn tag_of(body: &[u8]) -> ETag {
    ETag(format!("\"{}\"", Digest::of(body)))
}

fn read(file: &Path) -> io::Result<Option<Object>> {
    let body = present(std::fs::read(file))?.map(Bytes::from);
    Ok(body.map(|body| Object { etag: tag_of(&body), body }))
}

fn write_if(file: &Path, body: &Bytes, condition: &Condition) -> io::Result<PutOutcome> {
    let holds = match condition {
        Condition::None => true,
        Condition::IfAbsent => read(file)?.is_none(),
        Condition::IfMatch(etag) => read(file)?.is_some_and(|object| object.etag == *etag),
    };
    if !holds {
        return Ok(PutOutcome::PreconditionFailed);
    }
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let unfinished = file.with_extension("unfinished");
    std::fs::write(&unfinished, body)?;
    std::fs::rename(&unfinished, file)?;
    Ok(PutOutcome::Stored(tag_of(body)))
}

fn collect(folder: &Path, prefix: &str, names: &mut Vec<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{name}/"), names)?;
        } else if let Some(name) = name.strip_suffix(SUFFIX) {
            names.push(name.to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn disk_store_conforms() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(DiskStore::open(folder.path()).unwrap());
        crate::conformance::store(&*store).await;
        crate::conformance::store_races(store).await;
    }

    #[tokio::test]
    async fn objects_survive_reopening_and_names_cannot_leave_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::open(folder.path()).unwrap();
        let stored = store.put("a/b", Bytes::from_static(b"x"), Condition::None).await.unwrap();
        let PutOutcome::Stored(etag) = stored else { panic!("an unconditional put was refused") };
        let reopened = DiskStore::open(folder.path()).unwrap();
        assert_eq!(reopened.get("a/b").await.unwrap().unwrap().etag, etag);
        for name in ["../x", "a/../../x", "/etc/passwd", "a//b", ""] {
            assert_eq!(reopened.get(name).await.unwrap_err().kind, ErrorKind::Invalid, "{name}");
        }
    }
}
