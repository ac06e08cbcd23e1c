//! The contract of [`Store`].

use std::sync::Arc;

use bytes::Bytes;

use crate::ports::{Condition, DeleteOutcome, ETag, PutOutcome, Store};

/// Checks every sentence of the trait's docs but the one on concurrent writers.
pub async fn store(store: &dyn Store) {
    let prefix = own_prefix();
    absent_objects_are_none(store, &prefix).await;
    put_replaces_the_whole_object(store, &prefix).await;
    conditions_are_kept(store, &prefix).await;
    only_the_object_that_was_read_is_removed(store, &prefix).await;
    list_gives_names_below_the_prefix_in_order(store, &prefix).await;
    odd_names_and_bodies_survive(store, &prefix).await;
    clean_up(store, &prefix).await;
}

/// Checks that of several concurrent conditional puts at most one succeeds.
///
/// Not for an emulator: moto checks the condition and then writes without a lock, and on a busy machine
/// one round of this in a hundred has two winners. There S3 itself is trusted, and the embedded stores
/// stand for it in tests of races.
pub async fn store_races(store: Arc<dyn Store>) {
    let prefix = own_prefix();
    one_of_many_conditional_writers_wins(store.clone(), &prefix, Start::Absent).await;
    one_of_many_conditional_writers_wins(store.clone(), &prefix, Start::Present).await;
    clean_up(&*store, &prefix).await;
}

/// What the writers of a race find.
#[derive(Debug, Clone, Copy)]
enum Start {
    Absent,
    Present,
}

fn own_prefix() -> String {
    format!("conformance/{:032x}/", rand::random::<u128>())
}

async fn clean_up(store: &dyn Store, prefix: &str) {
    for name in store.list(prefix).await.expect("list what the checks wrote") {
        store.delete(&name).await.expect("delete what the checks wrote");
    }
    assert!(store.list(prefix).await.expect("list").is_empty(), "deleted objects are still listed");
}

fn stored(outcome: PutOutcome) -> ETag {
    match outcome {
        PutOutcome::Stored(etag) => etag,
        PutOutcome::PreconditionFailed => panic!("a put whose condition holds was refused"),
    }
}

async fn put(store: &dyn Store, name: &str, body: &'static str, condition: Condition) -> PutOutcome {
    store.put(name, Bytes::from_static(body.as_bytes()), condition).await.expect("put")
}

async fn absent_objects_are_none(store: &dyn Store, prefix: &str) {
    let name = format!("{prefix}absent");
    assert_eq!(store.get(&name).await.expect("get an absent object"), None);
    store.delete(&name).await.expect("deleting an absent object is no error");
}

async fn put_replaces_the_whole_object(store: &dyn Store, prefix: &str) {
    let name = format!("{prefix}object");
    let first = stored(put(store, &name, "a longer body", Condition::None).await);
    let second = stored(put(store, &name, "short", Condition::None).await);
    assert_ne!(first, second, "two bodies share a tag");
    let object = store.get(&name).await.expect("get").expect("a stored object is found");
    assert_eq!((object.body, object.etag), (Bytes::from_static(b"short"), second));
    store.delete(&name).await.expect("delete");
    assert_eq!(store.get(&name).await.expect("get"), None, "a deleted object is still there");
}

async fn conditions_are_kept(store: &dyn Store, prefix: &str) {
    let name = format!("{prefix}conditional");
    let refused = put(store, &name, "x", Condition::IfMatch(ETag("\"0\"".to_owned()))).await;
    assert_eq!(refused, PutOutcome::PreconditionFailed, "If-Match held where there is no object");
    let first = stored(put(store, &name, "1", Condition::IfAbsent).await);
    let refused = put(store, &name, "x", Condition::IfAbsent).await;
    assert_eq!(refused, PutOutcome::PreconditionFailed, "If-None-Match: * held where there is an object");
    let second = stored(put(store, &name, "2", Condition::IfMatch(first.clone())).await);
    let refused = put(store, &name, "x", Condition::IfMatch(first)).await;
    assert_eq!(refused, PutOutcome::PreconditionFailed, "If-Match held for a tag that is gone");
    let object = store.get(&name).await.expect("get").expect("the object is there");
    assert_eq!((object.body, object.etag), (Bytes::from_static(b"2"), second), "a refused put wrote");
}

async fn list_gives_names_below_the_prefix_in_order(store: &dyn Store, prefix: &str) {
    let names = ["list/a", "list/a/b", "list/c", "lisu"].map(|name| format!("{prefix}{name}"));
    for name in names.iter().rev() {
        stored(put(store, name, "x", Condition::None).await);
    }
    let listed = store.list(&format!("{prefix}list/")).await.expect("list");
    assert_eq!(listed, names.get(..3).unwrap_or_default(), "another set or order of names");
}

async fn odd_names_and_bodies_survive(store: &dyn Store, prefix: &str) {
    let name = format!("{prefix}odd/with space+plus%25 and ü.json");
    let body = Bytes::from((0..=255_u8).cycle().take(300_000).collect::<Vec<u8>>());
    stored(store.put(&name, body.clone(), Condition::None).await.expect("put"));
    assert_eq!(store.get(&name).await.expect("get").map(|object| object.body), Some(body));
    stored(put(store, &name, "", Condition::None).await);
    assert_eq!(store.get(&name).await.expect("get").map(|object| object.body), Some(Bytes::new()));
}

async fn one_of_many_conditional_writers_wins(store: Arc<dyn Store>, prefix: &str, start: Start) {
    let name = format!("{prefix}race/{start:?}");
    let condition = match start {
        Start::Absent => Condition::IfAbsent,
        Start::Present => Condition::IfMatch(stored(put(&*store, &name, "0", Condition::IfAbsent).await)),
    };
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let (store, name, condition) = (store.clone(), name.clone(), condition.clone());
        let body = Bytes::from(format!("writer {writer}"));
        writers.spawn(async move { store.put(&name, body, condition).await.expect("put") });
    }
    let outcomes = writers.join_all().await;
    let won = outcomes.iter().filter(|outcome| matches!(outcome, PutOutcome::Stored(_))).count();
    assert_eq!(won, 1, "{won} of 8 writers with {condition:?} succeeded");
}

async fn only_the_object_that_was_read_is_removed(store: &dyn Store, prefix: &str) {
    let name = format!("{prefix}removed");
    let first = stored(put(store, &name, "1", Condition::IfAbsent).await);
    let second = stored(put(store, &name, "2", Condition::IfMatch(first.clone())).await);
    let delete = async |etag| store.delete_if(&name, etag).await.expect("delete");
    assert_eq!(delete(&first).await, DeleteOutcome::PreconditionFailed, "another object was removed");
    let object = store.get(&name).await.expect("get").expect("it is there");
    assert_eq!(object.body, "2");
    assert_eq!(delete(&second).await, DeleteOutcome::Deleted);
    assert!(store.get(&name).await.expect("get").is_none(), "it is still there");
    assert_eq!(delete(&second).await, DeleteOutcome::Deleted, "what is not there is removed");
}
