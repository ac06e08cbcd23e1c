//! How jobs end, and what of their message and their notice.

use std::{fs, time::Duration};

use jiff::{SignedDuration, Timestamp};
use pipeline::{
    job::Job,
    key::Encoding,
    manifest::Outcome,
    names::JobId,
    ports::{Depth, Queue},
    record::read_body,
};
use prometheus_client::encoding::text::encode;
use tokio::time::{sleep, timeout};
use worker::Span;

use crate::bench::Bench;

#[tokio::test]
async fn compiled_file_is_stored_in_every_coding_with_its_closure() {
    let mut bench = Bench::start(&[
        ("theme/app.scss", "@use 'colors'; @import 'lib/grid'; a { color: colors.$link }"),
        ("theme/_colors.scss", "$link: red;"),
        ("vendor/lib/_grid.scss", ".row { display: flex }"),
    ]);
    let job = bench.job("/theme/app.css");
    let manifest = bench.run(&job).await;
    let Outcome::Compiled { digest, encodings } = &manifest.outcome else { panic!("{:?}", manifest.outcome) };
    let css = read_body(&*bench.store, &job.key(), digest, Encoding::Identity).await.unwrap();
    assert_eq!(css, ".row {\n  display: flex;\n}\n\na {\n  color: red;\n}\n");
    let codings: Vec<_> = encodings.iter().map(|body| body.encoding).collect();
    assert_eq!(codings, [Encoding::Identity, Encoding::Gzip, Encoding::Br]);
    let root = bench.site.path().to_str().unwrap().to_owned();
    let read: Vec<_> = manifest
        .closure
        .read
        .iter()
        .map(|source| source.url.strip_prefix(&format!("file://{root}")).unwrap())
        .collect();
    assert_eq!(read, ["/theme/_colors.scss", "/theme/app.scss", "/vendor/lib/_grid.scss"]);
    assert!(manifest.closure.absent.contains(&format!("file://{root}/theme/lib/grid.scss")));
    bench.stop().await;
}

#[tokio::test]
async fn compiled_file_is_counted_by_engine_and_every_part_of_its_job_measured() {
    let mut bench = Bench::start(&[("app.scss", "a { b: c }")]);
    let job = bench.job("/app.css");
    let engine = bench.run(&job).await.engine;
    while bench.queue.depth().await.unwrap() != Depth::default() {
        sleep(Duration::from_millis(5)).await;
    }
    let mut text = String::new();
    encode(&mut text, &bench.registry).unwrap();
    assert!(
        text.contains(&format!("assets_worker_jobs_total{{end=\"compiled\",engine=\"{engine}\"}} 1")),
        "{text}"
    );
    for span in Span::ALL.map(Span::name) {
        let sample = format!("assets_worker_span_duration_seconds_count{{span=\"{span}\"}} 1");
        assert!(text.contains(&sample), "{sample} is not in {text}");
    }
    bench.stop().await;
}

#[tokio::test]
async fn wrong_sass_ends_in_the_compilers_message() {
    let mut bench = Bench::start(&[("app.scss", "a {\n  color: $missing;\n}")]);
    let message = bench.compile_error("/app.css").await;
    assert!(message.contains("Undefined variable") && message.contains(" /app.scss 2:10 "), "{message}");
    bench.stop().await;
}

#[tokio::test]
async fn hostile_sass_ends_in_an_error_that_names_the_limit() {
    let nested = format!("{}{}", "a{".repeat(20_000), "}".repeat(20_000));
    let mut bench = Bench::start(&[
        ("loop.scss", "@while true {}"),
        ("mixin.scss", "@mixin t { @include t(); } a { @include t(); }"),
        ("function.scss", "@function f($x) { @return f($x); } a { b: f(1); }"),
        ("nested.scss", &nested),
        ("bomb.scss", "$x: 'ab'; @for $i from 1 through 40 { $x: $x + $x; } a { b: $x; }"),
        ("latin1.scss", "a{}"),
        ("long.scss", "$x: 'ab'; @for $i from 1 through 18 { $x: $x + $x; } @error $x;"),
        ("good.scss", "a { b: c }"),
    ]);
    fs::write(bench.site.path().join("latin1.scss"), b"/* \xe4 */").unwrap();
    assert!(bench.compile_error("/loop.css").await.contains("1 s of CPU time"));
    for path in ["/mixin.css", "/function.css", "/nested.css", "/bomb.css"] {
        let message = bench.compile_error(path).await;
        assert!(message.contains("memory"), "{path}: {message}");
    }
    assert!(bench.compile_error("/latin1.css").await.contains("not UTF-8"));
    let long = bench.compile_error("/long.css").await;
    assert!(long.len() < 20_000 && long.ends_with("(cut)"), "a message of {} bytes was stored", long.len());
    let good = bench.job("/good.css");
    assert!(
        matches!(bench.run(&good).await.outcome, Outcome::Compiled { .. }),
        "a hostile file harmed its neighbour"
    );
    bench.stop().await;
}

#[tokio::test]
async fn absent_source_is_an_outcome_and_imports_cannot_leave_the_origin() {
    let mut bench = Bench::start(&[("up.scss", "@import '../../../../etc/passwd';")]);
    let job = bench.job("/gone.css");
    assert_eq!(
        bench.run(&job).await.outcome,
        Outcome::SourceNotFound {
            message: "the origin has neither /gone.scss, /gone.sass nor /gone.css".to_owned()
        }
    );
    assert!(bench.compile_error("/up.css").await.contains("Can't find stylesheet"));
    bench.stop().await;
}

#[tokio::test]
async fn needless_job_is_answered_from_the_manifest_that_is_there() {
    let mut bench = Bench::start(&[("app.scss", "a { b: c }")]);
    let first = bench.job("/app.css");
    let compiled = bench.run(&first).await;
    let second = Job { id: JobId::random(), ..first.clone() };
    assert_eq!(bench.run(&second).await, compiled);
    let third = Job { id: JobId::random(), not_before: Timestamp::now(), ..first };
    assert_eq!(bench.run(&third).await.job, third.id);
    bench.stop().await;
}

#[tokio::test]
async fn expired_job_is_dropped_and_foreign_one_handed_back() {
    let mut bench = Bench::start(&[("app.scss", "a { b: c }")]);
    let past = Timestamp::now() - SignedDuration::from_secs(1);
    let expired = Job { expires: past, ..bench.job("/app.css") };
    let foreign = Job { fingerprint: "00112233445566aa".parse().unwrap(), ..bench.job("/app.css") };
    bench.send(&expired).await;
    bench.send(&foreign).await;
    let last = bench.job("/app.css");
    bench.run(&last).await;
    bench.shutdown.cancel();
    timeout(Duration::from_secs(5), bench.working).await.expect("the worker did not stop").unwrap();
    let (wait, visibility) = (Duration::from_secs(10), Duration::from_secs(1));
    let left = bench.queue.receive(10, wait, visibility).await.unwrap();
    let left: Vec<_> = left.iter().map(|delivery| Job::from_message(&delivery.body).unwrap()).collect();
    assert_eq!(left, [foreign], "only the other build's job stays");
}
