//! Redirects: followed a little, judged at every hop, and never trusted with another URL's validators.

use std::sync::{Arc, Mutex};

use axum::http::header::LOCATION;
use url::Url;

use super::*;

/// Long enough for two answers that take half of it each, and not for three.
const HALF: Duration = Duration::from_millis(200);

/// What was asked for: the path, and whether on a condition.
type Asked = Arc<Mutex<Vec<(String, bool)>>>;

fn redirect(status: StatusCode, location: &str) -> Response {
    (status, [(LOCATION, location.to_owned())]).into_response()
}

/// A server that notes what it is asked for. `/to/<location>` redirects to what follows, `/hop/3` to `/hop/2`
/// and so on, and `/file.scss` is a file with validators.
async fn serve_hops() -> (SocketAddr, Asked) {
    let asked = Asked::default();
    let noted = asked.clone();
    let answer = async move |uri: Uri, headers: HeaderMap| {
        let is_conditional = headers.contains_key(IF_NONE_MATCH) || headers.contains_key(IF_MODIFIED_SINCE);
        noted.lock().unwrap().push((uri.path().to_owned(), is_conditional));
        let path = uri.path();
        if let Some(location) = path.strip_prefix("/to/") {
            return redirect(StatusCode::FOUND, &percent_decode_str(location).decode_utf8().unwrap());
        }
        if let Some(hops) = path.strip_prefix("/hop/") {
            return match hops.parse::<usize>().unwrap() {
                0 => "a{}".into_response(),
                hops => redirect(StatusCode::TEMPORARY_REDIRECT, &format!("{}?q=secret", hops - 1)),
            };
        }
        match path {
            "/file.scss" => file(Gives::Tags, &headers, "a{}"),
            "/nowhere.scss" => StatusCode::FOUND.into_response(),
            "/unasked.scss" => StatusCode::NOT_MODIFIED.into_response(),
            "/late/2" => {
                sleep(HALF).await;
                redirect(StatusCode::FOUND, "/late/1")
            }
            "/late/1" => {
                sleep(HALF).await;
                redirect(StatusCode::FOUND, "/late/0")
            }
            "/late/0" => {
                sleep(HALF).await;
                "a{}".into_response()
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    };
    (listen(Router::new().fallback(answer)).await, asked)
}

fn url(address: SocketAddr, path: &str) -> Url {
    format!("http://{address}{path}").parse().unwrap()
}

fn to(location: &str) -> String {
    format!("/to/{}", percent_encoding::utf8_percent_encode(location, percent_encoding::NON_ALPHANUMERIC))
}

fn plain(content: &'static str) -> Fetched {
    Fetched::Found(SourceFile { body: content.into(), etag: None, last_modified: None })
}

#[tokio::test]
async fn every_kind_of_redirect_leads_to_the_file() {
    for status in [301, 302, 303, 307, 308] {
        let status = StatusCode::from_u16(status).unwrap();
        let router = Router::new()
            .route("/moved.scss", get(async move || redirect(status, "file.scss")))
            .route("/file.scss", get(async || "a{}"));
        let address = listen(router).await;
        assert_eq!(origin().fetch(&url(address, "/moved.scss"), None).await, Ok(plain("a{}")), "{status}");
    }
}

#[tokio::test]
async fn origin_that_redirects_every_source_conforms() {
    let files = async move |uri: Uri, headers: HeaderMap| {
        if let Some(path) = uri.path().strip_prefix("/old") {
            return redirect(StatusCode::MOVED_PERMANENTLY, &format!("/new{path}"));
        }
        let path = percent_decode_str(uri.path()).decode_utf8().unwrap().into_owned();
        let found = ORIGIN_FILES.iter().find(|(name, _)| path.strip_prefix("/new") == Some(*name));
        found.map_or(StatusCode::NOT_FOUND.into_response(), |(_, content)| {
            file(Gives::Tags, &headers, content)
        })
    };
    let address = listen(Router::new().fallback(files)).await;
    pipeline::conformance::origin(&origin(), &url(address, "/old")).await;
}

#[tokio::test]
async fn three_redirects_are_followed_and_no_more() {
    let (address, asked) = serve_hops().await;
    assert_eq!(origin().fetch(&url(address, "/hop/3"), None).await, Ok(plain("a{}")));
    asked.lock().unwrap().clear();
    let answer = origin().fetch(&url(address, "/hop/4"), None).await;
    let message = format!("http://{address}/hop/4 redirects more than 3 times");
    assert_eq!(answer, Err(OriginError::Failed(message)));
    assert_eq!(asked.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn what_is_absent_after_a_redirect_is_absent() {
    let (address, _) = serve_hops().await;
    assert_eq!(origin().fetch(&url(address, &to("/none.scss")), None).await, Ok(Fetched::Absent));
}

#[tokio::test]
async fn validators_stay_with_the_url_that_gave_them() {
    let (address, asked) = serve_hops().await;
    let known = Validators { etag: Some("\"3\"".to_owned()), last_modified: None };
    let direct = origin().fetch(&url(address, "/file.scss"), Some(&known)).await;
    assert_eq!(direct, Ok(Fetched::NotModified));
    asked.lock().unwrap().clear();
    // The same file by a redirect: asked for without a condition, and without validators to come back with.
    let moved = origin().fetch(&url(address, &to("/file.scss")), Some(&known)).await;
    assert_eq!(moved, Ok(plain("a{}")));
    let conditions: Vec<bool> =
        asked.lock().unwrap().iter().map(|(_, is_conditional)| *is_conditional).collect();
    assert_eq!(conditions, [true, false]);
    let unasked = origin().fetch(&url(address, &to("/unasked.scss")), Some(&known)).await;
    assert!(matches!(unasked, Err(OriginError::Failed(_))), "{unasked:?}");
}

#[tokio::test]
async fn each_hop_is_judged_as_if_it_was_asked_for() {
    let (address, asked) = serve_hops().await;
    let port = address.port();
    for location in [
        "http://169.254.169.254/latest/meta-data/",
        "//10.0.0.1/",
        "\\\\192.168.0.1/",
        "http://[::ffff:7f01:203]:9/",
        "http://localhost:9/",
        "http://8.8.8.8:22/",
        "file:///etc/passwd",
        "ftp://8.8.8.8/",
        "http://user:secret@8.8.8.8/",
    ] {
        let guard = Guard { private_networks: vec!["127.0.0.1/32".parse().unwrap()] };
        let origin = HttpOrigin::new(guard, TIMEOUT).unwrap();
        let answer = origin.fetch(&url(address, &to(location)), None).await;
        let Err(OriginError::Refused(message)) = answer else { panic!("{location} gave {answer:?}") };
        let (asked, problem) = message.split_once(" redirects: ").unwrap();
        assert!(asked.starts_with(&format!("http://127.0.0.1:{port}/to/")), "{message}");
        assert!(!problem.contains("secret"), "{message}");
    }
    assert_eq!(asked.lock().unwrap().len(), 9, "every one was asked for once and followed nowhere");
}

#[tokio::test]
async fn locations_that_cannot_be_followed_are_failures() {
    let (address, _) = serve_hops().await;
    for path in ["/nowhere.scss".to_owned(), to("http://[::1"), to(&"x".repeat(3_000))] {
        let Err(OriginError::Failed(message)) = origin().fetch(&url(address, &path), None).await else {
            panic!("{path} did not fail")
        };
        assert!(message.ends_with("answered 302 without a usable Location"), "{message}");
    }
}

#[tokio::test]
async fn queries_of_redirects_are_not_told() {
    let (address, _) = serve_hops().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let location = format!("http://{closed}/file.scss?signature=secret");
    let answer = origin().fetch(&url(address, &to(&location)), None).await;
    let Err(OriginError::Failed(message)) = answer else { panic!("it answered {answer:?}") };
    let (_, problem) = message.split_once(" redirects: ").unwrap();
    assert!(problem.contains(&closed.to_string()) && !problem.contains("secret"), "{message}");
}

#[tokio::test]
async fn time_limit_covers_all_hops() {
    let (address, _) = serve_hops().await;
    let origin = origin();
    assert_eq!(origin.fetch(&url(address, "/late/1"), None).await, Ok(plain("a{}")));
    let answer = origin.fetch(&url(address, "/late/2"), None).await;
    let message = format!("http://{address}/late/2 gave no complete answer within {TIMEOUT:?}");
    assert_eq!(answer, Err(OriginError::TimedOut(message)));
}
