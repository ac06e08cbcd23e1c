//! Requests to an origin that outlive the wait for them, as long as their job does.

use std::{sync::Arc, time::Duration};

use foldhash::HashSet;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use pipeline::ports::{Fetched, Origin, OriginError, SourceFile};
use tokio::time::Instant;
use url::Url;

/// What an origin says of a path.
pub(crate) struct Answer {
    pub(super) path: String,
    pub(super) url: Url,
    pub(super) source: Result<Option<SourceFile>, OriginError>,
    pub(super) took: Duration,
}

/// Each under way once.
#[derive(Default)]
pub(super) struct UnderWay {
    requests: FuturesUnordered<BoxFuture<'static, Answer>>,
    paths: HashSet<String>,
}

impl UnderWay {
    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    pub(super) fn start(&mut self, origin: Arc<dyn Origin>, path: String, url: Url) {
        if self.paths.insert(path.clone()) {
            self.requests.push(ask(origin, path, url).boxed());
        }
    }

    /// The next answer; `None` where nothing is under way.
    pub(super) async fn next(&mut self) -> Option<Answer> {
        let answer = self.requests.next().await?;
        self.paths.remove(&answer.path);
        Some(answer)
    }
}

pub(super) async fn ask(origin: Arc<dyn Origin>, path: String, url: Url) -> Answer {
    let begun = Instant::now();
    let source = origin.fetch(&url, None).await.and_then(|fetched| as_source(&url, fetched));
    Answer { path, url, source, took: begun.elapsed() }
}

/// The answer to a request without validators.
pub(super) fn as_source(url: &Url, fetched: Fetched) -> Result<Option<SourceFile>, OriginError> {
    match fetched {
        Fetched::Found(source) => Ok(Some(source)),
        Fetched::Absent => Ok(None),
        Fetched::NotModified => {
            Err(OriginError::Failed(format!("{url} was not modified, but nobody asked whether it was")))
        }
    }
}
