//! A store that can be made to fail, and what visitors get while it does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::http::StatusCode;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use pipeline::{
    Error, ErrorKind,
    embedded::MemoryStore,
    ports::{Condition, Object, PutOutcome, Store},
};

use crate::{Site, earlier_job};

/// The store as the web tier reaches it.
pub(crate) struct Outage {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) is_on: Arc<AtomicBool>,
}

impl Outage {
    fn check(&self, name: &str) -> Result<(), Error> {
        if self.is_on.load(Ordering::SeqCst) { Err(Error::new(ErrorKind::Unavailable, name)) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for Outage {
    async fn get(&self, name: &str) -> Result<Option<Object>, Error> {
        self.check(name)?;
        self.store.get(name).await
    }

    async fn put(&self, name: &str, body: Bytes, condition: Condition) -> Result<PutOutcome, Error> {
        self.check(name)?;
        self.store.put(name, body, condition).await
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        self.check(name)?;
        self.store.delete(name).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.check(prefix)?;
        self.store.list(prefix).await
    }
}

#[tokio::test(start_paused = true)]
async fn stale_file_in_memory_is_served_while_the_store_does_not_answer() {
    let site = Site::new();
    let job = earlier_job();
    let old = site.compiled(&job, "old{}").await;
    site.end_at(&job, old, Timestamp::now() - SignedDuration::from_hours(1)).await;
    assert_eq!(site.get("/app.css").await.body, "old{}");
    // Until no refresh is under way any more, on which the visitor's answer could rest.
    tokio::time::sleep(Duration::from_mins(15)).await;
    site.outage.store(true, Ordering::SeqCst);
    let answer = site.get("/app.css").await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, b"old{}".as_slice()));
    let unknown = site.get("/other.css").await;
    assert_eq!(unknown.status, StatusCode::SERVICE_UNAVAILABLE);
    site.outage.store(false, Ordering::SeqCst);
    assert_eq!(site.get("/app.css").await.body, "old{}");
}
