//! Absences that are taken for granted while the style sheet is compiled, and asked for meanwhile.
//!
//! Beside a source that is there, another spelling of it hardly ever is; but where it is, it counts. So these
//! cost no visitor any time, and no result is stored before they are known.

use std::{
    collections::BTreeMap,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::{StreamExt, stream};
use pipeline::ports::Origin;
use url::Url;

use super::{Answer, MAX_PARALLEL_FETCHES, Sources, SourcesError, UnderWay, ask};

/// What is to be asked for, and what is under way. Lives beside the sources, which the compiler reads from
/// meanwhile.
pub(crate) struct Unverified {
    origin: Arc<dyn Origin>,
    assumed_absent: BTreeMap<String, Url>,
    under_way: UnderWay,
    is_waiting: Arc<AtomicBool>,
}

/// What came of the question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Assumptions {
    Right,
    /// Something is there: what was compiled without it is void.
    Wrong,
}

impl Sources {
    pub(crate) fn unverified(&mut self) -> Unverified {
        Unverified {
            origin: self.origin.clone(),
            assumed_absent: self.assumed_absent.clone(),
            under_way: mem::take(&mut self.under_way),
            is_waiting: self.is_verifying.clone(),
        }
    }

    pub(crate) fn note_verified(&mut self, answers: Vec<Answer>) -> Result<Assumptions, SourcesError> {
        let mut assumptions = Assumptions::Right;
        for Answer { path, url, source } in answers {
            let is_decisive = self.assumed_absent.remove(&path).is_some();
            match source {
                Ok(source) => {
                    if is_decisive && source.is_some() {
                        assumptions = Assumptions::Wrong;
                    }
                    if is_decisive {
                        self.asked.insert(path, url.to_string());
                    }
                    self.by_url.insert(url.into(), source);
                }
                Err(error) if is_decisive => return Err(error.into()),
                Err(_) => {}
            }
        }
        self.check_limits().map(|()| assumptions)
    }
}

impl Unverified {
    pub(crate) async fn ask(self) -> Vec<Answer> {
        let Self { origin, assumed_absent, mut under_way, is_waiting } = self;
        if assumed_absent.is_empty() && under_way.len() == 0 {
            return Vec::new();
        }
        is_waiting.store(true, Ordering::Relaxed);
        let requests = assumed_absent.into_iter().filter(|(path, _)| !under_way.has(path));
        let requests: Vec<_> = requests.map(|(path, url)| ask(origin.clone(), path, url)).collect();
        let asked = stream::iter(requests).buffer_unordered(MAX_PARALLEL_FETCHES);
        let begun = async {
            let mut answers = Vec::new();
            while let Some(answer) = under_way.next().await {
                answers.push(answer);
            }
            answers
        };
        let (asked, begun): (Vec<_>, _) = tokio::join!(asked.collect(), begun);
        is_waiting.store(false, Ordering::Relaxed);
        asked.into_iter().chain(begun).collect()
    }
}
