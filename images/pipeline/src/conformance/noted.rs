//! Ports that note each of their calls and take their time: for tests of what is called in which order, and
//! of how long a chain of calls is.
//!
//! A call takes the journal's pause and then what the port behind it takes. Receiving is noted only where it
//! brings something: a worker asks all the time.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::{
    Error,
    notice::Notice,
    ports::{
        Condition, Delivery, Depth, Fetched, NotDone, Notifier, Object, Origin, OriginError, PutOutcome,
        Queue, Receipt, Store, Validators,
    },
};

/// A call, in times since the journal was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Whose call it is, where the port has an owner's name, and of what: `worker: put body`.
    pub name: String,
    pub began: Duration,
    /// `None` while it lasts.
    pub ended: Option<Duration>,
}

impl fmt::Display for Call {
    /// `20-25 worker: put body`, in milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.began.as_millis())?;
        if let Some(ended) = self.ended {
            write!(f, "{}", ended.as_millis())?;
        }
        write!(f, " {}", self.name)
    }
}

/// What was called, in the order of the beginnings.
pub struct Journal {
    opened: Instant,
    pause: Duration,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    calls: Vec<Call>,
    /// How many of them were read.
    read: usize,
}

impl Journal {
    /// A journal whose ports take `pause` for each call.
    pub fn new(pause: Duration) -> Arc<Self> {
        Arc::new(Self { opened: Instant::now(), pause, pages: Mutex::default() })
    }

    /// Notes a call that takes the pause alone.
    pub async fn note(&self, name: String) {
        self.note_during(name, async {}).await;
    }

    /// Notes a call that takes the pause and then what `doing` takes.
    pub async fn note_during<T>(&self, name: String, doing: impl Future<Output = T>) -> T {
        let number = {
            let calls = &mut self.lock().calls;
            calls.push(Call { name, began: self.opened.elapsed(), ended: None });
            calls.len() - 1
        };
        sleep(self.pause).await;
        let done = doing.await;
        if let Some(call) = self.lock().calls.get_mut(number) {
            call.ended = Some(self.opened.elapsed());
        }
        done
    }

    /// The calls that began since this was last asked.
    pub fn take(&self) -> Vec<Call> {
        let mut pages = self.lock();
        let unread = pages.calls.iter().skip(pages.read).cloned().collect();
        pages.read = pages.calls.len();
        unread
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        // No code panics while it holds the lock half-way through a change.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A port whose calls are noted.
pub struct Noted<P: ?Sized> {
    inner: Arc<P>,
    journal: Arc<Journal>,
    /// Stands before the name of each call.
    prefix: &'static str,
}

impl<P: ?Sized> Noted<P> {
    pub fn new(inner: Arc<P>, journal: &Arc<Journal>, prefix: &'static str) -> Self {
        Self { inner, journal: journal.clone(), prefix }
    }

    async fn note<T>(&self, name: &str, doing: impl Future<Output = T>) -> T {
        self.journal.note_during(format!("{}{name}", self.prefix), doing).await
    }
}

/// The object's kind.
fn kind(name: &str) -> &'static str {
    match name.split_once('/') {
        Some(("a", _)) => "manifest",
        Some(("n", _)) => "attempts",
        _ => "body",
    }
}

#[async_trait]
impl<S: Store + ?Sized> Store for Noted<S> {
    async fn get(&self, name: &str) -> Result<Option<Object>, Error> {
        self.note(&format!("get {}", kind(name)), self.inner.get(name)).await
    }

    async fn put(&self, name: &str, body: Bytes, condition: Condition) -> Result<PutOutcome, Error> {
        self.note(&format!("put {}", kind(name)), self.inner.put(name, body, condition)).await
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        self.note(&format!("delete {}", kind(name)), self.inner.delete(name)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.note("list", self.inner.list(prefix)).await
    }
}

#[async_trait]
impl<Q: Queue + ?Sized> Queue for Noted<Q> {
    async fn send(&self, body: &str, group: &str) -> Result<(), Error> {
        self.note("send", self.inner.send(body, group)).await
    }

    async fn receive(&self, max: u32, wait: Duration, visibility: Duration) -> Result<Vec<Delivery>, Error> {
        let received = self.inner.receive(max, wait, visibility).await?;
        if !received.is_empty() {
            self.note("receive", async {}).await;
        }
        Ok(received)
    }

    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Result<(), Vec<NotDone>> {
        self.note("change visibility", self.inner.change_visibility(changes)).await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<(), Vec<NotDone>> {
        self.note("delete", self.inner.delete(receipts)).await
    }

    async fn depth(&self) -> Result<Depth, Error> {
        self.inner.depth().await
    }
}

#[async_trait]
impl<N: Notifier + ?Sized> Notifier for Noted<N> {
    async fn publish(&self, notice: &Notice) -> Result<(), Error> {
        self.note("publish", self.inner.publish(notice)).await
    }
}

#[async_trait]
impl<O: Origin + ?Sized> Origin for Noted<O> {
    async fn fetch(&self, url: &Url, known: Option<&Validators>) -> Result<Fetched, OriginError> {
        let name = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
        let verb = if known.is_some() { "ask for" } else { "fetch" };
        self.note(&format!("{verb} {name}"), self.inner.fetch(url, known)).await
    }
}
