//! Style sheets in memory, as an origin gives them to a worker and as a file system gives them to an engine.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use pipeline::ports::{Fetched, Origin, OriginError, SourceFile, Validators};
use url::Url;

const BOOTSTRAP: &str = "examples/origin/node_modules/bootstrap/scss";

/// A site of which one style sheet is compiled.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) entry: String,
    files: HashMap<String, Bytes>,
}

impl Site {
    pub(crate) fn of_one_rule() -> Self {
        let files = HashMap::from([("/app.scss".to_owned(), Bytes::from_static(b"a { b: c }"))]);
        Self { entry: "/app.scss".to_owned(), files }
    }

    pub(crate) fn bootstrap(checkout: &Path) -> anyhow::Result<Self> {
        let mut files = HashMap::new();
        read_all(&checkout.join(BOOTSTRAP), "", &mut files)?;
        ensure!(files.contains_key("/bootstrap.scss"), "{BOOTSTRAP} has no bootstrap.scss");
        Ok(Self { entry: "/bootstrap.scss".to_owned(), files })
    }

    pub(crate) fn base() -> anyhow::Result<Url> {
        Url::parse("http://site.example/").context("no URL")
    }

    /// The file at a URL's path.
    pub(crate) fn file(&self, path: &str) -> Option<Bytes> {
        self.files.get(path).cloned()
    }

    fn at(&self, path: &Path) -> Option<&Bytes> {
        self.files.get(path.to_str()?)
    }
}

fn read_all(folder: &Path, below: &str, files: &mut HashMap<String, Bytes>) -> anyhow::Result<()> {
    let listed = fs::read_dir(folder).with_context(|| {
        format!("cannot read {}; `npm ci --prefix examples/origin` fetches it", folder.display())
    })?;
    for entry in listed {
        let entry = entry?;
        let name = entry.file_name().into_string().ok().context("a file's name is no text")?;
        let path = format!("{below}/{name}");
        if entry.file_type()?.is_dir() {
            read_all(&entry.path(), &path, files)?;
        } else {
            files.insert(path, fs::read(entry.path())?.into());
        }
    }
    Ok(())
}

#[async_trait]
impl Origin for Site {
    async fn fetch(&self, url: &Url, _known: Option<&Validators>) -> Result<Fetched, OriginError> {
        let body = self.file(url.path());
        Ok(body.map_or(Fetched::Absent, |body| {
            Fetched::Found(SourceFile { body, etag: None, last_modified: None })
        }))
    }
}

impl grass::Fs for Site {
    fn is_dir(&self, _path: &Path) -> bool {
        true
    }

    fn is_file(&self, path: &Path) -> bool {
        self.at(path).is_some()
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.at(path).map(|body| body.to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }
}
