//! From an SDK's error to the port error that callers decide by: as the data plane sees it, and a few codes
//! that only those meet who make and remove resources.

use std::error::Error as StdError;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use pipeline::{Error, ErrorKind, aws};

/// Codes of passing troubles whose status says otherwise. SQS keeps a deleted queue's name for 60 s, and
/// SNS refuses changes of one topic's tags at the same time; the same call succeeds after that.
const PASSING: [&str; 4] =
    ["ConcurrentAccess", "ConcurrentAccessException", "ConcurrentModification", "QueueDeletedRecently"];
/// S3's code for a bucket of another account.
const TAKEN: &str = "BucketAlreadyExists";

/// The port error of a failed call; `attempted` reads as the object of "could not …".
pub(super) fn failed<E>(attempted: &str, error: SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let is_passing = aws::code_of(&error).is_some_and(|code| PASSING.contains(&code));
    let mut failed = aws::failed(attempted, error);
    if is_passing {
        failed.kind = ErrorKind::Unavailable;
    }
    failed
}

/// Whether the service answered that what was asked for does not exist.
pub(super) fn is_missing<E>(error: &SdkError<E>) -> bool
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    aws::kind_of_failure(error) == ErrorKind::Missing
}

/// Whether the service refused to say anything about what was asked for.
pub(super) fn is_denied<E>(error: &SdkError<E>) -> bool
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    aws::kind_of_failure(error) == ErrorKind::Denied
}

/// Whether the bucket that was to be made is another account's.
pub(super) fn is_taken<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    aws::code_of(error) == Some(TAKEN)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_s3::{
        config::http::HttpResponse,
        error::ErrorMetadata,
        operation::{create_bucket::CreateBucketError, head_bucket::HeadBucketError},
        primitives::SdkBody,
    };

    use super::*;

    fn answer(status: u16) -> HttpResponse {
        HttpResponse::new(status.try_into().unwrap(), SdkBody::empty())
    }

    fn refused(code: Option<&str>, status: u16) -> SdkError<HeadBucketError> {
        let mut metadata = ErrorMetadata::builder();
        if let Some(code) = code {
            metadata = metadata.code(code);
        }
        SdkError::service_error(HeadBucketError::generic(metadata.build()), answer(status))
    }

    #[test]
    fn codes_of_all_three_services_map_to_what_a_caller_can_do() {
        for (code, status, kind) in [
            ("NoSuchTagSet", 404, ErrorKind::Missing),
            ("AWS.SimpleQueueService.NonExistentQueue", 400, ErrorKind::Missing),
            ("QueueDoesNotExist", 400, ErrorKind::Missing),
            ("NotFound", 404, ErrorKind::Missing),
            ("AWS.SimpleQueueService.QueueDeletedRecently", 400, ErrorKind::Unavailable),
            ("ConcurrentAccess", 400, ErrorKind::Unavailable),
            ("RequestTimeout", 400, ErrorKind::Unavailable),
            ("AccessDenied", 403, ErrorKind::Denied),
            ("InvalidClientTokenId", 403, ErrorKind::Denied),
            ("SlowDown", 503, ErrorKind::Throttled),
            ("Throttling", 400, ErrorKind::Throttled),
            ("InternalError", 500, ErrorKind::Unavailable),
            ("InvalidParameter", 400, ErrorKind::Invalid),
            ("BucketAlreadyExists", 409, ErrorKind::Invalid),
        ] {
            assert_eq!(failed("look", refused(Some(code), status)).kind, kind, "{code}");
        }
        assert!(is_missing(&refused(None, 404)) && is_denied(&refused(None, 403)));
    }

    #[test]
    fn time_that_the_service_names_is_kept() {
        let mut answer = answer(503);
        answer.headers_mut().insert("retry-after", "7");
        let error = SdkError::service_error(
            HeadBucketError::generic(ErrorMetadata::builder().code("SlowDown").build()),
            answer,
        );
        assert_eq!(failed("look", error).retry_after, Some(Duration::from_secs(7)));
    }

    #[test]
    fn bucket_of_another_account_is_told_from_other_conflicts() {
        let conflict = |code: &str| {
            let metadata = ErrorMetadata::builder().code(code).build();
            SdkError::service_error(CreateBucketError::generic(metadata), answer(409))
        };
        assert!(is_taken(&conflict("BucketAlreadyExists")));
        assert!(!is_taken(&conflict("BucketAlreadyOwnedByYou")));
    }
}
