//! Absences that are taken for granted while the style sheet is compiled, and asked for meanwhile.
//!
//! Beside a source that is there, another spelling of it hardly ever is; but where it is, it counts. So these
//! cost no visitor any time, and no result is stored before they are known.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use foldhash::HashSet;
use pipeline::ports::Origin;
use url::Url;

use super::{Answer, MAX_PARALLEL_FETCHES, Sources, SourcesError, UnderWay};

/// What is to be asked for, and what is under way. Lives beside the sources, which the compiler reads from
/// meanwhile.
pub(crate) struct Unverified {
    origin: Arc<dyn Origin>,
    /// With their URLs.
    assumed_absent: Vec<(String, Url)>,
    under_way: UnderWay,
    /// Bytes that may come.
    room: usize,
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
            assumed_absent: self
                .assumed_absent
                .keys()
                .filter_map(|path| Some((path.clone(), self.url_of(path)?)))
                .collect(),
            under_way: mem::take(&mut self.under_way),
            room: self.limits.bytes,
            is_waiting: self.is_verifying.clone(),
        }
    }

    pub(crate) fn note_verified(&mut self, answers: Vec<Answer>) -> Result<Assumptions, SourcesError> {
        let mut assumptions = Assumptions::Right;
        for answer in answers {
            let assumed = self.assumed_absent.remove(&answer.path);
            match (&answer.source, assumed) {
                (Ok(source), Some(_)) => {
                    if source.is_some() {
                        assumptions = Assumptions::Wrong;
                    }
                    self.asked.insert(answer.path.clone());
                    self.note(answer)?;
                }
                (Ok(_), None) => self.note(answer)?,
                // Beside what was not used it decides nothing, and is no part of the closure.
                (Err(error), Some(beside)) if self.used.contains(&beside) => {
                    return Err(error.clone().into());
                }
                (Err(_), _) => {}
            }
        }
        self.check_limits().map(|()| assumptions)
    }
}

impl Unverified {
    /// Until everything that was assumed is known. What else is under way is not waited for.
    pub(crate) async fn ask(self) -> Result<Vec<Answer>, SourcesError> {
        let Self { origin, assumed_absent, mut under_way, is_waiting, mut room } = self;
        let mut unknown: HashSet<String> = assumed_absent.iter().map(|(path, _)| path.clone()).collect();
        let mut to_ask = assumed_absent;
        to_ask.retain(|(path, _)| !under_way.has(path));
        let most = MAX_PARALLEL_FETCHES + under_way.len();
        let mut answers = Vec::new();
        is_waiting.store(!unknown.is_empty(), Ordering::Relaxed);
        while !unknown.is_empty() {
            while under_way.len() < most
                && let Some((path, url)) = to_ask.pop()
            {
                under_way.start(origin.clone(), path, url);
            }
            let Some(answer) = under_way.next().await else { break };
            unknown.remove(&answer.path);
            let length =
                answer.source.as_ref().map_or(0, |source| source.as_ref().map_or(0, |file| file.body.len()));
            room = room.checked_sub(length).ok_or_else(|| {
                SourcesError::TooMuch("the files beside the style sheet's sources are too long".to_owned())
            })?;
            answers.push(answer);
        }
        is_waiting.store(false, Ordering::Relaxed);
        Ok(answers)
    }
}
