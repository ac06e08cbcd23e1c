use std::time::Duration;

use axum::{body::Body, response};
use http::{
    HeaderValue,
    header::{AGE, CACHE_CONTROL},
};
use pipeline::{names::Digest, rate::RateLimits, tenant::Tenant};
use prometheus_client::registry::Registry;

use super::*;
use crate::{
    answer::file::IMMUTABLE,
    limits::{Limits, TenantLimiter},
    metrics::WebMetrics,
};

const SECOND: Duration = Duration::from_secs(1);

fn limiter() -> Arc<TenantLimiter> {
    let tenant = Tenant::new(
        "shop.example".parse().unwrap(),
        "shop-g1".parse().unwrap(),
        "http://origin.example/".parse().unwrap(),
    );
    let metrics = Arc::new(WebMetrics::register(&mut Registry::default()));
    Limits::new(RateLimits::default(), metrics).of(&tenant)
}

fn key() -> pipeline::key::Key {
    pipeline::key::Key {
        fingerprint: "00112233445566aa".parse().unwrap(),
        tenant_id: "shop-g1".parse().unwrap(),
        path: "/app.css".parse().unwrap(),
    }
}

const ASKED: Asked<'static> =
    Asked { authority: "shop.example", path: "/app.css", accept_encoding: Some("br") };

fn ready(asked: Asked<'_>, body: &Bytes, mark: Mark, until: Instant) -> Ready {
    let repeatable = Repeatable {
        body: body.clone(),
        digest: Digest::of(body),
        limiter: limiter(),
        cache_control: HeaderValue::from_static("public"),
        mark,
        until,
    };
    let mut answer = response::Response::new(Body::empty());
    answer.headers_mut().insert(AGE, HeaderValue::from_static("7"));
    answer.headers_mut().insert(CACHE_CONTROL, IMMUTABLE);
    answer.extensions_mut().insert(repeatable);
    Ready::from_answer(asked.into(), &answer).unwrap()
}

#[test]
fn answer_is_found_by_exactly_its_parts_and_for_its_time() {
    let (answers, marks, now) = (ReadyAnswers::default(), Marks::default(), Instant::now());
    let body = Bytes::from_static(b"a{}");
    answers.keep(ready(ASKED, &body, marks.take(&key()), now + SECOND), now);
    let is_found = |asked: Asked<'_>, now| answers.find(&asked, &marks, now).is_some();
    assert!(is_found(ASKED, now + SECOND / 2));
    for other in [
        Asked { authority: "shop.example:80", ..ASKED },
        Asked { authority: "shop.exampl", path: "e/app.css", ..ASKED },
        Asked { path: "/app.css/", ..ASKED },
        Asked { accept_encoding: Some("br, gzip"), ..ASKED },
        Asked { accept_encoding: Some(""), ..ASKED },
        Asked { accept_encoding: None, ..ASKED },
    ] {
        assert!(!is_found(other, now), "{other:?}");
    }
    assert!(!is_found(ASKED, now + SECOND), "an answer outlived its time");
}

#[test]
fn change_of_its_key_or_of_all_ends_an_answer() {
    let (answers, marks, now) = (ReadyAnswers::default(), Marks::default(), Instant::now());
    let body = Bytes::from_static(b"a{}");
    let keep = || answers.keep(ready(ASKED, &body, marks.take(&key()), now + SECOND), now);
    let is_found = || answers.find(&ASKED, &marks, now).is_some();
    for change in [|marks: &Marks| marks.change(&key()), |marks: &Marks| marks.change_all()] {
        keep();
        assert!(is_found());
        change(&marks);
        assert!(!is_found());
    }
    let before = marks.take(&key());
    marks.change(&key());
    answers.keep(ready(ASKED, &body, before, now + SECOND), now);
    assert!(!is_found(), "an answer that was begun before the change was kept");
}

#[test]
fn room_is_bounded_and_made_by_what_has_had_its_time_only() {
    let (answers, marks, now) = (ReadyAnswers::default(), Marks::default(), Instant::now());
    let body = Bytes::from(vec![b' '; SHARD_BYTES / 8]);
    let keep = |number: u32, now: Instant| {
        let path = format!("/{number}.css");
        let asked = Asked { path: &path, ..ASKED };
        answers.keep(ready(asked, &body, marks.take(&key()), now + SECOND), now);
    };
    let count = |now: Instant, numbers: std::ops::Range<u32>| {
        let is_found = |number: &u32| {
            answers.find(&Asked { path: &format!("/{number}.css"), ..ASKED }, &marks, now).is_some()
        };
        numbers.filter(is_found).count()
    };
    (0..1_000).for_each(|number| keep(number, now));
    assert_eq!(count(now, 0..1_000), SHARDS * 8);
    let first = count(now, 0..10);
    assert_eq!(first, 10, "what was there first was displaced");
    let later = now + 2 * SECOND;
    (1_000..2_000).for_each(|number| keep(number, later));
    assert_eq!(count(later, 1_000..2_000), SHARDS * 8);
    for shard in &answers.shards {
        let shard = read(shard);
        let bytes: usize = shard.by_hash.values().map(|ready| ready.repeatable.body.len()).sum();
        assert_eq!(shard.bytes, bytes);
    }
}

