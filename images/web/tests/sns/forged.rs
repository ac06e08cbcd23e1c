//! Forged messages: none is believed, and none makes the process ask for anything before it looks right.

use std::time::Instant;

use axum::http::StatusCode;

use crate::{
    authority::{Authority, SIGNER_NAME, SigningKey, expired, not_yet_valid, signer_params},
    forgeries::{Forgery, by_looks, by_signature},
    message::{CERTIFICATE_URL, Message},
    site::{Answer, Site},
};

#[tokio::test]
async fn forged_messages_are_refused_and_fetch_nothing_before_they_look_right() {
    let (authority, key) = (Authority::new(), SigningKey::generate());
    let site = Site::trusting(&authority.pem).await;
    let pem = authority.certify(&signer_params(SIGNER_NAME), &key);
    site.certificates.put(CERTIFICATE_URL, Answer::File(pem.into_bytes()));
    site.subscriptions.subscribe("token");
    let visitor = site.visitor("/a.css");
    let notice = site.end_job().await;

    let by_looks = by_looks(&key, &notice);
    for forgery in &by_looks {
        refuse(&site, forgery).await;
        assert_eq!(site.certificates.asked(), [].into(), "{} made it ask", forgery.name);
    }
    let by_signature = by_signature(&key, &SigningKey::generate(), &notice);
    for forgery in &by_signature {
        refuse(&site, forgery).await;
    }
    let certificate = CERTIFICATE_URL.strip_prefix("https://").unwrap().to_owned();
    assert_eq!(site.certificates.asked(), [(certificate, 1)].into());
    let tried = by_looks.len() + by_signature.len();
    assert!(tried >= 100, "only {tried} forgeries");

    assert!(!visitor.is_finished(), "a forgery ended a hold");
    let genuine = Message::notification("genuine", &notice).signed(&key);
    assert_eq!(site.post(genuine.body()).await, StatusCode::OK);
    assert_eq!(visitor.await.unwrap(), StatusCode::NOT_FOUND);
    site.web.finish().await;
    assert_eq!(site.subscriptions.confirmed(), [""; 0]);
    assert_eq!(site.count("notification"), 1);
    assert_eq!(site.count("subscription-confirmation") + site.count("unsubscribe-confirmation"), 0);
}

async fn refuse(site: &Site, forgery: &Forgery) {
    let content_type = forgery.content_type.map(|value| ("content-type", value));
    let headers: Vec<_> = forgery.headers.iter().copied().chain(content_type).collect();
    let status = site.post_with(forgery.body.clone(), &headers).await;
    let is_refused = matches!(status, StatusCode::FORBIDDEN | StatusCode::PAYLOAD_TOO_LARGE);
    assert!(is_refused, "{} was answered with {status}", forgery.name);
}

/// A certificate server that is not SNS's, or a certificate that is not its signer's.
#[tokio::test]
async fn messages_whose_certificate_cannot_be_trusted_are_refused() {
    let (authority, key, other) = (Authority::new(), SigningKey::generate(), SigningKey::generate());
    let genuine = signer_params(SIGNER_NAME);
    let file = |pem: String| Answer::File(pem.into_bytes());
    let certify = |params: &_| file(authority.certify(params, &key));
    let no_server = {
        let mut params = genuine.clone();
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        params
    };
    let by_signer = rcgen::Issuer::new(genuine.clone(), other.pair);
    let of_leaf = genuine.signed_by(&key.pair, &by_signer).unwrap().pem();
    let of_leaf = [of_leaf, authority.certify(&genuine, &SigningKey::generate())].concat();
    let genuine_pem = authority.certify(&genuine, &key);
    let elsewhere = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-genuine.pem";
    let cases = [
        ("expired", certify(&expired(genuine.clone())), 403),
        ("not yet valid", certify(&not_yet_valid(genuine.clone())), 403),
        ("self-signed", file(genuine.self_signed(&key.pair).unwrap().pem()), 403),
        ("of another authority", file(Authority::new().certify(&genuine, &key)), 403),
        (
            "of an authority between that nobody knows",
            {
                let between = Authority::new().intermediate();
                file([between.certify(&genuine, &key), between.pem].concat())
            },
            403,
        ),
        ("issued by a signer that is no authority", file(of_leaf), 403),
        ("of another name", certify(&signer_params("evil.example")), 403),
        ("of another region", certify(&signer_params("sns.us-east-2.amazonaws.com")), 403),
        ("of another service", certify(&signer_params("s3.amazonaws.com")), 403),
        ("for clients", certify(&no_server), 403),
        ("of another key", file(authority.certify(&genuine, &SigningKey::generate())), 403),
        ("the authority's own", file(authority.pem.clone()), 403),
        ("with another one in front", file([Authority::new().pem, genuine_pem.clone()].concat()), 403),
        ("elsewhere, by a redirect", Answer::Redirect(elsewhere.to_owned()), 403),
        ("absent", Answer::Status(StatusCode::NOT_FOUND), 403),
        ("refused", Answer::Status(StatusCode::FORBIDDEN), 403),
        ("empty", Answer::File(Vec::new()), 403),
        ("a page", Answer::File(b"<html></html>".to_vec()), 403),
        ("cut off", Answer::File(genuine_pem.as_bytes()[..500].to_vec()), 403),
        ("without end", Answer::File([genuine_pem.as_bytes(), &vec![b'\n'; 1 << 20]].concat()), 403),
        ("not to be had now", Answer::Status(StatusCode::SERVICE_UNAVAILABLE), 503),
    ];
    for (name, answer, expected) in cases {
        let site = Site::trusting(&authority.pem).await;
        site.certificates.put(CERTIFICATE_URL, answer);
        site.certificates.put(elsewhere, file(genuine_pem.clone()));
        site.subscriptions.subscribe("token");
        for id in ["c-1", "c-2", "c-3"] {
            let message = Message::confirmation("SubscriptionConfirmation", id, "token").signed(&key);
            assert_eq!(site.post(message.body()).await.as_u16(), expected, "a certificate {name}");
        }
        site.web.finish().await;
        assert_eq!(site.subscriptions.confirmed(), [""; 0], "a certificate {name}");
        let asked: Vec<usize> = site.certificates.asked().into_values().collect();
        assert_eq!(asked, [1], "a certificate {name} was asked for again, or something else was");
    }
}

/// Each forged address is well formed and cannot be known; only a few are asked for.
#[tokio::test]
async fn stream_of_unknown_certificates_costs_few_fetches() {
    let (authority, key) = (Authority::new(), SigningKey::generate());
    let site = Site::trusting(&authority.pem).await;
    let started = Instant::now();
    for number in 0..100 {
        let url = CERTIFICATE_URL.replace("0123456789abcdef", &format!("{number:016}"));
        let message = Message::notification("n", "{}").with("SigningCertURL", url).signed(&key);
        let status = site.post(message.body()).await;
        assert!(matches!(status.as_u16(), 403 | 503), "{status}");
    }
    let fetches: u64 = site.certificates.asked().into_values().map(|times| times as u64).sum();
    let allowed = 8 + started.elapsed().as_secs() / 5;
    assert!((1..=allowed).contains(&fetches), "{fetches} fetches, {allowed} are allowed");
}
