use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use jiff::Timestamp;
use pipeline::{
    embedded::MemoryStore,
    manifest::{MANIFEST_VERSION, StoredBody},
    names::{Digest, JobId},
    ports::{Condition, Object, PutOutcome},
    record::{write_body, write_manifest},
};

use super::*;

/// A store that counts what is read from it.
#[derive(Default)]
struct Counting {
    inner: MemoryStore,
    reads: Mutex<HashMap<String, u32>>,
}

impl Counting {
    fn reads_of(&self, name: &str) -> u32 {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied().unwrap_or_default()
    }
}

#[async_trait]
impl Store for Counting {
    async fn get(&self, name: &str) -> Result<Option<Object>, Error> {
        *self.reads.lock().unwrap().entry(name.to_owned()).or_default() += 1;
        self.inner.get(name).await
    }

    async fn put(&self, name: &str, body: Bytes, condition: Condition) -> Result<PutOutcome, Error> {
        self.inner.put(name, body, condition).await
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        self.inner.delete(name).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.inner.list(prefix).await
    }
}

fn key() -> Key {
    Key {
        fingerprint: "00112233445566aa".parse().unwrap(),
        tenant_id: "shop-g1".parse().unwrap(),
        path: "/app.css".parse().unwrap(),
    }
}

fn good(number: usize) -> Good {
    let sources_read_at = Timestamp::UNIX_EPOCH;
    Good {
        digest: Digest::of(&number.to_be_bytes()),
        encodings: vec![StoredBody { encoding: Encoding::Br, length: 1 }],
        closure: Closure::default(),
        sources_read_at,
        modified_at: None,
        engine: "grass/0".to_owned(),
    }
}

/// Hot files are asked for again after more cold files than there is room for: by recency alone, each of
/// them would be gone by then.
#[tokio::test]
async fn scan_of_cold_files_displaces_no_hot_one_and_memory_stays_bounded() {
    const ROOM: u64 = 1 << 20;
    const BODY_BYTES: usize = 1 << 10;
    const HOT: usize = 50;
    const BETWEEN: usize = 1_100;
    const COLD: usize = 4 * BETWEEN;
    let store = Arc::new(Counting::default());
    for number in 0..HOT + COLD {
        let body = Bytes::from(vec![b' '; BODY_BYTES]);
        write_body(&*store, &key(), &good(number).digest, Encoding::Br, body).await.unwrap();
    }
    let files = Files::with_room(store.clone(), ROOM);
    let read = async |number: usize| {
        files.body(&key(), &good(number), Encoding::Br).await.unwrap();
        files.bodies.run_pending_tasks().await;
    };
    let reads = || -> u32 {
        let name = |hot| key().body_object(&good(hot).digest, Encoding::Br);
        (0..HOT).map(|hot| store.reads_of(&name(hot))).sum()
    };
    // A memory that has been in use: it counts from half full.
    for cold in HOT..HOT + BETWEEN {
        read(cold).await;
    }
    for _ in 0..4 {
        for hot in 0..HOT {
            read(hot).await;
        }
    }
    let before = reads();
    for cold in HOT + BETWEEN..HOT + COLD {
        read(cold).await;
        assert!(files.bodies.weighted_size() <= ROOM, "{}", files.bodies.weighted_size());
        if cold % BETWEEN == 0 {
            for hot in 0..HOT {
                read(hot).await;
            }
        }
    }
    assert_eq!(reads() - before, 0, "hot files were displaced and read again");
}

#[tokio::test]
async fn changed_manifest_marks_its_key_and_the_same_one_does_not() {
    let store = Arc::new(MemoryStore::default());
    let files = Files::new(store.clone());
    let write = async |second: i64| {
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            outcome: Outcome::Compiled { digest: Digest::of(b"a"), encodings: Vec::new() },
            closure: Closure::default(),
            sources_read_at: Timestamp::from_second(second).unwrap(),
            modified_at: None,
            engine: "grass/0".to_owned(),
            job: JobId::random(),
            failures: 0,
            last_good: None,
        };
        write_manifest(&*store, &key(), manifest).await.unwrap();
    };
    let is_current_after_reading = async || {
        let mark = files.marks.take(&key());
        files.read(&key()).await.unwrap();
        files.marks.is_current(mark)
    };
    write(1).await;
    assert!(!is_current_after_reading().await);
    assert!(is_current_after_reading().await, "nothing had changed");
    write(2).await;
    assert!(!is_current_after_reading().await, "a newer manifest was not noticed");
}
