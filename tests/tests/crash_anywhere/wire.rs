//! The wire between one operator and what it works on, and what goes wrong on it.
//!
//! Writes in the cluster and on AWS are counted together. A wire belongs to one process: whoever starts again has
//! a new one.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub(crate) use tests::memory_aws::Answer;
use tokio::sync::watch;
use tower::BoxError;

/// What goes wrong. Numbers count from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    /// Once this write was carried out nothing is heard of any call, until somebody goes on.
    StopAfter(usize),
    /// This write is carried out, and the connection ends before its answer comes. Nobody tries it again at once.
    LoseReply(usize),
    /// Likewise, and the client tries it again as in production.
    LoseReplyOnce(usize),
    /// Every read gives once more what it gave before the last change.
    StaleReads,
    /// Only this one does.
    StaleRead(usize),
    /// What watches tell comes only once there is nothing else to do.
    LateWatches,
}

/// Whether a call changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Read,
    Write,
}

/// One call as it goes over the wire.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) effect: Effect,
    /// Short, for people.
    pub(crate) told: String,
    /// Everything that it says: two reads of the same text ask for the same.
    pub(crate) text: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Wire {
    fault: Fault,
    state: Arc<Mutex<State>>,
    is_stopped: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    writes: Vec<Call>,
    reads: usize,
    /// The last answer to each read, where stale ones are wanted.
    remembered: HashMap<String, Answer>,
    late: usize,
}

impl Wire {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault, state: Arc::default(), is_stopped: watch::Sender::new(false) }
    }

    /// Lets a call pass, as far as it comes.
    pub(crate) async fn carry(
        &self,
        call: Call,
        send: impl Future<Output = Result<Answer, BoxError>>,
    ) -> Result<Answer, BoxError> {
        self.until_it_goes_on().await;
        match call.effect {
            Effect::Read => {
                let answer = send.await?;
                Ok(self.maybe_stale(call, answer))
            }
            Effect::Write => {
                let number = {
                    let mut state = self.lock();
                    state.writes.push(call);
                    state.writes.len()
                };
                let answer = send.await?;
                if self.fault == Fault::StopAfter(number) {
                    self.is_stopped.send_replace(true);
                    self.until_it_goes_on().await;
                }
                if [Fault::LoseReply(number), Fault::LoseReplyOnce(number)].contains(&self.fault) {
                    return Err("the connection ended before the answer came".into());
                }
                Ok(answer)
            }
        }
    }

    fn maybe_stale(&self, call: Call, answer: Answer) -> Answer {
        let mut state = self.lock();
        state.reads += 1;
        let is_due = match self.fault {
            Fault::StaleReads => true,
            Fault::StaleRead(number) => number == state.reads,
            Fault::Nothing
            | Fault::StopAfter(_)
            | Fault::LoseReply(_)
            | Fault::LoseReplyOnce(_)
            | Fault::LateWatches => {
                return answer;
            }
        };
        match state.remembered.insert(call.text, answer.clone()) {
            Some(before) if is_due && before != answer => {
                state.late += 1;
                before
            }
            Some(_) | None => answer,
        }
    }

    /// Comes back once the write was carried out after which the wire stops.
    pub(crate) async fn stopped(&self) {
        let mut watched = self.is_stopped.subscribe();
        // It fails where the sender is gone, which `self` has.
        let _ = watched.wait_for(|is_stopped| *is_stopped).await;
    }

    async fn until_it_goes_on(&self) {
        let mut watched = self.is_stopped.subscribe();
        let _ = watched.wait_for(|is_stopped| !is_stopped).await;
    }

    pub(crate) fn go_on(&self) {
        self.is_stopped.send_replace(false);
    }

    pub(crate) fn write_count(&self) -> usize {
        self.lock().writes.len()
    }

    pub(crate) fn read_count(&self) -> usize {
        self.lock().reads
    }

    /// A round begins though the watches have not told of what the one before it did.
    pub(crate) fn note_late(&self) {
        self.lock().late += 1;
    }

    /// Reads that were answered with what was no longer so, and rounds that the watches were behind.
    pub(crate) fn late_count(&self) -> usize {
        self.lock().late
    }

    /// The write of this number, for people.
    pub(crate) fn told(&self, number: usize) -> String {
        self.lock().writes.get(number - 1).map_or_else(String::new, |call| call.told.clone())
    }

    /// How many writes were told like this.
    pub(crate) fn count_told(&self, told: &str) -> usize {
        self.lock().writes.iter().filter(|call| call.told == told).count()
    }

    /// All writes that name something by one of these words.
    pub(crate) fn writes_naming(&self, words: &[&str]) -> Vec<String> {
        let state = self.lock();
        let named = state.writes.iter().filter(|call| words.iter().any(|word| call.text.contains(word)));
        named.map(|call| call.told.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
