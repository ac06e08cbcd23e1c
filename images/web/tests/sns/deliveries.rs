//! What SNS itself does: handshake, notifications, retries, and the end of a subscription.

use axum::http::StatusCode;

use crate::{
    authority::{Authority, SIGNER_NAME, SigningKey, signer_params, with_issuer_at},
    message::{CERTIFICATE_URL, Message},
    site::{Answer, Site},
};

/// SNS, with a web process that trusts its authority.
struct Sns {
    key: SigningKey,
    site: Site,
}

impl Sns {
    async fn start() -> Self {
        let (authority, key) = (Authority::new(), SigningKey::generate());
        let site = Site::trusting(&authority.pem).await;
        let pem = authority.certify(&signer_params(SIGNER_NAME), &key);
        site.certificates.put(CERTIFICATE_URL, Answer::File(pem.into_bytes()));
        Self { key, site }
    }

    async fn deliver(&self, message: Message) -> StatusCode {
        self.site.post(message.signed(&self.key).body()).await
    }

    /// Host and path of the certificate alone, asked for once.
    fn assert_only_the_certificate_was_asked_for(&self) {
        let only = CERTIFICATE_URL.strip_prefix("https://").unwrap().to_owned();
        assert_eq!(self.site.certificates.asked(), [(only, 1)].into());
    }
}

#[tokio::test]
async fn subscription_is_confirmed_with_its_token_and_no_named_address_is_asked() {
    let sns = Sns::start().await;
    sns.site.subscriptions.subscribe("2336412f37");
    let invitation = Message::confirmation("SubscriptionConfirmation", "c-1", "2336412f37");
    for _ in 0..2 {
        assert_eq!(sns.deliver(invitation.clone()).await, StatusCode::OK);
    }
    sns.site.web.finish().await;
    assert_eq!(sns.site.subscriptions.confirmed(), ["2336412f37"]);
    assert_eq!((sns.site.count("subscription-confirmation"), sns.site.count("repeated")), (1, 1));
    sns.assert_only_the_certificate_was_asked_for();
}

#[tokio::test]
async fn notification_ends_a_hold_with_or_without_a_subject() {
    let sns = Sns::start().await;
    for (path, subject) in [("/a.css", None), ("/b.css", Some("a file is compiled"))] {
        let visitor = sns.site.visitor(path);
        let notification = Message::notification(&path[1..2], &sns.site.end_job().await);
        let notification = match subject {
            Some(subject) => notification.with("Subject", subject),
            None => notification,
        };
        assert_eq!(sns.deliver(notification).await, StatusCode::OK);
        assert_eq!(visitor.await.unwrap(), StatusCode::NOT_FOUND, "the outcome of the job");
    }
    sns.assert_only_the_certificate_was_asked_for();
}

#[tokio::test]
async fn end_of_a_subscription_is_counted_and_changes_nothing() {
    let sns = Sns::start().await;
    sns.site.subscriptions.subscribe("70517051");
    let end = Message::confirmation("UnsubscribeConfirmation", "u-1", "70517051");
    assert_eq!(sns.deliver(end).await, StatusCode::OK);
    sns.site.web.finish().await;
    assert_eq!(sns.site.count("unsubscribe-confirmation"), 1);
    assert_eq!(sns.site.subscriptions.confirmed(), [""; 0]);
    sns.assert_only_the_certificate_was_asked_for();
}

#[tokio::test]
async fn message_that_comes_again_is_acted_on_once() {
    let sns = Sns::start().await;
    let visitor = sns.site.visitor("/a.css");
    let notification = Message::notification("n-1", &sns.site.end_job().await).signed(&sns.key).body();
    for _ in 0..20 {
        assert_eq!(sns.site.post(notification.clone()).await, StatusCode::OK);
    }
    assert_eq!(visitor.await.unwrap(), StatusCode::NOT_FOUND);
    assert_eq!((sns.site.count("notification"), sns.site.count("repeated")), (1, 19));
}

#[tokio::test]
async fn messages_at_the_same_time_share_one_fetch() {
    let sns = Sns::start().await;
    let visitor = sns.site.visitor("/a.css");
    let text = sns.site.end_job().await;
    let site = &sns.site;
    let posts = (0..50).map(|id| Message::notification(&format!("n-{id}"), &text).signed(&sns.key).body());
    let mut posts: Vec<_> = posts.map(|body| Box::pin(site.post(body))).collect();
    let all = std::future::poll_fn(|context| {
        // Driven side by side; a post is dropped as soon as it was answered.
        posts.retain_mut(|post| match post.as_mut().poll(context) {
            std::task::Poll::Ready(status) => {
                assert_eq!(status, StatusCode::OK);
                false
            }
            std::task::Poll::Pending => true,
        });
        if posts.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    });
    all.await;
    assert_eq!(visitor.await.unwrap(), StatusCode::NOT_FOUND);
    assert_eq!(sns.site.count("notification"), 50);
    sns.assert_only_the_certificate_was_asked_for();
}

/// The signer's certificate comes with the one between it and the authority, or alone with an address.
#[tokio::test]
async fn certificate_between_signer_and_authority_comes_along_or_is_fetched() {
    const ISSUER: &str = "http://crt.r2m01.amazontrust.com/r2m01.cer";
    let (authority, key) = (Authority::new(), SigningKey::generate());
    let between = authority.intermediate();
    let along = [between.certify(&signer_params(SIGNER_NAME), &key), between.pem.clone()].concat();
    let single = between.certify(&with_issuer_at(signer_params(SIGNER_NAME), ISSUER), &key);
    for (pem, fetched) in [(along, None), (single, Some("crt.r2m01.amazontrust.com/r2m01.cer"))] {
        let site = Site::trusting(&authority.pem).await;
        site.certificates.put(CERTIFICATE_URL, Answer::File(pem.into_bytes()));
        site.certificates.put(ISSUER, Answer::File(between.der.clone()));
        site.subscriptions.subscribe("t");
        let invitation = Message::confirmation("SubscriptionConfirmation", "c-1", "t").signed(&key);
        assert_eq!(site.post(invitation.body()).await, StatusCode::OK);
        let own = CERTIFICATE_URL.strip_prefix("https://");
        let expected = own.into_iter().chain(fetched).map(|asked| (asked.to_owned(), 1)).collect();
        assert_eq!(site.certificates.asked(), expected);
    }
}
