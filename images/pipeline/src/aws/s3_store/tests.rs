use aws_sdk_s3::primitives::SdkBody;

use super::*;
use crate::aws::{
    replay::{StaticReplayClient, answer, replay, s3_error, sent, sent_header},
    s3_client,
};

fn store(answers: Vec<http::Response<SdkBody>>) -> (S3Store, StaticReplayClient) {
    let (config, sent) = replay(answers);
    (S3Store::new(s3_client(&config), "site"), sent)
}

async fn put_against(status: u16, code: &str, condition: Condition) -> Result<PutOutcome, ErrorKind> {
    let (store, _) = store(vec![s3_error(status, code)]);
    store.put("a/1", Bytes::from_static(b"x"), condition).await.map_err(|error| error.kind)
}

fn if_match() -> Condition {
    Condition::IfMatch(ETag("\"1\"".to_owned()))
}

#[tokio::test]
async fn conditions_that_do_not_hold_are_an_outcome() {
    for (status, code, condition) in [
        (412, "PreconditionFailed", Condition::IfAbsent),
        (412, "PreconditionFailed", if_match()),
        (409, "ConditionalRequestConflict", Condition::IfAbsent),
        (409, "ConditionalRequestConflict", if_match()),
        (404, "NoSuchKey", if_match()),
    ] {
        let outcome = put_against(status, code, condition.clone()).await;
        assert_eq!(outcome, Ok(PutOutcome::PreconditionFailed), "{status} {code} {condition:?}");
    }
}

#[tokio::test]
async fn other_failures_of_a_put_are_errors() {
    for (status, code, condition, expected) in [
        (404, "NoSuchBucket", if_match(), ErrorKind::Missing),
        (403, "AccessDenied", if_match(), ErrorKind::Denied),
        (409, "OperationAborted", Condition::IfAbsent, ErrorKind::Unavailable),
        (503, "SlowDown", Condition::IfAbsent, ErrorKind::Throttled),
        (412, "PreconditionFailed", Condition::None, ErrorKind::Invalid),
    ] {
        assert_eq!(put_against(status, code, condition).await, Err(expected), "{status} {code}");
    }
}

#[tokio::test]
async fn put_sends_its_condition() {
    for (condition, if_match, if_none_match) in [
        (Condition::None, None, None),
        (Condition::IfAbsent, None, Some("*")),
        (if_match(), Some("\"1\""), None),
    ] {
        let mut stored = answer(200, "");
        stored.headers_mut().insert("etag", "\"2\"".parse().unwrap());
        let (store, client) = store(vec![stored]);
        let outcome = store.put("a/1", Bytes::from_static(b"x"), condition).await.unwrap();
        assert_eq!(outcome, PutOutcome::Stored(ETag("\"2\"".to_owned())));
        assert_eq!(sent_header(&client, "if-match").as_deref(), if_match);
        assert_eq!(sent_header(&client, "if-none-match").as_deref(), if_none_match);
    }
}

#[tokio::test]
async fn absent_object_is_none_and_everything_else_is_an_error() {
    let get = async |status, code| {
        let (store, _) = store(vec![s3_error(status, code)]);
        store.get("a/1").await.map_err(|error| error.kind)
    };
    assert_eq!(get(404, "NoSuchKey").await, Ok(None));
    assert_eq!(get(404, "NoSuchBucket").await, Err(ErrorKind::Missing));
    assert_eq!(get(403, "AccessDenied").await, Err(ErrorKind::Denied));
    assert_eq!(get(500, "InternalError").await, Err(ErrorKind::Unavailable));
}

#[tokio::test]
async fn body_that_breaks_on_its_way_is_read_again() {
    let object = |checksum: &str| {
        let mut object = answer(200, "body");
        object.headers_mut().insert("etag", "\"1\"".parse().unwrap());
        object.headers_mut().insert("x-amz-checksum-crc32", checksum.parse().unwrap());
        object
    };
    let (whole, damaged) = (object("26gLsg=="), object("AAAAAA=="));
    let (store, client) = store(vec![damaged, whole]);
    let expected = Object { body: Bytes::from_static(b"body"), etag: ETag("\"1\"".to_owned()) };
    assert_eq!(store.get("a/1").await.unwrap(), Some(expected));
    assert_eq!(client.actual_requests().count(), 2);
}

#[tokio::test]
async fn list_follows_every_page() {
    let first = "<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>a/1</Key></Contents>\
        <NextContinuationToken>more</NextContinuationToken></ListBucketResult>";
    let last = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a/2</Key></Contents>\
        </ListBucketResult>";
    let (store, client) = store(vec![answer(200, first), answer(200, last)]);
    assert_eq!(store.list("a/").await.unwrap(), ["a/1", "a/2"]);
    let queries =
        ["/site/?list-type=2&prefix=a%2F", "/site/?list-type=2&prefix=a%2F&continuation-token=more"];
    assert_eq!(sent(&client), queries);
}
