//! What a connection is doing, by the bytes that pass: how slow and idle clients are told from busy ones.
//!
//! Costs a clock reading for each read and write. A timer for each request head, as hyper has one, costs
//! two turns of the runtime's timer lock for each hit and cannot tell an idle client from a slow one.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};

use super::{ServeSettings, kernel_copy::KernelCopy};

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
    /// What the kernel has of the body that is given now.
    giving: Mutex<Option<Arc<KernelCopy>>>,
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
            giving: Mutex::default(),
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
        self.head_since.store(NO_HEAD, Relaxed);
        self.answering.fetch_add(1, Relaxed);
        Answering(self.clone())
    }

    /// Tells what the kernel has of the body that is to be written next.
    pub(super) fn give(&self, copy: Option<Arc<KernelCopy>>) {
        // HTTP/2 writes frames, and never a body by itself.
        if self.heads == Heads::Timed {
            *self.giving() = copy;
        }
    }

    /// Takes back what `give` told last.
    pub(super) fn take_given(&self) -> Option<Arc<KernelCopy>> {
        self.giving().take()
    }

    fn giving(&self) -> MutexGuard<'_, Option<Arc<KernelCopy>>> {
        // No code panics while it holds the lock half-way through a change.
        self.giving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_read(&self) {
        let now = self.now();
        self.touched.store(now, Relaxed);
        if self.heads == Heads::Timed
            && self.head_since.load(Relaxed) == NO_HEAD
            && self.answering.load(Relaxed) == 0
        {
            self.head_since.store(now, Relaxed);
        }
    }

    fn note_write(&self) {
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

/// A connection whose bytes move a pulse.
pub(super) struct Felt {
    pub(super) stream: TcpStream,
    pub(super) pulse: Arc<Pulse>,
}

impl Felt {
    fn stream(self: Pin<&mut Self>) -> Pin<&mut TcpStream> {
        Pin::new(&mut self.get_mut().stream)
    }

    fn note(&self, written: io::Result<usize>) -> io::Result<usize> {
        if written.is_ok() {
            self.pulse.note_write();
        }
        written
    }
}

impl AsyncRead for Felt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(self.as_mut().stream().poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.pulse.note_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Felt {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.as_mut().stream().poll_write(context, bytes));
        Poll::Ready(self.note(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(copy) = self.pulse.take_given() {
            let part = copy.part(slices);
            let sent = part.as_ref().map(|part| copy.poll_send(&self.stream, part, context));
            let is_all = match (&part, &sent) {
                (Some(part), Some(Poll::Ready(Ok(written)))) => copy.ends_with(part, *written),
                _ => false,
            };
            if !is_all {
                self.pulse.give(Some(copy));
            }
            if let Some(sent) = sent {
                return sent.map(|written| self.note(written));
            }
        }
        let written = ready!(self.as_mut().stream().poll_write_vectored(context, slices));
        Poll::Ready(self.note(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
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
