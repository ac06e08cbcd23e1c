//! The contract of [`Notifier`].

use crate::{
    key::Key,
    names::JobId,
    notice::{NOTICE_VERSION, Notice},
    options::CompileOptions,
    ports::{ETag, Notifier},
};

/// Publishes notices and checks that `next` (the subscriber's side) gives them unchanged.
pub async fn notifier(notifier: &dyn Notifier, mut next: impl AsyncFnMut() -> Notice) {
    let plain = notice("/app.css", None);
    let full = notice("/ünder/a b.css", Some("http://10.0.0.1:8081/notice"));
    for notice in [plain, full] {
        notifier.publish(&notice).await.expect("publish");
        assert_eq!(next().await, notice, "another notice arrived than was published");
    }
}

fn notice(path: &str, reply_to: Option<&str>) -> Notice {
    Notice {
        version: NOTICE_VERSION,
        key: Key {
            fingerprint: CompileOptions::default().fingerprint(),
            tenant_id: "shop-g1".parse().expect("a tenant id"),
            path: path.parse().expect("a path"),
        },
        job: JobId::random(),
        etag: ETag("\"1\"".to_owned()),
        reply_to: reply_to.map(|url| url.parse().expect("a URL")),
    }
}
