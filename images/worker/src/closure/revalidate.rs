//! Asking an origin whether what was read for an earlier job is still what it has.
//!
//! All of a closure is asked for at once. What turns out to be needed for a new compile is kept, so that the
//! compile asks for nothing twice.

use futures::{StreamExt, TryStreamExt, stream};
use pipeline::{
    manifest::{Closure, SourceRead},
    names::Digest,
    ports::{Fetched, OriginError, Validators},
};
use url::Url;

use super::{Had, MAX_PARALLEL_FETCHES, Sources, SourcesError, as_source, note_read};

/// What became of a closure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Revalidation {
    /// The origin would give the same again. Holds the validators that it gives now.
    Unchanged(Closure),
    Changed,
}

/// One URL of a closure, and what is known of it.
enum Entry {
    Read(SourceRead),
    Absent(String),
}

impl Entry {
    fn url(&self) -> &str {
        match self {
            Self::Read(source) => &source.url,
            Self::Absent(url) => url,
        }
    }

    fn validators(&self) -> Option<Validators> {
        match self {
            Self::Read(SourceRead { etag, last_modified, .. }) => {
                Some(Validators { etag: etag.clone(), last_modified: last_modified.clone() })
            }
            Self::Absent(_) => None,
        }
    }
}

/// One answer, compared with what was known.
enum Answer {
    Same(Entry),
    /// Worth fetching should there be a compile.
    NotModified(SourceRead),
    Different,
}

impl Sources {
    /// Asks for every URL of an earlier closure, with its validators where it had some; without them the
    /// contents are compared. After a change, what did not change is fetched too, for the compile.
    pub(crate) async fn revalidate(&mut self, closure: Closure) -> Result<Revalidation, SourcesError> {
        let Closure { read, absent } = closure;
        let entries: Vec<Entry> =
            read.into_iter().map(Entry::Read).chain(absent.into_iter().map(Entry::Absent)).collect();
        let total = entries.len();
        let mut unchanged = Closure::default();
        let mut not_modified = Vec::new();
        for answer in self.ask(entries).await? {
            match answer {
                Answer::Same(Entry::Read(source)) => unchanged.read.push(source),
                Answer::Same(Entry::Absent(url)) => unchanged.absent.push(url),
                Answer::NotModified(source) => {
                    not_modified.push(source.url.clone());
                    unchanged.read.push(source);
                }
                Answer::Different => {}
            }
        }
        if unchanged.read.len() + unchanged.absent.len() == total {
            unchanged.read.sort_by(|a, b| a.url.cmp(&b.url));
            unchanged.absent.sort();
            return Ok(Revalidation::Unchanged(unchanged));
        }
        // The validators are not sent again: this time the contents are needed.
        self.ask(not_modified.into_iter().map(Entry::Absent).collect()).await?;
        Ok(Revalidation::Changed)
    }

    async fn ask(&mut self, entries: Vec<Entry>) -> Result<Vec<Answer>, SourcesError> {
        self.is_fetching = true;
        let origin = self.origin.clone();
        let requests = entries.into_iter().map(|entry| {
            let origin = origin.clone();
            async move {
                let url = parse(entry.url())?;
                let fetched = origin.fetch(&url, entry.validators().as_ref()).await?;
                Ok::<_, OriginError>((url, entry, fetched))
            }
        });
        let mut answers = stream::iter(requests).buffer_unordered(MAX_PARALLEL_FETCHES);
        let mut compared = Vec::new();
        let mut room = self.limits.bytes;
        while let Some((url, entry, fetched)) = answers.try_next().await? {
            let answer = match (entry, fetched) {
                (Entry::Read(source), Fetched::NotModified) => Answer::NotModified(source),
                (entry, fetched) => {
                    let source = as_source(&url, fetched)?;
                    let answer = compare(entry, source.as_ref());
                    // What finds no room is asked for again by the compile, whose limits name what is too much.
                    let length = source.as_ref().map_or(0, |source| source.body.len());
                    if let Some(rest) = room.checked_sub(length) {
                        room = rest;
                        if let Some(path) = self.path_of(&url) {
                            self.by_path.insert(path, Had { url: url.into(), source });
                        }
                    }
                    answer
                }
            };
            compared.push(answer);
        }
        self.is_fetching = false;
        Ok(compared)
    }
}

fn compare(entry: Entry, source: Option<&pipeline::ports::SourceFile>) -> Answer {
    match (entry, source) {
        (Entry::Absent(url), None) => Answer::Same(Entry::Absent(url)),
        (Entry::Read(known), Some(source)) if Digest::of(&source.body) == known.sha256 => {
            Answer::Same(Entry::Read(note_read(&known.url, source)))
        }
        (Entry::Absent(_), Some(_)) | (Entry::Read(_), Some(_) | None) => Answer::Different,
    }
}

fn parse(url: &str) -> Result<Url, OriginError> {
    url.parse().map_err(|_| OriginError::Failed(format!("{url} of an earlier job is no URL")))
}
