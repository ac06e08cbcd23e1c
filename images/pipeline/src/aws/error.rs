//! What a failed call to any AWS service means to the callers of a port: one place for all services.

use std::{error::Error as StdError, time::Duration};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use crate::{Error, ErrorKind};

/// Codes by which the services ask for fewer calls. Some come with status 400 or 403.
const THROTTLED: [&str; 15] = [
    "BandwidthLimitExceeded",
    "KMSThrottlingException",
    "KmsThrottled",
    "LimitExceededException",
    "OverLimit",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttled",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "TooManyRequestsException",
];
/// Codes of passing troubles whose status says otherwise.
const UNAVAILABLE: [&str; 5] =
    ["InternalError", "OperationAborted", "RequestTimeout", "RequestTimeoutException", "ServiceUnavailable"];
/// Codes of refused credentials whose status may be 400.
const DENIED: [&str; 15] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidToken",
    "KMSAccessDeniedException",
    "KmsAccessDenied",
    "MissingAuthenticationToken",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];
/// Codes of a bucket, queue or topic that is not there, whose status may be 400.
const MISSING: [&str; 5] =
    ["NoSuchBucket", "NonExistentQueue", "NotFound", "NotFoundException", "QueueDoesNotExist"];

/// Older SQS codes carry this in front.
const SQS_PREFIX: &str = "AWS.SimpleQueueService.";

/// The port's error for a failed call; `attempted` as [`Error::new`] takes it.
pub fn failed<E>(attempted: impl Into<String>, error: SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let kind = kind_of_failure(&error);
    let retry_after = error.raw_response().and_then(retry_after);
    let mut failed = Error::new(kind, attempted).with_source(error);
    failed.retry_after = retry_after;
    failed
}

/// What the failed call means to its caller.
pub fn kind_of_failure<E>(error: &SdkError<E>) -> ErrorKind
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    match error {
        SdkError::ConstructionFailure(_) => ErrorKind::Invalid,
        SdkError::DispatchFailure(failure) => match find::<CredentialsError>(error) {
            Some(credentials) => kind_of_credentials(credentials),
            None if failure.is_user() => ErrorKind::Invalid,
            None => ErrorKind::Unavailable,
        },
        SdkError::ResponseError(answer) => kind_of_unreadable(answer.raw().status().as_u16()),
        SdkError::ServiceError(answer) => kind_of(code_of(error), answer.raw().status().as_u16()),
        // No answer in time. The enum is open, and what it may gain is no answer of a service either.
        _ => ErrorKind::Unavailable,
    }
}

/// The service's code for what went wrong, where it answered with one.
pub fn code_of<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<&str> {
    let code = error.as_service_error()?.code()?;
    Some(code.strip_prefix(SQS_PREFIX).unwrap_or(code))
}

/// A code is more exact than a status, so it goes first.
fn kind_of(code: Option<&str>, status: u16) -> ErrorKind {
    let is_one_of = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    if is_one_of(&THROTTLED) {
        ErrorKind::Throttled
    } else if is_one_of(&UNAVAILABLE) {
        ErrorKind::Unavailable
    } else if is_one_of(&DENIED) {
        ErrorKind::Denied
    } else if is_one_of(&MISSING) {
        ErrorKind::Missing
    } else {
        kind_of_status(status)
    }
}

fn kind_of_status(status: u16) -> ErrorKind {
    match status {
        429 => ErrorKind::Throttled,
        408 | 500.. => ErrorKind::Unavailable,
        401 | 403 => ErrorKind::Denied,
        404 => ErrorKind::Missing,
        _ => ErrorKind::Invalid,
    }
}

/// An answer that is not the service's own: cut off, or a page of something in between.
fn kind_of_unreadable(status: u16) -> ErrorKind {
    match status {
        ..400 => ErrorKind::Unavailable,
        400.. => kind_of_status(status),
    }
}

fn kind_of_credentials(error: &CredentialsError) -> ErrorKind {
    match error {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
            ErrorKind::Denied
        }
        // The service that gives credentials is slow or broken; the enum is open.
        _ => ErrorKind::Unavailable,
    }
}

/// `Retry-After` in seconds, or the SDKs' own `x-amz-retry-after` in milliseconds.
fn retry_after(answer: &HttpResponse) -> Option<Duration> {
    let number = |name: &str| answer.headers().get(name).and_then(|value| value.parse().ok());
    number("x-amz-retry-after").map(Duration::from_millis).or(number("retry-after").map(Duration::from_secs))
}

fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests;
