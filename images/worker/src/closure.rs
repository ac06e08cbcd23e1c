//! The sources of one job: each asked for once, and remembered, found or absent.

mod ahead;
mod assumed;
mod first;
mod imports;
mod known;
mod revalidate;
mod under_way;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};

use futures::{StreamExt, stream};
use percent_encoding::percent_decode_str;
use pipeline::{
    manifest::{Closure, SourceRead},
    names::Digest,
    ports::{Origin, OriginError, SourceFile},
    tenant::source_url,
};
use url::Url;

use crate::resolve::{Settled, Syntax, siblings};
pub(crate) use assumed::Assumptions;
pub(crate) use imports::loads_of;
pub(crate) use revalidate::Revalidation;
use under_way::{Answer, UnderWay, as_source, ask};

/// The longest path that is asked for, in bytes, and all of a job's paths together: a style sheet can make
/// them up, and every one is stored in the closure.
const MAX_PATH_BYTES: usize = 1 << 10;
const MAX_PATHS_BYTES: usize = 2 << 20;

/// Requests under way at the same time for one job: enough for the imports of a framework's style sheet
/// (Bootstrap's has 40) to take one round trip.
pub(crate) const MAX_PARALLEL_FETCHES: usize = 48;

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

/// An answer that takes so long comes from far away: what may be needed is asked for before it is known to be.
const FAR: Duration = Duration::from_millis(3);

/// One job's view of its origin.
pub(crate) struct Sources {
    origin: Arc<dyn Origin>,
    base: Url,
    limits: SourceLimits,
    /// What came, by path.
    by_path: HashMap<String, Had>,
    /// The paths that decide what the compiler makes, all of them known.
    asked: HashSet<String>,
    /// Those of them that the compiler read.
    used: BTreeSet<String>,
    /// Paths that are taken for absent until they are asked for, and will be part of the closure; each with the
    /// path of the one that is there.
    assumed_absent: HashMap<String, String>,
    /// What the look ahead has come to.
    settled: Settled,
    /// Once the look ahead was made.
    syntax: Option<Syntax>,
    /// What was asked for ahead, and has not come yet.
    under_way: UnderWay,
    paths_bytes: usize,
    /// Of all that came, whether the compiler asked for it or not.
    arrived_bytes: usize,
    /// The shortest time for an answer.
    nearest: Option<Duration>,
    is_fetching: bool,
    is_verifying: Arc<AtomicBool>,
}

/// What the origin has at a URL: a `None` was found absent.
struct Had {
    url: String,
    source: Option<SourceFile>,
}

impl Sources {
    pub(crate) fn new(origin: Arc<dyn Origin>, base: Url, limits: SourceLimits) -> Self {
        Self {
            origin,
            base,
            limits,
            by_path: HashMap::new(),
            asked: HashSet::new(),
            used: BTreeSet::new(),
            assumed_absent: HashMap::new(),
            settled: Settled::default(),
            syntax: None,
            under_way: UnderWay::default(),
            paths_bytes: 0,
            arrived_bytes: 0,
            nearest: None,
            is_fetching: false,
            is_verifying: Arc::default(),
        }
    }

    /// Whether the origin is being waited for; stays true when the wait was given up.
    pub(crate) fn is_fetching(&self) -> bool {
        self.is_fetching || self.is_verifying.load(Ordering::Relaxed)
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
        self.fetch(vec![path.to_owned()]).await?;
        let source = self.source(path).cloned();
        if source.is_some() {
            self.used.insert(path.to_owned());
        }
        Ok(source)
    }

    /// What the result depends on.
    pub(crate) fn closure(&self) -> Closure {
        let mut asked: Vec<&String> = self.asked.iter().collect();
        asked.sort();
        let mut closure = Closure::default();
        for path in asked {
            match self.by_path.get(path) {
                Some(Had { url, source: None }) => closure.absent.push(url.clone()),
                Some(Had { url, source: Some(source) }) if self.used.contains(path) => {
                    closure.read.push(note_read(url, source));
                }
                Some(_) | None => {}
            }
        }
        closure
    }

    /// What is there, of a path that decides something.
    fn source(&self, path: &str) -> Option<&SourceFile> {
        self.asked.get(path).and_then(|path| self.found_at(path))
    }

    fn found_at(&self, path: &str) -> Option<&SourceFile> {
        self.by_path.get(path)?.source.as_ref()
    }

    async fn fetch(&mut self, mut paths: Vec<String>) -> Result<(), SourcesError> {
        paths.retain(|path| !self.asked.contains(path) && !self.is_taken_for_absent(path));
        if paths.is_empty() {
            return Ok(());
        }
        self.check_paths(&paths)?;
        self.is_fetching = true;
        let unknown = paths.iter().filter(|path| !self.by_path.contains_key(*path)).cloned();
        let requests = self.urls_of(unknown)?.into_iter();
        let requests: Vec<_> = requests.map(|(path, url)| ask(self.origin.clone(), path, url)).collect();
        let mut answers = stream::iter(requests).buffer_unordered(MAX_PARALLEL_FETCHES);
        while let Some(answer) = answers.next().await {
            self.note(answer)?;
        }
        self.is_fetching = false;
        self.asked.extend(paths);
        self.check_limits()
    }

    fn note(&mut self, answer: Answer) -> Result<(), OriginError> {
        let Answer { path, url, source, took } = answer;
        let source = source?;
        self.nearest = self.nearest.into_iter().chain([took]).min();
        self.arrived_bytes += source.as_ref().map_or(0, |source| source.body.len());
        self.by_path.insert(path, Had { url: url.into(), source });
        Ok(())
    }

    fn is_far(&self) -> bool {
        self.nearest.is_none_or(|took| took >= FAR)
    }

    fn is_taken_for_absent(&self, path: &str) -> bool {
        self.assumed_absent.contains_key(path)
            || self.syntax.is_some_and(|syntax| self.settled.is_undecisive(path, syntax))
    }

    fn url_of(&self, path: &str) -> Option<Url> {
        source_url(&self.base, path)
    }

    /// The path of a URL that an earlier job has asked for.
    fn path_of(&self, url: &Url) -> Option<String> {
        let base = self.url_of("/")?;
        let path = url.path().strip_prefix(base.path().trim_end_matches('/'))?;
        let path = percent_decode_str(path).decode_utf8().ok()?.into_owned();
        (self.url_of(&path).as_ref() == Some(url)).then_some(path)
    }

    fn urls_of(&self, paths: impl IntoIterator<Item = String>) -> Result<Vec<(String, Url)>, OriginError> {
        let unusable = || OriginError::Refused(format!("{} cannot be an origin", self.base));
        let urls = paths.into_iter().map(|path| {
            let url = self.url_of(&path).ok_or_else(unusable)?;
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
        let found = self.asked.iter().filter_map(|path| self.found_at(path));
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

#[cfg(test)]
mod tests;