#[test]
fn large_body_that_is_kept_again_has_one_copy_in_the_kernel() {
    let (answers, marks, begun) = (ReadyAnswers::default(), Marks::default(), Instant::now());
    let copy_after = |second: u32, body: &Bytes| {
        let now = begun + second * SECOND;
        answers.keep(ready(ASKED, body, marks.take(&key()), now + SECOND), now);
        answers.find(&ASKED, &marks, now).unwrap().kernel_copy.clone()
    };
    let (body, other) = (Bytes::from(vec![b'a'; 32 << 10]), Bytes::from(vec![b'b'; 128 << 10]));
    assert!(copy_after(0, &body).is_none(), "nobody asks for it again");
    let copy = copy_after(1, &body).unwrap();
    assert!(copy.is_of(&body));
    assert!(Arc::ptr_eq(&copy, &copy_after(2, &body).unwrap()));
    assert!(copy_after(3, &other).is_none());
    assert!(copy_after(4, &other).unwrap().is_of(&other));
}

#[test]
fn copies_in_the_kernel_are_bounded() {
    let (answers, marks, now) = (ReadyAnswers::default(), Marks::default(), Instant::now());
    let body = Bytes::from(vec![b' '; 16 << 10]);
    for number in (0..1_000).chain(0..1_000) {
        let asked = Asked { path: &format!("/{number}.css"), ..ASKED };
        answers.keep(ready(asked, &body, marks.take(&key()), now + SECOND), now);
    }
    for shard in &answers.shards {
        let shard = read(shard);
        let copies = shard.by_hash.values().filter(|ready| ready.kernel_copy.is_some()).count();
        assert!((1..=SHARD_COPIES).contains(&copies), "{copies}");
    }
}

#[test]
fn answer_of_a_named_version_is_immutable_and_the_others_are_as_without() {
    let marks = Marks::default();
    let body = Bytes::from_static(b"a{}");
    let ready = ready(ASKED, &body, marks.take(&key()), Instant::now());
    let digest = Digest::of(&body);
    let told = |query: Option<&str>| ready.answer(&Method::GET, query).headers()[CACHE_CONTROL].clone();
    assert_eq!(told(Some(&format!("v={}", &digest.as_str()[..8]))), IMMUTABLE);
    for query in [None, Some("v=00000000"), Some("x=1")] {
        assert_eq!(told(query), "public", "{query:?}");
    }
}

#[test]
fn conditions_and_other_methods_go_the_ordinary_way() {
    let is_asked = |method: &str, headers: &[(&str, &str)]| {
        let request = Request::builder().method(method).uri("http://shop.example/app.css");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Asked::of(&request.body(()).unwrap()).is_some()
    };
    assert!(is_asked("GET", &[("accept-encoding", "br")]));
    assert!(is_asked("HEAD", &[]));
    assert!(!is_asked("POST", &[]));
    assert!(!is_asked("OPTIONS", &[]));
    assert!(!is_asked("GET", &[("if-none-match", "\"x\"")]));
    assert!(!is_asked("GET", &[("if-modified-since", "x")]));
}

#[test]
fn body_is_given_once_and_tells_its_length_before() {
    use axum::body::HttpBody;
    use std::{pin::Pin, task};

    let bytes = Bytes::from_static(b"a{}");
    let mut body = AnswerBody::Ready(Some(bytes.clone()));
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(3), false));
    let mut context = task::Context::from_waker(task::Waker::noop());
    let mut frame = || match Pin::new(&mut body).poll_frame(&mut context) {
        task::Poll::Ready(frame) => frame.map(|frame| frame.unwrap().into_data().unwrap()),
        task::Poll::Pending => panic!("it was there"),
    };
    assert_eq!([frame(), frame()], [Some(bytes), None]);
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
    // `HEAD`: hyper must not wait for what never comes.
    assert!(AnswerBody::Ready(None).is_end_stream());
}
