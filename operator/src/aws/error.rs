//! From an SDK's error to the port error that callers decide by.

use std::error::Error as StdError;

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use pipeline::{Error, ErrorKind};

/// The port error of a failed call; `attempted` reads as the object of "could not …".
pub(super) fn failed<E>(attempted: &str, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let kind = match &error {
        SdkError::ServiceError(service) => kind_of(service.err().code(), service.raw().status().as_u16()),
        SdkError::ConstructionFailure(_) => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, attempted).with_source(error)
}

/// Whether the service answered that what was asked for does not exist.
pub(super) fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ServiceError(service) => {
            kind_of(service.err().code(), service.raw().status().as_u16()) == ErrorKind::Missing
        }
        _ => false,
    }
}

/// Whether the service refused to say anything about what was asked for.
pub(super) fn is_denied<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ServiceError(service) => {
            kind_of(service.err().code(), service.raw().status().as_u16()) == ErrorKind::Denied
        }
        _ => false,
    }
}

fn kind_of(code: Option<&str>, status: u16) -> ErrorKind {
    let code = code.unwrap_or_default();
    let is_one_of = |parts: &[&str]| parts.iter().any(|part| code.contains(part));
    // SQS keeps a deleted queue's name for 60 s; the same call succeeds after that.
    if is_one_of(&["QueueDeletedRecently", "OperationAborted", "ConcurrentAccess"]) {
        ErrorKind::Unavailable
    } else if is_one_of(&["Throttl", "SlowDown", "RequestLimitExceeded", "TooManyRequests"]) || status == 429
    {
        ErrorKind::Throttled
    } else if is_one_of(&["NoSuch", "NotFound", "NonExistent", "DoesNotExist"]) || status == 404 {
        ErrorKind::Missing
    } else if is_one_of(&[
        "Denied",
        "Forbidden",
        "AuthorizationError",
        "Token",
        "Signature",
        "UnrecognizedClient",
    ]) || matches!(status, 401 | 403)
    {
        ErrorKind::Denied
    } else if status >= 500 {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Invalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_all_three_services_map_to_what_a_caller_can_do() {
        for (code, status, kind) in [
            ("NoSuchTagSet", 404, ErrorKind::Missing),
            ("AWS.SimpleQueueService.NonExistentQueue", 400, ErrorKind::Missing),
            ("QueueDoesNotExist", 400, ErrorKind::Missing),
            ("NotFound", 404, ErrorKind::Missing),
            ("AWS.SimpleQueueService.QueueDeletedRecently", 400, ErrorKind::Unavailable),
            ("AccessDenied", 403, ErrorKind::Denied),
            ("InvalidClientTokenId", 403, ErrorKind::Denied),
            ("SlowDown", 503, ErrorKind::Throttled),
            ("Throttling", 400, ErrorKind::Throttled),
            ("InternalError", 500, ErrorKind::Unavailable),
            ("InvalidParameter", 400, ErrorKind::Invalid),
            ("BucketAlreadyExists", 409, ErrorKind::Invalid),
        ] {
            assert_eq!(kind_of(Some(code), status), kind, "{code}");
        }
        assert_eq!(kind_of(None, 404), ErrorKind::Missing);
        assert_eq!(kind_of(None, 403), ErrorKind::Denied);
    }
}
