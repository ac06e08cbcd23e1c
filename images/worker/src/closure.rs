//! The sources of one job: each asked for once, and remembered, found or absent.

mod first;
mod known;
mod revalidate;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use futures::{StreamExt, TryStreamExt, stream};
use pipeline::{
    manifest::{Closure, SourceRead},
    names::Digest,
    ports::{Fetched, Origin, OriginError, SourceFile},
    tenant::source_url,
};
use url::Url;

use crate::resolve::siblings;
pub(crate) use revalidate::Revalidation;

/// The longest path that is asked for, in bytes, and all of a job's paths together: a style sheet can make
/// them up, and every one is stored in the closure.
const MAX_PATH_BYTES: usize = 1 << 10;
const MAX_PATHS_BYTES: usize = 2 << 20;

/// Requests under way at the same time for one job.
const MAX_PARALLEL_FETCHES: usize = 12;

/// Bounds of what one job may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceLimits {
    /// Sources found.
    pub files: usize,
    /// All their bytes together.
    pub bytes: usize,
    /// URLs asked for, absent ones included.
    pub requests: usize,
}

/// Why a job's sources could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum SourcesError {
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The style sheet needs more than it may; the message is for the site's owner.
    #[error("{0}")]
    TooMuch(String),
}

/// One job's view of its origin.
pub(crate) struct Sources {
    origin: Arc<dyn Origin>,
    base: Url,
    limits: SourceLimits,
    /// What the origin has, by URL. A `None` was found absent.
    by_url: HashMap<String, Option<SourceFile>>,
    /// The paths that the compiler asked for, with their URLs.
    asked: BTreeMap<String, String>,
    /// Those of them that the compiler read.
    used: BTreeSet<String>,
    paths_bytes: usize,
    is_fetching: bool,
}

impl Sources {
    pub(crate) fn new(origin: Arc<dyn Origin>, base: Url, limits: SourceLimits) -> Self {
        Self {
            origin,
            base,
            limits,
            by_url: HashMap::new(),
            asked: BTreeMap::new(),
            used: BTreeSet::new(),
            paths_bytes: 0,
            is_fetching: false,
        }
    }

    /// Whether the origin is being waited for; stays true when the wait was given up.
    pub(crate) fn is_fetching(&self) -> bool {
        self.is_fetching
    }

    /// Of all that an import of `path` may mean, in one folder, that at which there is a source. All are asked
    /// for together.
    pub(crate) async fn probe(&mut self, path: &str) -> Result<Vec<String>, SourcesError> {
        let mut paths = siblings(path);
        self.fetch(paths.clone()).await?;
        paths.retain(|path| self.source(path).is_some());
        Ok(paths)
    }

    /// The source at `path`, or `None` where there is none.
    pub(crate) async fn read(&mut self, path: &str) -> Result<Option<SourceFile>, SourcesError> {
        if !self.asked.contains_key(path) {
            self.fetch(vec![path.to_owned()]).await?;
        }
        let source = self.source(path).cloned();
        if source.is_some() {
            self.used.insert(path.to_owned());
        }
        Ok(source)
    }

    /// What the result depends on.
    pub(crate) fn closure(&self) -> Closure {
        let mut closure = Closure::default();
        for (path, url) in &self.asked {
            match self.source(path) {
                None => closure.absent.push(url.clone()),
                Some(source) if self.used.contains(path) => closure.read.push(note_read(url, source)),
                Some(_) => {}
            }
        }
        closure
    }

    fn source(&self, path: &str) -> Option<&SourceFile> {
        self.by_url.get(self.asked.get(path)?)?.as_ref()
    }

    async fn fetch(&mut self, mut paths: Vec<String>) -> Result<(), SourcesError> {
        paths.retain(|path| !self.asked.contains_key(path));
        self.check_paths(&paths)?;
        let urls = self.urls_of(paths)?;
        self.is_fetching = true;
        let origin = &self.origin;
        let unknown = urls.iter().filter(|(_, url)| !self.by_url.contains_key(url.as_str()));
        let requests = unknown.map(|(_, url)| async move {
            let source = as_source(url, origin.fetch(url, None).await?)?;
            Ok::<_, OriginError>((url.to_string(), source))
        });
        let requests: Vec<_> = requests.collect();
        let answers: Vec<_> =
            stream::iter(requests).buffer_unordered(MAX_PARALLEL_FETCHES).try_collect().await?;
        self.is_fetching = false;
        self.by_url.extend(answers);
        self.asked.extend(urls.into_iter().map(|(path, url)| (path, url.into())));
        self.check_limits()
    }

    fn urls_of(&self, paths: impl IntoIterator<Item = String>) -> Result<Vec<(String, Url)>, OriginError> {
        let unusable = || OriginError::Refused(format!("{} cannot be an origin", self.base));
        let urls = paths.into_iter().map(|path| {
            let url = source_url(&self.base, &path).ok_or_else(unusable)?;
            Ok((path, url))
        });
        urls.collect()
    }

    fn check_paths(&mut self, paths: &[String]) -> Result<(), SourcesError> {
        if self.asked.len() + paths.len() > self.limits.requests {
            let limit = self.limits.requests;
            return Err(SourcesError::TooMuch(format!(
                "the style sheet's imports ask for more than {limit} URLs"
            )));
        }
        self.paths_bytes += paths.iter().map(String::len).sum::<usize>();
        if self.paths_bytes > MAX_PATHS_BYTES || paths.iter().any(|path| path.len() > MAX_PATH_BYTES) {
            let message =
                "the style sheet's imports ask for too long paths: at most 1 KiB each, 2 MiB together";
            return Err(SourcesError::TooMuch(message.to_owned()));
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), SourcesError> {
        let found = self.asked.keys().filter_map(|path| self.source(path));
        let (files, bytes) =
            found.fold((0, 0), |(files, bytes), source| (files + 1, bytes + source.body.len()));
        if files > self.limits.files {
            let limit = self.limits.files;
            return Err(SourcesError::TooMuch(format!("the style sheet imports more than {limit} files")));
        }
        if bytes > self.limits.bytes {
            let limit = self.limits.bytes;
            return Err(SourcesError::TooMuch(format!(
                "the style sheet's sources hold more than {limit} bytes"
            )));
        }
        Ok(())
    }
}

fn note_read(url: &str, source: &SourceFile) -> SourceRead {
    SourceRead {
        url: url.to_owned(),
        sha256: Digest::of(&source.body),
        etag: source.etag.clone(),
        last_modified: source.last_modified.clone(),
    }
}

/// The answer to a request without validators.
fn as_source(url: &Url, fetched: Fetched) -> Result<Option<SourceFile>, OriginError> {
    match fetched {
        Fetched::Found(source) => Ok(Some(source)),
        Fetched::Absent => Ok(None),
        Fetched::NotModified => {
            Err(OriginError::Failed(format!("{url} was not modified, but nobody asked whether it was")))
        }
    }
}

#[cfg(test)]
mod tests;
