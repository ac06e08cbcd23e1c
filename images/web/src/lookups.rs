//! Looking manifests up for visitors: however many ask for one key at the same time, the store is read once.
//!
//! Remembers nothing: whoever comes after the answer reads anew.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pipeline::{Error, key::Key, manifest::Manifest};
use tokio::sync::OnceCell;

use crate::files::Files;

type Found = Result<Option<Arc<Manifest>>, Arc<Error>>;
type Flight = Arc<OnceCell<Found>>;

pub(crate) struct Lookups {
    files: Arc<Files>,
    /// Only of keys that are being read for somebody.
    flights: Mutex<HashMap<Key, Flight>>,
}

impl Lookups {
    pub(crate) fn new(files: Arc<Files>) -> Self {
        Self { files, flights: Mutex::default() }
    }

    /// The manifest as it stands in the store, or stood there a moment before.
    pub(crate) async fn read(&self, key: &Key) -> Result<Option<Arc<Manifest>>, Error> {
        let flight = self.lock().entry(key.clone()).or_default().clone();
        let seat = Seat { lookups: self, key, flight };
        // Where the one who reads leaves, the next one begins anew.
        let read = async || self.files.read(key).await.map_err(Arc::new);
        seat.flight
            .get_or_init(read)
            .await
            .clone()
            .map_err(|shared| Error::of_shared(shared, format!("look up {key}")))
    }

    /// Whether somebody is reading this key's manifest.
    pub(crate) fn is_under_way(&self, key: &Key) -> bool {
        self.lock().contains_key(key)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Flight>> {
        // No code panics while it holds the lock half-way through a change.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits for a flight.
struct Seat<'l> {
    lookups: &'l Lookups,
    key: &'l Key,
    flight: Flight,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut flights = self.lookups.lock();
        let is_current = flights.get(self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight));
        // Beside ours there is the map's own.
        let is_last = Arc::strong_count(&self.flight) == 2;
        if is_current && (is_last || self.flight.initialized()) {
            flights.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use async_trait::async_trait;
    use bytes::Bytes;
    use pipeline::{
        ErrorKind,
        ports::{Condition, Object, PutOutcome, Store},
    };
    use tokio::{task::JoinSet, time::sleep};

    use super::*;

    /// Empty, slow, and failing at every second read.
    #[derive(Default)]
    struct SlowStore(AtomicU32);

    #[async_trait]
    impl Store for SlowStore {
        async fn get(&self, name: &str) -> Result<Option<Object>, Error> {
            let earlier = self.0.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(5)).await;
            if earlier.is_multiple_of(2) { Ok(None) } else { Err(Error::new(ErrorKind::Throttled, name)) }
        }

        async fn put(&self, name: &str, _: Bytes, _: Condition) -> Result<PutOutcome, Error> {
            Err(Error::new(ErrorKind::Denied, name))
        }

        async fn delete(&self, name: &str) -> Result<(), Error> {
            Err(Error::new(ErrorKind::Denied, name))
        }

        async fn list(&self, name: &str) -> Result<Vec<String>, Error> {
            Err(Error::new(ErrorKind::Denied, name))
        }
    }

    fn key() -> Key {
        Key {
            fingerprint: "00112233445566aa".parse().unwrap(),
            tenant_id: "shop-g1".parse().unwrap(),
            path: "/app.css".parse().unwrap(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_ask_together_share_one_read_and_its_failure() {
        let store = Arc::new(SlowStore::default());
        let lookups = Arc::new(Lookups::new(Arc::new(Files::new(store.clone()))));
        for (reads, is_well) in [(1, true), (2, false), (3, true)] {
            let mut asking = JoinSet::new();
            for _ in 0..100 {
                let lookups = lookups.clone();
                asking.spawn(async move { lookups.read(&key()).await.map_err(|error| error.kind) });
            }
            let wanted = if is_well { Ok(None) } else { Err(ErrorKind::Throttled) };
            assert!(asking.join_all().await.into_iter().all(|found| found == wanted));
            assert_eq!(store.0.load(Ordering::SeqCst), reads);
        }
        assert!(lookups.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_leaves_keeps_nobody_from_the_answer_and_leaves_nothing_behind() {
        let store = Arc::new(SlowStore(AtomicU32::new(1)));
        let lookups = Arc::new(Lookups::new(Arc::new(Files::new(store.clone()))));
        let ask = || {
            let lookups = lookups.clone();
            tokio::spawn(async move { lookups.read(&key()).await.is_ok() })
        };
        let (reader, other) = (ask(), ask());
        sleep(Duration::from_millis(1)).await;
        reader.abort();
        assert!(other.await.unwrap(), "the second read ends well");
        let alone = ask();
        sleep(Duration::from_millis(1)).await;
        alone.abort();
        assert!(alone.await.is_err());
        assert!(lookups.lock().is_empty());
    }
}
