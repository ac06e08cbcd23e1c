use axum::http::HeaderMap;
use http::Uri;

use super::*;

const POLICY: Policy = Policy {
    errors: ErrorDisplay::Status,
    max_age: Duration::from_mins(5),
    max_stale: Duration::from_hours(1),
    backoff: crate::policy::Backoff::PRODUCTION,
    purged: None,
};
const SHOWN: Policy = Policy { errors: ErrorDisplay::Show, ..POLICY };
const UNCACHED: Policy = Policy { max_age: Duration::ZERO, ..POLICY };
/// Wed, 22 Nov 2023 00:00:00 GMT.
const MODIFIED: i64 = 1_700_611_200;
const BODY: &[u8] = b"a{}";

fn digest() -> Digest {
    Digest::of(BODY)
}

fn file<'f>(digest: &'f Digest, policy: &'f Policy) -> File<'f> {
    let modified_at = Timestamp::from_millisecond(MODIFIED * 1000 + 700).unwrap();
    File {
        digest,
        encoding: Encoding::Br,
        modified_at,
        age: Duration::from_millis(61_900),
        staleness: Staleness::Fresh,
        layer: Layer::Memory,
        engine: "grass/0.13.4",
        policy,
        now: Timestamp::from_second(MODIFIED + 62).unwrap(),
        took: Duration::from_millis(7),
    }
}

