use aws_sdk_s3::error::{ConnectorError, ErrorMetadata};

use super::*;
use crate::aws::replay::answer;

type Failure = SdkError<ErrorMetadata>;

fn service(status: u16, code: &str) -> Failure {
    let error = ErrorMetadata::builder().code(code).message("why").build();
    SdkError::service_error(error, answer(status, "").try_into().unwrap())
}

fn kind(error: Failure) -> ErrorKind {
    failed("try", error).kind
}

#[test]
fn codes_decide_where_the_status_misleads() {
    for (status, code, expected) in [
        (503, "SlowDown", ErrorKind::Throttled),
        (400, "ThrottlingException", ErrorKind::Throttled),
        (403, "OverLimit", ErrorKind::Throttled),
        (403, "AWS.SimpleQueueService.OverLimit", ErrorKind::Throttled),
        (400, "RequestTimeout", ErrorKind::Unavailable),
        (409, "OperationAborted", ErrorKind::Unavailable),
        (400, "ExpiredToken", ErrorKind::Denied),
        (400, "UnrecognizedClientException", ErrorKind::Denied),
        (400, "KmsAccessDenied", ErrorKind::Denied),
        (400, "QueueDoesNotExist", ErrorKind::Missing),
        (400, "AWS.SimpleQueueService.NonExistentQueue", ErrorKind::Missing),
        (404, "NoSuchBucket", ErrorKind::Missing),
    ] {
        assert_eq!(kind(service(status, code)), expected, "{status} {code}");
    }
}

#[test]
fn status_decides_where_the_code_says_nothing() {
    for (status, expected) in [
        (301, ErrorKind::Invalid),
        (400, ErrorKind::Invalid),
        (401, ErrorKind::Denied),
        (403, ErrorKind::Denied),
        (404, ErrorKind::Missing),
        (408, ErrorKind::Unavailable),
        (429, ErrorKind::Throttled),
        (500, ErrorKind::Unavailable),
        (503, ErrorKind::Unavailable),
    ] {
        assert_eq!(kind(service(status, "Whatever")), expected, "{status}");
    }
}

#[test]
fn calls_without_an_answer_are_worth_another_try() {
    let broken = || Box::<dyn StdError + Send + Sync>::from("broken");
    assert_eq!(kind(SdkError::timeout_error("slow")), ErrorKind::Unavailable);
    assert_eq!(kind(SdkError::dispatch_failure(ConnectorError::io(broken()))), ErrorKind::Unavailable);
    assert_eq!(kind(SdkError::dispatch_failure(ConnectorError::timeout(broken()))), ErrorKind::Unavailable);
    let cut_off = answer(200, "<half").try_into().unwrap();
    assert_eq!(kind(SdkError::response_error("cut off", cut_off)), ErrorKind::Unavailable);
}

#[test]
fn mistakes_on_our_side_are_not() {
    let wrong = || Box::<dyn StdError + Send + Sync>::from("wrong");
    assert_eq!(kind(SdkError::construction_failure("no region")), ErrorKind::Invalid);
    assert_eq!(kind(SdkError::dispatch_failure(ConnectorError::user(wrong()))), ErrorKind::Invalid);
}

#[test]
fn missing_credentials_are_a_refusal_and_a_slow_provider_is_not() {
    let without = |error: CredentialsError| {
        kind(SdkError::dispatch_failure(ConnectorError::other(Box::new(error), None)))
    };
    assert_eq!(without(CredentialsError::not_loaded("nothing in the chain")), ErrorKind::Denied);
    assert_eq!(without(CredentialsError::invalid_configuration("bad profile")), ErrorKind::Denied);
    assert_eq!(without(CredentialsError::provider_error("503")), ErrorKind::Unavailable);
    assert_eq!(without(CredentialsError::provider_timed_out(Duration::from_secs(5))), ErrorKind::Unavailable);
}

#[test]
fn wait_that_the_service_asks_for_is_passed_on() {
    for (header, value, expected) in [
        ("retry-after", "7", Some(Duration::from_secs(7))),
        ("x-amz-retry-after", "1500", Some(Duration::from_millis(1500))),
        ("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT", None),
        ("other", "7", None),
    ] {
        let mut slow_down = answer(503, "");
        slow_down.headers_mut().insert(header, value.parse().unwrap());
        let error: Failure = SdkError::service_error(
            ErrorMetadata::builder().code("SlowDown").build(),
            slow_down.try_into().unwrap(),
        );
        assert_eq!(failed("try", error).retry_after, expected, "{header}: {value}");
    }
}

#[test]
fn chain_names_the_attempt_and_what_the_service_said() {
    let error = failed("get a/1 in bucket site", service(403, "AccessDenied"));
    let chain = crate::chain(&error);
    assert!(chain.starts_with("could not get a/1 in bucket site (Denied): service error: "), "{chain}");
    assert!(chain.contains("AccessDenied") && chain.contains("why"), "{chain}");
}
