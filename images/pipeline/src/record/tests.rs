use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::{embedded::MemoryStore, manifest::Closure, names::JobId, options::CompileOptions};

fn key() -> Key {
    Key {
        fingerprint: CompileOptions::default().fingerprint(),
        tenant_id: "shop-g1".parse().unwrap(),
        path: "/app.css".parse().unwrap(),
    }
}

fn manifest(outcome: Outcome, sources_read_at: i64) -> Manifest {
    Manifest {
        version: MANIFEST_VERSION,
        outcome,
        closure: Closure::default(),
        sources_read_at: Timestamp::from_second(sources_read_at).unwrap(),
        modified_at: None,
        engine: "grass/0".to_owned(),
        job: JobId::random(),
        failures: 0,
        last_good: None,
    }
}

fn compiled(text: &str) -> Outcome {
    Outcome::Compiled { digest: Digest::of(text.as_bytes()), encodings: Vec::new() }
}

fn failed() -> Outcome {
    Outcome::CompileError { message: "expected \"{\"".to_owned() }
}

#[tokio::test]
async fn manifest_of_older_sources_does_not_replace_newer_one() {
    let store = MemoryStore::default();
    let newer = write_manifest(&store, &key(), manifest(compiled("new"), 20)).await.unwrap();
    let standing = write_manifest(&store, &key(), manifest(compiled("old"), 10)).await.unwrap();
    assert_eq!(standing, newer);
    assert_eq!(read_manifest(&store, &key()).await.unwrap().unwrap(), newer);
}

#[tokio::test]
async fn failures_carry_the_last_good_file_along() {
    let store = MemoryStore::default();
    let good = write_manifest(&store, &key(), manifest(compiled("good"), 1)).await.unwrap();
    for time in 2..4 {
        let standing = write_manifest(&store, &key(), manifest(failed(), time)).await.unwrap();
        assert_eq!(standing.manifest.last_good, good.manifest.good());
    }
    let healed = write_manifest(&store, &key(), manifest(compiled("healed"), 5)).await.unwrap();
    assert_eq!(healed.manifest.last_good, None);
}

#[tokio::test]
async fn of_concurrent_writers_the_one_with_the_newest_sources_stands() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let writers: Vec<_> = (0..6)
        .map(|time| {
            let store = store.clone();
            tokio::spawn(async move { write_manifest(&*store, &key(), manifest(compiled("x"), time)).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    let standing = read_manifest(&*store, &key()).await.unwrap().unwrap();
    assert_eq!(standing.manifest.sources_read_at.as_second(), 5);
}

/// Writes one manifest after the other, each read at its millisecond, and gives what is modified since when.
async fn modified(files: &[(Outcome, i64)]) -> Vec<Option<i64>> {
    let store = MemoryStore::default();
    let mut times = Vec::new();
    for (outcome, sources_read_at) in files {
        let sources_read_at = Timestamp::from_millisecond(*sources_read_at).unwrap();
        let next = Manifest { sources_read_at, ..manifest(outcome.clone(), 0) };
        let standing = write_manifest(&store, &key(), next).await.unwrap().manifest;
        times.push(standing.good().map(|good| good.modified().as_millisecond()));
    }
    times
}

#[tokio::test]
async fn time_of_modification_is_that_of_the_bytes_and_each_has_its_own_second() {
    let (a, b) = (compiled("a"), compiled("b"));
    let read_again = [(a.clone(), 100_200), (a.clone(), 200_000), (failed(), 300_000), (a.clone(), 400_000)];
    assert_eq!(modified(&read_again).await, [Some(100_200); 4]);
    let changed = [(a.clone(), 100_200), (b.clone(), 150_000), (a.clone(), 160_000)];
    assert_eq!(modified(&changed).await, [Some(100_200), Some(150_000), Some(160_000)]);
    let within_a_second = [(a.clone(), 100_200), (b.clone(), 100_900), (a.clone(), 101_100), (b, 102_100)];
    let own_seconds = [Some(100_200), Some(101_000), Some(102_000), Some(103_000)];
    assert_eq!(modified(&within_a_second).await, own_seconds);
    assert_eq!(modified(&[(failed(), 100_200), (a, 100_300)]).await, [None, Some(100_300)]);
}

#[test]
fn manifest_keeps_its_shape() {
    let mut manifest = manifest(compiled("x"), 1_700_000_000);
    manifest.job = "0123456789abcdef0123456789abcdef".parse().unwrap();
    let json = serde_json::to_value(&manifest).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "version": 1,
            "outcome": "Compiled",
            "digest": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
            "encodings": [],
            "closure": {"read": [], "absent": []},
            "sourcesReadAt": "2023-11-14T22:13:20Z",
            "engine": "grass/0",
            "job": "0123456789abcdef0123456789abcdef",
        })
    );
    assert_eq!(serde_json::from_value::<Manifest>(json).unwrap(), manifest);
}

