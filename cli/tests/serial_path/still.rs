//! Virtual time that stands still while a real process compiles.
//!
//! A paused clock runs to the next timer whenever every task waits, and a task that waits for a child
//! process's bytes looks no different. It does not run while a blocking task is under way, so one is, from
//! the moment in which the origin has given its source until the first body is stored.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use pipeline::{
    Error,
    ports::{Condition, Fetched, Object, Origin, OriginError, PutOutcome, Store, Validators},
};
use tokio::task::spawn_blocking;
use url::Url;

/// Longer than any compilation; in real time.
const PATIENCE: Duration = Duration::from_mins(1);

/// Ends the blocking task when it is dropped.
#[derive(Clone, Default)]
pub(crate) struct Still(Arc<Mutex<Option<mpsc::Sender<()>>>>);

impl Still {
    fn begin(&self) {
        let (sender, ended) = mpsc::channel();
        *self.0.lock().unwrap() = Some(sender);
        // The task ends with the sender.
        spawn_blocking(move || ended.recv_timeout(PATIENCE));
    }

    fn end(&self) {
        self.0.lock().unwrap().take();
    }
}

/// The origin after whose answer time stands still.
pub(crate) struct Before<O> {
    pub(crate) origin: O,
    pub(crate) still: Still,
}

#[async_trait]
impl<O: Origin> Origin for Before<O> {
    async fn fetch(&self, url: &Url, known: Option<&Validators>) -> Result<Fetched, OriginError> {
        let fetched = self.origin.fetch(url, known).await;
        self.still.begin();
        fetched
    }
}

/// The store with whose first write time goes on.
pub(crate) struct After<S> {
    pub(crate) store: S,
    pub(crate) still: Still,
}

#[async_trait]
impl<S: Store> Store for After<S> {
    async fn get(&self, name: &str) -> Result<Option<Object>, Error> {
        self.store.get(name).await
    }

    async fn put(&self, name: &str, body: Bytes, condition: Condition) -> Result<PutOutcome, Error> {
        self.still.end();
        self.store.put(name, body, condition).await
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        self.store.delete(name).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.store.list(prefix).await
    }
}
