use super::*;
use crate::{
    ErrorKind,
    aws::{
        replay::{answer, replay, sns_error},
        sns_client,
    },
    key::Key,
    names::JobId,
    notice::NOTICE_VERSION,
    ports::ETag,
};

#[tokio::test]
async fn failures_have_the_kind_that_the_service_means() {
    let notice = Notice {
        version: NOTICE_VERSION,
        key: Key {
            fingerprint: "00112233445566aa".parse().unwrap(),
            tenant_id: "t1-g1".parse().unwrap(),
            path: "/app.css".parse().unwrap(),
        },
        job: JobId::random(),
        etag: ETag("\"1\"".to_owned()),
        reply_to: None,
    };
    for (answer, expected) in [
        (sns_error(404, "NotFound"), ErrorKind::Missing),
        (sns_error(403, "AuthorizationError"), ErrorKind::Denied),
        (sns_error(400, "Throttled"), ErrorKind::Throttled),
        (answer(503, "<html>"), ErrorKind::Unavailable),
    ] {
        let (config, _) = replay([answer]);
        let notifier = SnsNotifier::new(sns_client(&config), "arn:aws:sns:eu-central-1:1:work_complete");
        assert_eq!(notifier.publish(&notice).await.unwrap_err().kind, expected);
    }
}
