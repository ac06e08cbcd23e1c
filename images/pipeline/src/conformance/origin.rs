//! The contract of [`Origin`].

use bytes::Bytes;
use url::Url;

use crate::{
    ports::{Fetched, Origin, SourceFile, Validators},
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
        unchanged_source_is_known_by_its_validators(origin, base, path, &found).await;
    }
    for path in ["/none.scss", "/sub", "/app.scss/app.scss"] {
        assert_eq!(fetch(origin, base, path).await, Fetched::Absent, "{path} is not there");
    }
    let elsewhere: Url = "gopher://origin.example/app.scss".parse().expect("a URL");
    assert!(origin.fetch(&elsewhere, None).await.is_err(), "a scheme of another kind was asked");
}

async fn unchanged_source_is_known_by_its_validators(
    origin: &dyn Origin,
    base: &Url,
    path: &str,
    found: &SourceFile,
) {
    let url = source_url(base, path).expect("the origin's base can have a path");
    let own = Validators { etag: found.etag.clone(), last_modified: found.last_modified.clone() };
    let expected =
        if own == Validators::default() { Fetched::Found(found.clone()) } else { Fetched::NotModified };
    let answer = origin.fetch(&url, Some(&own)).await.expect("fetch with validators");
    assert_eq!(answer, expected, "{path} did not change since its validators were given");
    let other = Validators { etag: Some("\"of another file\"".to_owned()), last_modified: None };
    let answer = origin.fetch(&url, Some(&other)).await.expect("fetch with another file's validators");
    assert_eq!(answer, Fetched::Found(found.clone()), "{path} was taken for another file");
    let none = source_url(base, "/none.scss").expect("the origin's base can have a path");
    let answer = origin.fetch(&none, Some(&own)).await.expect("fetch what is gone");
    assert_eq!(answer, Fetched::Absent, "a source that is gone was not modified");
}

async fn fetch(origin: &dyn Origin, base: &Url, path: &str) -> Fetched {
    let url = source_url(base, path).expect("the origin's base can have a path");
    origin.fetch(&url, None).await.expect("fetch")
}

async fn found(origin: &dyn Origin, base: &Url, path: &str) -> SourceFile {
    match fetch(origin, base, path).await {
        Fetched::Found(source) => source,
        Fetched::Absent | Fetched::NotModified => panic!("{path} was not found"),
    }
}
