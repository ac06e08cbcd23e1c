//! The first of several paths at which an origin has a source.

use futures::{FutureExt, StreamExt, future::ready, stream};

use super::{Sources, SourcesError, ask};

impl Sources {
    /// All are asked for together. What comes behind the first one that is there is not waited for: it
    /// decides nothing, and is no part of the closure.
    pub(crate) async fn find_first(&mut self, paths: &[String]) -> Result<Option<String>, SourcesError> {
        self.check_paths(paths)?;
        self.is_fetching = true;
        let mut requests = Vec::new();
        for (path, url) in self.urls_of(paths.iter().cloned())? {
            requests.push(if self.by_path.contains_key(&path) {
                ready((path, None)).left_future()
            } else {
                let asked = ask(self.origin.clone(), path, url);
                asked.map(|answer| (answer.path.clone(), Some(answer))).right_future()
            });
        }
        let mut answers = stream::iter(requests).buffered(paths.len());
        let mut found = None;
        while let (None, Some((path, answer))) = (&found, answers.next().await) {
            if let Some(answer) = answer {
                self.note(answer)?;
            }
            found = self.found_at(&path).is_some().then(|| path.clone());
            self.asked.insert(path);
        }
        self.is_fetching = false;
        self.check_limits()?;
        Ok(found)
    }
}