fn stored(encoding: Encoding, length: u64) -> StoredBody {
    StoredBody { encoding, length }
}

fn encodings(manifest: &StoredManifest) -> Vec<Encoding> {
    let encodings = manifest.manifest.good().unwrap().encodings;
    encodings.into_iter().map(|body| body.encoding).collect()
}

#[tokio::test]
async fn encoding_is_added_to_the_manifest_of_its_style_sheet_alone() {
    let store = MemoryStore::default();
    let (digest, dense) = (Digest::of(b"one"), stored(Encoding::Br11, 5));
    assert!(!add_encoding(&store, &key(), &digest, &dense).await.unwrap(), "there is no manifest");
    write_manifest(&store, &key(), manifest(compiled("one"), 10)).await.unwrap();
    for _ in 0..2 {
        assert!(add_encoding(&store, &key(), &digest, &dense).await.unwrap());
    }
    let standing = read_manifest(&store, &key()).await.unwrap().unwrap();
    assert_eq!(encodings(&standing), [Encoding::Br11]);
    write_manifest(&store, &key(), manifest(compiled("two"), 20)).await.unwrap();
    assert!(!add_encoding(&store, &key(), &digest, &dense).await.unwrap(), "it is of another style sheet");
    write_manifest(&store, &key(), manifest(failed(), 30)).await.unwrap();
    assert!(
        !add_encoding(&store, &key(), &Digest::of(b"two"), &dense).await.unwrap(),
        "there is a failure now"
    );
}

#[tokio::test]
async fn same_style_sheet_keeps_the_encodings_that_it_had() {
    let store = MemoryStore::default();
    let outcome = |text: &str, encodings| {
        manifest(Outcome::Compiled { digest: Digest::of(text.as_bytes()), encodings }, 10)
    };
    let dense = vec![stored(Encoding::Br, 9), stored(Encoding::Br11, 5)];
    write_manifest(&store, &key(), outcome("one", dense)).await.unwrap();
    for (text, expected) in
        [("one", vec![Encoding::Gzip, Encoding::Br, Encoding::Br11]), ("two", vec![Encoding::Gzip])]
    {
        let again = outcome(text, vec![stored(Encoding::Gzip, 7)]);
        let standing = write_manifest(&store, &key(), again).await.unwrap();
        assert_eq!(encodings(&standing), expected);
    }
}

#[tokio::test]
async fn encoding_is_added_whoever_writes_meanwhile() {
    let store = Arc::new(MemoryStore::default());
    let digest = Digest::of(b"one");
    write_manifest(&*store, &key(), manifest(compiled("one"), 0)).await.unwrap();
    let writes = (1..20).map(|time| {
        let store = store.clone();
        tokio::spawn(async move {
            write_manifest(&*store, &key(), manifest(compiled("one"), time)).await.map(drop)
        })
    });
    let writes: Vec<_> = writes.collect();
    assert!(add_encoding(&*store, &key(), &digest, &stored(Encoding::Br11, 5)).await.unwrap());
    for write in writes {
        write.await.unwrap().unwrap();
    }
    let standing = read_manifest(&*store, &key()).await.unwrap().unwrap();
    assert_eq!(encodings(&standing), [Encoding::Br11]);
    assert_eq!(standing.manifest.sources_read_at, Timestamp::from_second(19).unwrap());
}