fn visit(uri: &str, headers: &[(&'static str, &str)]) -> Visit {
    let host = [("host", "shop.example")];
    let headers = headers.iter().chain(&host);
    let headers: HeaderMap =
        headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    Visit::parse(&uri.parse::<Uri>().unwrap(), &headers).unwrap()
}

fn headers_of(response: &Response) -> Vec<(&str, &str)> {
    let mut headers: Vec<_> =
        response.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    headers.sort_unstable();
    headers
}

#[test]
fn fresh_file_carries_these_headers_and_no_others() {
    let digest = digest();
    let etag = format!("\"{digest}-br\"");
    let shared = [
        ("access-control-allow-origin", "*"),
        ("age", "61"),
        ("cache-control", "public, max-age=300, stale-while-revalidate=3300, stale-if-error=3300"),
        ("cache-status", "AssetPipeline; hit; detail=memory"),
        ("etag", &etag),
        ("last-modified", "Wed, 22 Nov 2023 00:00:00 GMT"),
        ("server-timing", "cache;desc=memory"),
        ("timing-allow-origin", "*"),
        ("vary", "accept-encoding"),
        ("x-asset-engine", "grass/0.13.4"),
        ("x-content-type-options", "nosniff"),
    ];
    let file = file(&digest, &POLICY);
    let visit = visit("/app.css", &[]);
    assert_eq!(headers_of(&file.not_modified(&visit)), shared);
    let mut whole = shared.to_vec();
    whole.extend([
        ("accept-ranges", "none"),
        ("content-encoding", "br"),
        ("content-length", "3"),
        ("content-type", "text/css; charset=utf-8"),
    ]);
    whole.sort_unstable();
    assert_eq!(headers_of(&file.serve(&visit, Bytes::from_static(BODY))), whole);
}

#[test]
fn tags_decide_where_they_are_sent_and_dates_where_they_are_not() {
    let digest = digest();
    let file = file(&digest, &POLICY);
    let own = format!("\"{digest}-br\"");
    let (weak, other, list) = (format!("W/{own}"), format!("\"{digest}-gzip\""), format!("\"x\" , {own}"));
    let date = "Wed, 22 Nov 2023 00:00:00 GMT";
    let cases: [(&[(&'static str, &str)], bool); 14] = [
        (&[], false),
        (&[("if-none-match", &own)], true),
        (&[("if-none-match", &weak)], true),
        (&[("if-none-match", &list)], true),
        (&[("if-none-match", "*")], true),
        (&[("if-none-match", &other)], false),
        (&[("if-modified-since", date)], true),
        (&[("if-modified-since", "Wednesday, 22-Nov-23 00:00:00 GMT")], true),
        (&[("if-modified-since", "Wed Nov 22 00:00:00 2023")], true),
        (&[("if-modified-since", "Wed, 22 Nov 2023 00:00:01 GMT")], false),
        (&[("if-modified-since", "Tue, 21 Nov 2023 23:59:59 GMT")], false),
        (&[("if-modified-since", "yesterday")], false),
        (&[("if-none-match", &other), ("if-modified-since", date)], false),
        (&[("if-none-match", &own), ("if-modified-since", "yesterday")], true),
    ];
    for (headers, expected) in cases {
        assert_eq!(file.is_known_to(&visit("/app.css", headers)), expected, "{headers:?}");
    }
}

#[test]
fn date_ahead_of_our_clock_is_neither_sent_nor_believed() {
    let digest = digest();
    let early = File { now: Timestamp::from_second(MODIFIED - 1).unwrap(), ..file(&digest, &POLICY) };
    let visit = visit("/app.css", &[("if-modified-since", "Wed, 22 Nov 2023 00:00:00 GMT")]);
    assert!(!early.is_known_to(&visit));
    assert!(!early.not_modified(&visit).headers().contains_key(LAST_MODIFIED));
}

fn cache_control(file: &File<'_>, uri: &str) -> HeaderValue {
    let visit = visit(uri, &[]);
    file.cache_control(&visit.path, visit.version.as_deref())
}

#[test]
fn only_urls_that_name_the_bytes_are_immutable() {
    let digest = digest();
    let file = file(&digest, &POLICY);
    let hex = digest.as_str();
    let (eight, seven) = (&hex[..8], &hex[..7]);
    let wrong = if eight.ends_with('0') { format!("{seven}1") } else { format!("{seven}0") };
    let immutable = [
        format!("/app.css?v={eight}"),
        format!("/app.css?a=1&v={hex}&b"),
        format!("/app.{eight}.css"),
        format!("/theme/app-{eight}.css?v=1"),
        format!("/app_{hex}.css"),
        format!("/{eight}.css"),
    ];
    let revalidated = [
        "/app.css".to_owned(),
        format!("/app.css?v={seven}"),
        format!("/app.css?v={wrong}"),
        format!("/app.css?v={hex}0"),
        format!("/app.css?V={eight}"),
        format!("/app.css?vv={eight}"),
        format!("/app.css?w={eight}"),
        format!("/app.{seven}.css"),
        format!("/app{eight}.css"),
        format!("/{eight}/app.css"),
        format!("/app.css?v={}", eight.to_uppercase()),
        "/app.css?v".to_owned(),
        "/app.css?v=".to_owned(),
    ];
    for uri in immutable {
        assert_eq!(cache_control(&file, &uri), IMMUTABLE, "{uri}");
        let uncached = self::file(&digest, &UNCACHED);
        assert_eq!(cache_control(&uncached, &uri), "no-cache", "{uri}");
    }
    for uri in revalidated {
        assert_ne!(cache_control(&file, &uri), IMMUTABLE, "{uri}");
    }
}

#[test]
fn only_fresh_files_from_memory_last_and_for_a_second_at_the_most() {
    let digest = digest();
    let fresh = || File { took: Duration::ZERO, ..file(&digest, &POLICY) };
    let millis = Duration::from_millis;
    let cases = [
        (fresh(), Some(millis(100))),
        (File { took: millis(30), ..fresh() }, Some(millis(70))),
        (File { took: millis(300), ..fresh() }, Some(Duration::ZERO)),
        (File { age: Duration::ZERO, ..fresh() }, Some(millis(1000))),
        (File { layer: Layer::Store, ..fresh() }, None),
        (File { layer: Layer::Held, ..fresh() }, None),
        (File { staleness: Staleness::Refresh, ..fresh() }, None),
        (File { staleness: Staleness::InsteadOfFailure, ..fresh() }, None),
    ];
    for (file, expected) in cases {
        assert_eq!(file.lasts(), expected);
    }
    let brief = Policy { max_age: millis(61_950), ..POLICY };
    assert_eq!(File { policy: &brief, ..fresh() }.lasts(), Some(millis(50)));
}

#[test]
fn staleness_and_layers_are_told() {
    let digest = digest();
    let fresh = || file(&digest, &POLICY);
    let age = Duration::from_mins(7);
    let cases = [
        (fresh(), "AssetPipeline; hit; detail=memory", "cache;desc=memory"),
        (
            File { layer: Layer::Store, ..fresh() },
            "AssetPipeline; hit; detail=store",
            "cache;desc=store;dur=7",
        ),
        (
            File { layer: Layer::Held, ..fresh() },
            "AssetPipeline; fwd=uri-miss; stored; detail=held",
            "cache;desc=held;dur=7",
        ),
        (
            File { staleness: Staleness::Refresh, age, ..fresh() },
            "AssetPipeline; hit; ttl=-120; detail=memory",
            "cache;desc=memory",
        ),
    ];
    for (file, status, timing) in cases {
        assert_eq!(
            (file.cache_status(), file.server_timing()),
            (status.parse().unwrap(), timing.parse().unwrap())
        );
    }
    let shown = cache_control(&file(&digest, &SHOWN), "/app.css");
    assert_eq!(shown, "public, max-age=300, stale-while-revalidate=3300", "errors shall be seen");
}
