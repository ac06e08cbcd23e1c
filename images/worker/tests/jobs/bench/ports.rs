//! Ports that note each call's begin and end.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use pipeline::{
    Error,
    notice::Notice,
    ports::{
        Condition, Delivery, Depth, Fetched, Notifier, Object, Origin, OriginError, PutOutcome, Queue,
        Receipt, Store, Validators,
    },
};
use url::Url;

/// What was called, in order: `+ call` at its begin, `- call` at its end.
#[derive(Default)]
pub(crate) struct Journal(Mutex<Vec<String>>);

impl Journal {
    fn note(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    /// All lines since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// The calls since the last time, in the order of their beginnings.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.take().iter().filter_map(|line| line.strip_prefix("+ ").map(str::to_owned)).collect()
    }
}

/// A port whose calls are noted.
pub(crate) struct Noted<P> {
    inner: Arc<P>,
    journal: Arc<Journal>,
}

impl<P> Noted<P> {
    pub(crate) fn new(inner: Arc<P>, journal: &Arc<Journal>) -> Self {
        Self { inner, journal: journal.clone() }
    }

    async fn note<T>(&self, call: String, doing: impl Future<Output = T>) -> T {
        self.journal.note(format!("+ {call}"));
        // Whoever calls several ports at once has begun all of them when the first one ends.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let done = doing.await;
        self.journal.note(format!("- {call}"));
        done
    }
}

/// The object's kind: `manifest` or `body`.
fn kind(name: &str) -> &'static str {
    if name.starts_with("a/") { "manifest" } else { "body" }
}

#[async_trait]
impl<S: Store> Store for Noted<S> {
    async fn get(&self, name: &str) -> Result<Option<Object>, Error> {
        self.note(format!("get {}", kind(name)), self.inner.get(name)).await
    }

    async fn put(&self, name: &str, body: Bytes, condition: Condition) -> Result<PutOutcome, Error> {
        let put = self.inner.put(name, body, condition);
        self.note(format!("put {}", kind(name)), put).await
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        self.note(format!("delete {}", kind(name)), self.inner.delete(name)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.note("list".to_owned(), self.inner.list(prefix)).await
    }
}

#[async_trait]
impl<Q: Queue> Queue for Noted<Q> {
    async fn send(&self, body: &str, group: &str) -> Result<(), Error> {
        self.note("send".to_owned(), self.inner.send(body, group)).await
    }

    /// Noted only where it brings something: a worker asks all the time.
    async fn receive(&self, max: u32, wait: Duration, visibility: Duration) -> Result<Vec<Delivery>, Error> {
        let received = self.inner.receive(max, wait, visibility).await?;
        if !received.is_empty() {
            self.journal.note("+ receive".to_owned());
            self.journal.note("- receive".to_owned());
        }
        Ok(received)
    }

    async fn change_visibility(&self, receipt: &Receipt, visibility: Duration) -> Result<(), Error> {
        self.note("change visibility".to_owned(), self.inner.change_visibility(receipt, visibility)).await
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Error> {
        self.note("delete".to_owned(), self.inner.delete(receipt)).await
    }

    async fn depth(&self) -> Result<Depth, Error> {
        self.inner.depth().await
    }
}

#[async_trait]
impl<N: Notifier> Notifier for Noted<N> {
    async fn publish(&self, notice: &Notice) -> Result<(), Error> {
        self.note("publish".to_owned(), self.inner.publish(notice)).await
    }
}

#[async_trait]
impl<O: Origin> Origin for Noted<O> {
    async fn fetch(&self, url: &Url, known: Option<&Validators>) -> Result<Fetched, OriginError> {
        let name = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
        let verb = if known.is_some() { "ask for" } else { "fetch" };
        self.note(format!("{verb} {name}"), self.inner.fetch(url, known)).await
    }
}
