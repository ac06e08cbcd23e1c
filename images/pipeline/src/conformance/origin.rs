//! The contract of [`Origin`].

use bytes::Bytes;
use url::Url;

use crate::{
    ports::{Fetched, Origin, SourceFile},
    tenant::source_url,
};

/// What the origin under test has to hold: path and content.
pub const ORIGIN_FILES: [(&str, &str); 3] =
    [("/app.scss", "a{}"), ("/sub/_part.scss", ""), ("/odd/ü with space%2f.scss", "/* ü */")];

/// Checks every sentence of the trait's docs on an origin at `base` that holds [`ORIGIN_FILES`].
pub async fn origin(origin: &dyn Origin, base: &Url) {
    for (path, content) in ORIGIN_FILES {
        let found = found(origin, base, path).await;
        assert_eq!(found.body, Bytes::from_static(content.as_bytes()), "{path} has another content");
        let again = self::found(origin, base, path).await;
        assert_eq!(found, again, "{path} did not change, but its validators did");
    }
    for path in ["/none.scss", "/sub", "/app.scss/app.scss"] {
        assert_eq!(fetch(origin, base, path).await, Fetched::Absent, "{path} is not there");
    }
    let elsewhere: Url = "gopher://origin.example/app.scss".parse().expect("a URL");
    assert!(origin.fetch(&elsewhere).await.is_err(), "a scheme of another kind was asked");
}

async fn fetch(origin: &dyn Origin, base: &Url, path: &str) -> Fetched {
    let url = source_url(base, path).expect("the origin's base can have a path");
    origin.fetch(&url).await.expect("fetch")
}

async fn found(origin: &dyn Origin, base: &Url, path: &str) -> SourceFile {
    match fetch(origin, base, path).await {
        Fetched::Found(source) => source,
        Fetched::Absent => panic!("{path} was not found"),
    }
}
