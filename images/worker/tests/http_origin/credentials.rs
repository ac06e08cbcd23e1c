//! A header that only one origin is asked with.

use std::sync::{Arc, Mutex};

use axum::http::header::{AUTHORIZATION, LOCATION};
use pipeline::ports::OriginHeader;
use url::Url;

use super::*;

/// What was asked for, and the header that came along.
type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// Redirects from below `/to` to this server.
async fn serve_redirecting(target: Option<SocketAddr>) -> (SocketAddr, Asked) {
    let asked = Asked::default();
    let noted = asked.clone();
    let answer = async move |uri: Uri, headers: HeaderMap| {
        let token = headers.get(AUTHORIZATION).map(|token| token.to_str().unwrap().to_owned());
        noted.lock().unwrap().push((uri.path().to_owned(), token));
        match (uri.path().strip_prefix("/to"), target) {
            (Some(path), Some(target)) => {
                (StatusCode::FOUND, [(LOCATION, format!("http://{target}{path}"))]).into_response()
            }
            (Some(path), None) => (StatusCode::FOUND, [(LOCATION, path.to_owned())]).into_response(),
            (None, _) => "a{}".into_response(),
        }
    };
    (listen(Router::new().fallback(answer)).await, asked)
}

#[tokio::test]
async fn header_is_for_its_origin_and_for_nobody_else() {
    let (other, asked_of_other) = serve_redirecting(None).await;
    let (own, asked) = serve_redirecting(Some(other)).await;
    let url = |address: SocketAddr, path: &str| -> Url { format!("http://{address}{path}").parse().unwrap() };
    let header = OriginHeader {
        origin: url(own, "/").origin(),
        name: AUTHORIZATION,
        value: "Bearer secret".parse().unwrap(),
    };
    let plain = origin();
    let with_header = plain.with_header(header).unwrap();
    for (address, path) in [(own, "/a.scss"), (own, "/to/b.scss"), (other, "/c.scss"), (other, "/to/d.scss")]
    {
        assert!(
            matches!(with_header.fetch(&url(address, path), None).await, Ok(Fetched::Found(_))),
            "{path}"
        );
    }
    plain.fetch(&url(own, "/e.scss"), None).await.unwrap();
    let secret = || Some("Bearer secret".to_owned());
    let expected = [("/a.scss", secret()), ("/to/b.scss", secret()), ("/e.scss", None)];
    assert_eq!(*asked.lock().unwrap(), expected.map(|(path, token)| (path.to_owned(), token)));
    let expected = ["/b.scss", "/c.scss", "/to/d.scss", "/d.scss"].map(|path| (path.to_owned(), None));
    assert_eq!(*asked_of_other.lock().unwrap(), expected);
}
