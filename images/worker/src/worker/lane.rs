//! One queue's messages from their receipt to their start: what to ask for next, and what waits for a place.
//!
//! A worker asks for what it has free places for, and waits for it. A queue that gives at once what it is asked
//! for, or several together, has a backlog: then as many are received as will begin within a moment, and one call brings up to ten.
//! What waits longer than `PATIENCE`, since jobs take longer than those before, is handed back for others to
//! take.

use std::{collections::VecDeque, time::Duration};

use pipeline::{chain, ports::MAX_BATCH};
use tokio::{
    task::{JoinError, JoinSet},
    time::Instant,
};

use super::{messages::Message, pace::Pace};

/// How long a message waits here for a place before it is handed back; with the call for that it is less than
/// 250 ms.
const PATIENCE: Duration = Duration::from_millis(200);
/// What is received ahead is to begin within this time.
const AHEAD: Duration = Duration::from_millis(175);
/// More is received when what is there will have begun after this time: what a receive takes, and a little.
const SOON: Duration = Duration::from_millis(25);

/// A queue that has given nothing for this long has nothing: where it has, SQS answers within some 20 ms.
pub(super) const QUIET: Duration = Duration::from_millis(200);

/// What a poll is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Places that are free, as soon as there are any.
    ForFreePlaces,
    /// So many messages, for places that will soon be free.
    Ahead(usize),
}

/// What is known of what waits in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backlog {
    /// There may be none.
    Unseen,
    Seen,
    /// There is one, but nothing is to be received ahead until a job ends.
    Stuck,
}

pub(super) struct Lane {
    /// Each tells what it took.
    pub(super) jobs: JoinSet<Duration>,
    places: usize,
    ahead: VecDeque<Waiting>,
    /// How many messages polls under way may yet bring ahead.
    expected: usize,
    pace: Pace,
    backlog: Backlog,
}

struct Waiting {
    message: Message,
    until: Instant,
}

impl Lane {
    /// Of the queue whose jobs may have so many places.
    pub(super) fn new(places: usize) -> Self {
        Self {
            jobs: JoinSet::new(),
            places,
            ahead: VecDeque::new(),
            expected: 0,
            pace: Pace::default(),
            backlog: Backlog::Unseen,
        }
    }

    /// What to ask for now, if anything.
    pub(super) fn next_ask(&mut self) -> Option<Ask> {
        let coming = self.ahead.len() + self.expected;
        let most = self.pace.begun_within(AHEAD, self.places);
        if self.backlog == Backlog::Seen && most > 0 {
            if coming > self.pace.begun_within(SOON, self.places) || coming >= most {
                return None;
            }
            let count = (most - coming).min(MAX_BATCH);
            self.expected += count;
            return Some(Ask::Ahead(count));
        }
        self.ahead.is_empty().then_some(Ask::ForFreePlaces)
    }

    /// Notes how a poll ended that had asked for so many messages, and brought so many after this time.
    pub(super) fn note_poll(&mut self, ask: Ask, asked: usize, brought: usize, took: Duration) {
        if let Ask::Ahead(count) = ask {
            self.expected -= count;
        }
        // A queue that has many may still give fewer than it was asked for, and several that come together have
        // waited together.
        let is_full = brought > 0 && brought * 2 >= asked && (took < QUIET || brought > 1);
        self.backlog = match self.backlog {
            Backlog::Stuck => Backlog::Stuck,
            Backlog::Unseen | Backlog::Seen if is_full => Backlog::Seen,
            Backlog::Unseen | Backlog::Seen => Backlog::Unseen,
        };
    }

    pub(super) fn note_end(&mut self, ended: Result<Duration, JoinError>) {
        match ended {
            Ok(took) => self.pace.note(took),
            Err(error) => {
                tracing::error!(
                    error = chain(&error),
                    "a job ended unexpectedly; it will be delivered again"
                );
            }
        }
        if self.backlog == Backlog::Stuck {
            self.backlog = Backlog::Unseen;
        }
    }

    pub(super) fn wait(&mut self, messages: impl IntoIterator<Item = Message>) {
        let until = Instant::now() + PATIENCE;
        self.ahead.extend(messages.into_iter().map(|message| Waiting { message, until }));
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.ahead.is_empty()
    }

    pub(super) fn next_waiting(&mut self) -> Option<Message> {
        self.ahead.pop_front().map(|waiting| waiting.message)
    }

    /// When the first of those that wait has waited for too long.
    pub(super) fn patience_ends(&self) -> Instant {
        self.ahead.front().map_or_else(Instant::now, |waiting| waiting.until)
    }

    /// Those that have waited for too long.
    pub(super) fn give_up_late(&mut self) -> Vec<Message> {
        self.backlog = Backlog::Stuck;
        let now = Instant::now();
        let late = self.ahead.iter().take_while(|waiting| waiting.until <= now).count();
        self.ahead.drain(..late).map(|waiting| waiting.message).collect()
    }

    /// All that wait.
    pub(super) fn give_up_all(&mut self) -> Vec<Message> {
        self.ahead.drain(..).map(|waiting| waiting.message).collect()
    }
}
