//! A folder as an origin, for the pipeline on a laptop.

use std::{
    io::{self, ErrorKind},
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use async_trait::async_trait;
use pipeline::ports::{Fetched, Origin, OriginError, SourceFile, Validators};
use tokio::{fs::File, io::AsyncReadExt};
use url::Url;

use super::MAX_SOURCE_BYTES;

/// Names the load paths below the root, where no folder of a site is called like this.
const LOAD_FOLDER: &str = "@load";

/// Reads `file:` URLs below one folder, and below others that are mounted in it as load paths. Links
/// inside the folders may lead out of them: they are the user's own.
pub struct FileOrigin {
    pub root: PathBuf,
    /// Folders that appear below the root at [`FileOrigin::load_path`].
    pub load_roots: Vec<PathBuf>,
}

impl FileOrigin {
    /// The path at this origin of the load root with this index.
    pub fn load_path(index: usize) -> String {
        format!("/{LOAD_FOLDER}/{index}")
    }

    /// The file that a URL means, or `None` where it lies outside all folders.
    fn file_of(&self, url: &Url) -> Option<PathBuf> {
        let path = url.to_file_path().ok()?;
        let below = path.strip_prefix(&self.root).ok()?;
        let Ok(mounted) = below.strip_prefix(LOAD_FOLDER) else { return Some(path) };
        let mut parts = mounted.components();
        let index: usize = parts.next()?.as_os_str().to_str()?.parse().ok()?;
        Some(self.load_roots.get(index)?.join(parts))
    }
}

#[async_trait]
impl Origin for FileOrigin {
    async fn fetch(&self, url: &Url, known: Option<&Validators>) -> Result<Fetched, OriginError> {
        let path = self.file_of(url);
        let path =
            path.ok_or_else(|| OriginError::Refused(format!("{url} is not below {}", self.root.display())))?;
        match read(&path, known).await {
            Ok(fetched) => Ok(fetched),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(Fetched::Absent)
            }
            Err(error) => Err(OriginError::Failed(format!("{} could not be read: {error}", path.display()))),
        }
    }
}

async fn read(path: &PathBuf, known: Option<&Validators>) -> io::Result<Fetched> {
    let file = File::open(path).await?;
    let metadata = file.metadata().await?;
    if !metadata.is_file() {
        return Ok(Fetched::Absent);
    }
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    if known.and_then(|known| known.etag.as_ref()) == Some(&etag(modified, metadata.len())) {
        return Ok(Fetched::NotModified);
    }
    let mut body = Vec::new();
    file.take(MAX_SOURCE_BYTES as u64 + 1).read_to_end(&mut body).await?;
    if body.len() > MAX_SOURCE_BYTES {
        return Err(io::Error::other(format!("it is longer than {MAX_SOURCE_BYTES} bytes")));
    }
    let etag = Some(etag(modified, body.len() as u64));
    Ok(Fetched::Found(SourceFile { body: body.into(), etag, last_modified: None }))
}

fn etag(modified: Duration, length: u64) -> String {
    format!("\"{}-{length}\"", modified.as_nanos())
}

#[cfg(test)]
mod tests {
    use pipeline::conformance::ORIGIN_FILES;

    use super::*;

    #[tokio::test]
    async fn file_origin_conforms() {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in ORIGIN_FILES {
            let file = folder.path().join(path.trim_start_matches('/'));
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
        let base = Url::from_directory_path(folder.path()).unwrap();
        let origin = FileOrigin { root: folder.path().to_owned(), load_roots: Vec::new() };
        pipeline::conformance::origin(&origin, &base).await;
    }

    #[test]
    fn load_roots_are_mounted_below_the_root() {
        let origin = FileOrigin { root: "/srv/site".into(), load_roots: vec!["/lib".into()] };
        let url = |path: &str| Url::parse(&format!("file:///srv/site{path}")).unwrap();
        assert_eq!(
            origin.file_of(&url(&format!("{}/a/b.scss", FileOrigin::load_path(0)))),
            Some("/lib/a/b.scss".into())
        );
        assert_eq!(origin.file_of(&url("/a%20b.scss")), Some("/srv/site/a b.scss".into()));
    }

    #[tokio::test]
    async fn urls_outside_the_folder_are_refused() {
        let origin = FileOrigin { root: "/srv/site".into(), load_roots: vec!["/lib".into()] };
        for url in [
            "file:///etc/passwd",
            "file:///srv/site/../x",
            "http://a.example/",
            "file:///lib/a.scss",
            "file:///srv/site/@load/1/a",
        ] {
            let answer = origin.fetch(&url.parse().unwrap(), None).await;
            assert!(matches!(answer, Err(OriginError::Refused(_))), "{url}");
        }
    }
}
