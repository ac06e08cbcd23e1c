//! The client for origins against a real server on loopback.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

mod credentials;
mod redirects;
mod tls;

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    http::{
        HeaderMap, HeaderName, StatusCode, Uri,
        header::{CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use percent_encoding::percent_decode_str;
use pipeline::{
    conformance::ORIGIN_FILES,
    ports::{Fetched, Origin, OriginError, SourceFile, Validators},
};
use tokio::{net::TcpListener, time::sleep};
use worker::origin::{Guard, HttpOrigin, MAX_SOURCE_BYTES};

const TIMEOUT: Duration = Duration::from_millis(500);
const MODIFIED: &str = "Sat, 21 Nov 2020 08:00:00 GMT";

/// An origin with an answer of each kind.
async fn serve() -> SocketAddr {
    let router = Router::new()
        .route("/a%20b.scss", get(async || ([(ETAG, "\"1\""), (LAST_MODIFIED, MODIFIED)], "a{}")))
        .route("/page.scss", get(async || ([(CONTENT_TYPE, "Text/HTML; charset=utf-8")], "<p>not found</p>")))
        .route("/broken.scss", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .route("/gone.scss", get(async || StatusCode::GONE))
        .route("/large.scss", get(async || vec![b' '; MAX_SOURCE_BYTES + 1]))
        .route("/slow.scss", get(async || sleep(10 * TIMEOUT).await));
    listen(router).await
}

/// A server on a port of its own, until the test's runtime ends.
async fn listen(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router).into_future());
    address
}

fn origin() -> HttpOrigin {
    HttpOrigin::new(Guard { private_networks: vec!["127.0.0.0/8".parse().unwrap()] }, TIMEOUT).unwrap()
}

/// Which validators an origin gives, and answers 304 to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gives {
    Nothing,
    Tags,
    Times,
}

fn file(gives: Gives, headers: &HeaderMap, content: &'static str) -> Response {
    let tag = format!("\"{}\"", content.len());
    let is = |name: HeaderName, value: &str| headers.get(name).is_some_and(|header| header == value);
    match gives {
        Gives::Nothing => content.into_response(),
        Gives::Tags if is(IF_NONE_MATCH, &tag) => StatusCode::NOT_MODIFIED.into_response(),
        Gives::Tags => ([(ETAG, tag)], content).into_response(),
        Gives::Times if is(IF_MODIFIED_SINCE, MODIFIED) => StatusCode::NOT_MODIFIED.into_response(),
        Gives::Times => ([(LAST_MODIFIED, MODIFIED)], content).into_response(),
    }
}

#[tokio::test]
async fn http_origin_conforms_whatever_validators_there_are() {
    for gives in [Gives::Nothing, Gives::Tags, Gives::Times] {
        let files = async move |uri: Uri, headers: HeaderMap| {
            let path = percent_decode_str(uri.path()).decode_utf8().unwrap().into_owned();
            let found = ORIGIN_FILES.iter().find(|(name, _)| *name == path);
            found.map_or(StatusCode::NOT_FOUND.into_response(), |(_, content)| file(gives, &headers, content))
        };
        let address = listen(Router::new().fallback(files)).await;
        let base = format!("http://{address}").parse().unwrap();
        pipeline::conformance::origin(&origin(), &base).await;
    }
}

#[tokio::test]
async fn unasked_304_and_validators_that_tell_nothing_are_not_believed() {
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let soon = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&soon).unwrap();
    let router = Router::new()
        .route("/unasked.scss", get(async || StatusCode::NOT_MODIFIED))
        .route("/new.scss", get(async move || ([(LAST_MODIFIED, soon), (ETAG, "x".repeat(1_000))], "a{}")));
    let address = listen(router).await;
    let fetch = async |path: &str, known: Option<&Validators>| {
        origin().fetch(&format!("http://{address}{path}").parse().unwrap(), known).await
    };
    for known in [None, Some(&Validators::default())] {
        let Err(OriginError::Failed(message)) = fetch("/unasked.scss", known).await else {
            panic!("believed")
        };
        assert!(message.contains("answered 304"), "{message}");
    }
    let new = SourceFile { body: "a{}".into(), etag: None, last_modified: None };
    assert_eq!(fetch("/new.scss", None).await, Ok(Fetched::Found(new)));
}

#[tokio::test]
async fn answers_are_told_apart() {
    let (address, origin) = (serve().await, origin());
    let fetch =
        async |path: &str| origin.fetch(&format!("http://{address}{path}").parse().unwrap(), None).await;
    let found = SourceFile {
        body: "a{}".into(),
        etag: Some("\"1\"".to_owned()),
        last_modified: Some(MODIFIED.to_owned()),
    };
    assert_eq!(fetch("/a%20b.scss").await, Ok(Fetched::Found(found)));
    for path in ["/none.scss", "/gone.scss", "/page.scss"] {
        assert_eq!(fetch(path).await, Ok(Fetched::Absent), "{path}");
    }
    let Err(OriginError::Failed(message)) = fetch("/broken.scss").await else { panic!("it did not fail") };
    assert!(message.contains("answered 500"), "{message}");
    assert!(matches!(fetch("/large.scss").await, Err(OriginError::Refused(_))));
    assert!(matches!(fetch("/slow.scss").await, Err(OriginError::TimedOut(_))));
}

#[tokio::test]
async fn addresses_that_are_not_allowed_are_not_asked_in_any_spelling() {
    let address = serve().await;
    let origin = HttpOrigin::new(Guard::default(), TIMEOUT).unwrap();
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "origin", "shop.example"] {
        let url = format!("http://{host}:{}/a%20b.scss", address.port()).parse().unwrap();
        let Err(OriginError::Refused(message)) = origin.fetch(&url, None).await else {
            panic!("{host} was asked")
        };
        assert!(message.contains("privateNetworks"), "{message}");
    }
}

#[tokio::test]
async fn closed_port_is_a_failure_that_names_the_url() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/app.scss", listener.local_addr().unwrap());
    drop(listener);
    let Err(OriginError::Failed(message)) = origin().fetch(&url.parse().unwrap(), None).await else {
        panic!("it answered")
    };
    assert!(message.contains(&url), "{message}");
}
