//! A folder as an origin, for the pipeline on a laptop.

use std::{
    io::{self, ErrorKind},
    path::PathBuf,
    time::UNIX_EPOCH,
};

use async_trait::async_trait;
use pipeline::ports::{Fetched, Origin, OriginError, SourceFile};
use tokio::{fs::File, io::AsyncReadExt};
use url::Url;

use super::MAX_SOURCE_BYTES;

/// Reads `file:` URLs below one folder. Links inside the folder may lead out of it: it is the user's own.
pub struct FileOrigin {
    pub root: PathBuf,
}

#[async_trait]
impl Origin for FileOrigin {
    async fn fetch(&self, url: &Url) -> Result<Fetched, OriginError> {
        let path = url.to_file_path().ok().filter(|path| path.starts_with(&self.root));
        let path =
            path.ok_or_else(|| OriginError::Refused(format!("{url} is not below {}", self.root.display())))?;
        match read(&path).await {
            Ok(source) => Ok(source.map_or(Fetched::Absent, Fetched::Found)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(Fetched::Absent)
            }
            Err(error) => Err(OriginError::Failed(format!("{} could not be read: {error}", path.display()))),
        }
    }
}

async fn read(path: &PathBuf) -> io::Result<Option<SourceFile>> {
    let file = File::open(path).await?;
    let metadata = file.metadata().await?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let mut body = Vec::new();
    file.take(MAX_SOURCE_BYTES as u64 + 1).read_to_end(&mut body).await?;
    if body.len() > MAX_SOURCE_BYTES {
        return Err(io::Error::other(format!("it is longer than {MAX_SOURCE_BYTES} bytes")));
    }
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let etag = Some(format!("\"{}-{}\"", modified.as_nanos(), body.len()));
    Ok(Some(SourceFile { body: body.into(), etag, last_modified: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_are_found_and_folders_and_gaps_are_absent() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(folder.path().join("a.scss"), "a{}").unwrap();
        let origin = FileOrigin { root: folder.path().to_owned() };
        let fetch =
            async |name: &str| origin.fetch(&Url::from_file_path(folder.path().join(name)).unwrap()).await;
        let Fetched::Found(source) = fetch("a.scss").await.unwrap() else { panic!("a.scss was not found") };
        assert_eq!(&*source.body, b"a{}");
        for name in ["b.scss", "sub", "a.scss/b.scss"] {
            assert_eq!(fetch(name).await, Ok(Fetched::Absent), "{name}");
        }
    }

    #[tokio::test]
    async fn urls_outside_the_folder_are_refused() {
        let origin = FileOrigin { root: "/srv/site".into() };
        for url in ["file:///etc/passwd", "file:///srv/site/../x", "http://a.example/"] {
            let answer = origin.fetch(&url.parse().unwrap()).await;
            assert!(matches!(answer, Err(OriginError::Refused(_))), "{url}");
        }
    }
}
