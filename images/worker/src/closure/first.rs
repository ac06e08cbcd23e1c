//! The first of several paths at which an origin has a source.

use futures::{StreamExt, stream};
use pipeline::ports::OriginError;

use super::{Sources, SourcesError, as_source};

impl Sources {
    /// All are asked for together. What comes behind the first one that is there is not waited for: it
    /// decides nothing, and is no part of the closure.
    pub(crate) async fn find_first(&mut self, paths: &[String]) -> Result<Option<String>, SourcesError> {
        self.check_paths(paths)?;
        let urls = self.urls_of(paths.iter().cloned())?;
        self.is_fetching = true;
        let (origin, known) = (self.origin.clone(), &self.by_url);
        let requests = urls.into_iter().map(|(path, url)| {
            let (origin, known) = (&origin, known.get(url.as_str()));
            async move {
                let source = match known {
                    Some(source) => source.clone(),
                    None => as_source(&url, origin.fetch(&url, None).await?)?,
                };
                Ok::<_, OriginError>((path, url, source))
            }
        });
        let requests: Vec<_> = requests.collect();
        let mut answers = stream::iter(requests).buffered(paths.len());
        let (mut asked, mut found) = (Vec::new(), None);
        while let (None, Some(answer)) = (&found, answers.next().await) {
            let (path, url, source) = answer?;
            found = source.is_some().then(|| path.clone());
            asked.push((path, url, source));
        }
        drop(answers);
        for (path, url, source) in asked {
            self.asked.insert(path, url.to_string());
            self.by_url.insert(url.into(), source);
        }
        self.is_fetching = false;
        self.check_limits()?;
        Ok(found)
    }
}
