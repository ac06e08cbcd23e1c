//! What a connection is doing, by the bytes that pass: how slow and idle clients are told from busy ones.
//!
//! Costs a clock reading for each read and write. A timer for each request head, as hyper has one, costs
//! two turns of the runtime's timer lock for each hit and cannot tell an idle client from a slow one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::ServeSettings;

/// No head is being read.
const NO_HEAD: u64 = u64::MAX;

/// When something last happened on a connection. Times are milliseconds since it was accepted.
#[derive(Debug)]
pub(super) struct Pulse {
    accepted: Instant,
    touched: AtomicU64,
    /// Since when a request's head has been on its way.
    head_since: AtomicU64,
    answering: AtomicU32,
    heads: Heads,
    /// The engine has not been given all of an answer yet that it has been asked for.
    is_owed: AtomicBool,
}

/// Whether bytes from the client, while nothing is answered, must soon become a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heads {
    /// HTTP/1.1: they can be nothing else.
    Timed,
    /// HTTP/2: they may be pings and window updates.
    Untimed,
}

/// What to do about a connection now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Nothing before this time.
    LookAgain(Instant),
    Cut,
}

impl Pulse {
    pub(super) fn new(accepted: Instant, heads: Heads) -> Self {
        let head_since = match heads {
            Heads::Timed => 0,
            Heads::Untimed => NO_HEAD,
        };
        Self {
            accepted,
            touched: AtomicU64::new(0),
            head_since: AtomicU64::new(head_since),
            answering: AtomicU32::new(0),
            heads,
            is_owed: AtomicBool::new(false),
        }
    }

    /// Whether the client has had its time.
    pub(super) fn judge(&self, settings: &ServeSettings, now: Instant) -> Judgement {
        let at = |millis: u64, limit: Duration| self.accepted + Duration::from_millis(millis) + limit;
        let head_since = self.head_since.load(Relaxed);
        let deadline = if self.answering.load(Relaxed) > 0 {
            return Judgement::LookAgain(now + settings.idle_timeout.min(settings.head_timeout));
        } else if head_since == NO_HEAD {
            at(self.touched.load(Relaxed), settings.idle_timeout)
        } else {
            at(head_since, settings.head_timeout)
        };
        if deadline <= now {
            return Judgement::Cut;
        }
        // A head may begin at any time, and its time is the shorter one.
        Judgement::LookAgain(deadline.min(now + settings.head_timeout))
    }

    pub(super) fn begin_answer(self: &Arc<Self>) -> Answering {
        self.end_head();
        self.answering.fetch_add(1, Relaxed);
        Answering(self.clone())
    }

    /// Tells that the engine got a request.
    pub(super) fn owe(&self) {
        self.is_owed.store(true, Relaxed);
    }

    pub(super) fn is_owed(&self) -> bool {
        self.is_owed.load(Relaxed)
    }

    /// Tells that a request's head has come that the engine is not asked for.
    pub(super) fn end_head(&self) {
        self.head_since.store(NO_HEAD, Relaxed);
    }

    pub(super) fn note_read(&self) {
        let now = self.now();
        self.touched.store(now, Relaxed);
        if self.heads == Heads::Timed
            && self.head_since.load(Relaxed) == NO_HEAD
            && self.answering.load(Relaxed) == 0
        {
            self.head_since.store(now, Relaxed);
        }
    }

    pub(super) fn note_write(&self) {
        self.touched.store(self.now(), Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }
}

/// A request that is being answered, for as long as it lives.
pub(super) struct Answering(pub(super) Arc<Pulse>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answering.fetch_sub(1, Relaxed);
    }
}

/// The body of an answer that the engine is being given, for as long as it lives.
pub(super) struct Owed(pub(super) Arc<Pulse>);

impl Drop for Owed {
    fn drop(&mut self) {
        self.0.is_owed.store(false, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: ServeSettings = ServeSettings {
        head_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_mins(1),
        ..ServeSettings::PUBLIC
    };

    fn pulse(heads: Heads) -> (Arc<Pulse>, impl Fn(u64) -> Judgement) {
        let accepted = Instant::now();
        let pulse = Arc::new(Pulse::new(accepted, heads));
        let judged = pulse.clone();
        (pulse, move |second| judged.judge(&SETTINGS, accepted + Duration::from_secs(second)))
    }

    #[tokio::test(start_paused = true)]
    async fn head_has_its_time_from_its_first_byte_however_steadily_it_drips() {
        let (pulse, judge) = pulse(Heads::Timed);
        for _ in 0..9 {
            tokio::time::advance(Duration::from_secs(1)).await;
            pulse.note_read();
        }
        assert!(matches!(judge(9), Judgement::LookAgain(_)));
        assert_eq!(judge(10), Judgement::Cut);
    }

    #[tokio::test(start_paused = true)]
    async fn answer_takes_as_long_as_it_takes_and_the_idle_time_begins_after_it() {
        let (pulse, judge) = pulse(Heads::Timed);
        let answering = pulse.begin_answer();
        assert!(matches!(judge(1_000), Judgement::LookAgain(_)));
        tokio::time::advance(Duration::from_secs(1_000)).await;
        pulse.note_write();
        drop(answering);
        assert!(matches!(judge(1_059), Judgement::LookAgain(_)));
        assert_eq!(judge(1_060), Judgement::Cut);
        tokio::time::advance(Duration::from_secs(50)).await;
        pulse.note_read();
        assert!(matches!(judge(1_059), Judgement::LookAgain(_)), "the next head has its own time");
        assert_eq!(judge(1_060), Judgement::Cut);
    }

    #[tokio::test(start_paused = true)]
    async fn pings_are_no_heads() {
        let (pulse, judge) = pulse(Heads::Untimed);
        tokio::time::advance(Duration::from_secs(5)).await;
        pulse.note_read();
        assert!(matches!(judge(64), Judgement::LookAgain(_)));
        assert_eq!(judge(65), Judgement::Cut);
    }
}
