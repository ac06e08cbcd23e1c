use std::time::Duration;

use axum::http::StatusCode;
use jiff::SignedDuration;
use pipeline::manifest::{OriginFailure, Outcome};
use tokio::time::sleep;

use crate::town::{Answer, POLICY, Town, UNLIMITED};

fn failed() -> Outcome {
    Outcome::OriginFailed { failure: OriginFailure::TimedOut, message: "no answer within 5 s".to_owned() }
}

/// A tenant whose origin has failed five jobs in a row, and another one.
async fn town() -> Town {
    let town = Town::with(UNLIMITED, POLICY);
    town.settle("a.example", "a").await;
    town.settle("b.example", "b").await;
    for number in 0..5 {
        let visitor = town.visitor("a.example", &format!("/{number}.css"));
        town.end(failed()).await;
        let answer = visitor.await.unwrap();
        assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::GATEWAY_TIMEOUT, ""));
    }
    assert_eq!(town.count("assets_web_breakers_open"), 1);
    town
}

fn assert_left_alone(answer: &Answer, retry_after: &str) {
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT, "{answer:?}");
    let headers = ["x-asset-error", "cache-control", "retry-after"].map(|name| answer.header(name));
    assert_eq!(headers, ["origin-timed-out", "no-store", retry_after]);
}

#[tokio::test(start_paused = true)]
async fn origin_that_fails_again_and_again_is_asked_now_and_then_until_it_answers() {
    let town = town().await;
    for number in 5..50 {
        assert_left_alone(&town.get("a.example", &format!("/{number}.css")).await, "5");
    }
    assert_eq!(town.jobs_waiting().await, 0, "a failing origin was asked");
    // Another tenant's origin is another matter.
    let visitor = town.visitor("b.example", "/app.css");
    let css = town.compiled(&Town::key("b", "/app.css"), "b{}").await;
    town.end(css).await;
    assert_eq!(visitor.await.unwrap().body, "b{}");
    // One visitor after the pause is the probe; the others are not held.
    sleep(Duration::from_secs(5)).await;
    let probe = town.visitor("a.example", "/probe.css");
    sleep(Duration::from_millis(10)).await;
    assert_left_alone(&town.get("a.example", "/other.css").await, "1");
    town.end(failed()).await;
    assert_eq!(probe.await.unwrap().status, StatusCode::GATEWAY_TIMEOUT);
    assert_left_alone(&town.get("a.example", "/other.css").await, "10");
    sleep(Duration::from_secs(10)).await;
    let probe = town.visitor("a.example", "/other.css");
    let css = town.compiled(&Town::key("a", "/other.css"), "a{}").await;
    town.end(css).await;
    assert_eq!(probe.await.unwrap().body, "a{}");
    assert_eq!((town.count("assets_web_breakers_open"), town.jobs_waiting().await), (0, 0));
    let visitor = town.visitor("a.example", "/new.css");
    town.end(Outcome::SourceNotFound { message: "gone".to_owned() }).await;
    assert_eq!(visitor.await.unwrap().status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn what_was_good_once_is_served_while_its_origin_is_left_alone() {
    let town = town().await;
    for (path, age) in
        [("/stale.css", SignedDuration::from_mins(6)), ("/old.css", SignedDuration::from_hours(48))]
    {
        let key = Town::key("a", path);
        let css = town.compiled(&key, "good{}").await;
        town.write(&key, css, age).await;
        for _ in 0..2 {
            let answer = town.get("a.example", path).await;
            assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"good{}"[..]), "{path}");
            assert!(answer.header("cache-status").contains("ttl=-"), "{answer:?}");
        }
    }
    assert_eq!(town.jobs_waiting().await, 0);
}
