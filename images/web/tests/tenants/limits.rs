use std::{num::NonZeroU32, time::Duration};

use axum::http::StatusCode;
use jiff::SignedDuration;
use pipeline::{manifest::Outcome, rate::RateLimits};
use tokio::time::{advance, sleep};

use crate::town::{Answer, Town, UNLIMITED};

const NOW: SignedDuration = SignedDuration::ZERO;

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn gone() -> Outcome {
    Outcome::SourceNotFound { message: "gone".to_owned() }
}

/// Two tenants with one style sheet each.
async fn town(limits: RateLimits) -> Town {
    let town = Town::new(limits);
    for name in ["a", "b"] {
        town.settle(&format!("{name}.example"), name).await;
        let key = Town::key(name, "/app.css");
        let outcome = town.compiled(&key, &format!("{name}{{}}")).await;
        town.write(&key, outcome, NOW).await;
    }
    town
}

fn assert_limited(answer: &Answer, retry_after: &str) {
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{answer:?}");
    let headers = ["x-asset-error", "cache-control", "retry-after"].map(|name| answer.header(name));
    assert_eq!(headers, ["rate-limited", "no-store", retry_after]);
}

#[tokio::test(start_paused = true)]
async fn tenant_that_asks_too_often_is_told_when_to_come_back_and_others_notice_nothing() {
    let town = town(RateLimits { requests_per_second: number(2), ..UNLIMITED }).await;
    for _ in 0..4 {
        assert_eq!(town.get("a.example", "/app.css").await.body, "a{}");
    }
    assert_limited(&town.get("a.example", "/app.css").await, "1");
    assert_eq!(town.get("b.example", "/app.css").await.body, "b{}");
    advance(Duration::from_millis(500)).await;
    assert_eq!(town.get("a.example", "/app.css").await.body, "a{}");
    assert_limited(&town.get("a.example", "/app.css").await, "1");
    assert_eq!(town.count(r#"assets_web_rate_limited_total{limit="requests"}"#), 2);
}

#[tokio::test(start_paused = true)]
async fn all_hosts_of_a_tenant_share_its_limit() {
    let town = town(RateLimits { requests_per_second: number(1), ..UNLIMITED }).await;
    town.settle("www.a.example", "a").await;
    for host in ["a.example", "www.a.example"] {
        assert_eq!(town.get(host, "/app.css").await.body, "a{}");
    }
    assert_limited(&town.get("www.a.example", "/app.css").await, "1");
}

#[tokio::test(start_paused = true)]
async fn limits_of_a_tenant_take_the_place_of_the_pipelines_as_soon_as_they_change() {
    let town = town(RateLimits { requests_per_second: number(1), ..UNLIMITED }).await;
    town.settle_limited("a.example", "a", Some(UNLIMITED)).await;
    for _ in 0..100 {
        assert_eq!(town.get("a.example", "/app.css").await.body, "a{}");
    }
    town.settle("a.example", "a").await;
    // The registry is believed for two seconds.
    advance(Duration::from_secs(2)).await;
    for _ in 0..2 {
        assert_eq!(town.get("a.example", "/app.css").await.body, "a{}");
    }
    assert_limited(&town.get("a.example", "/app.css").await, "1");
}

#[tokio::test(start_paused = true)]
async fn walk_through_random_names_costs_no_more_jobs_than_the_limit() {
    let town = town(RateLimits { cold_paths_per_minute: number(3), ..UNLIMITED }).await;
    for number in 0..3 {
        let visitor = town.visitor("a.example", &format!("/{number}.css"));
        town.end(gone()).await;
        assert_eq!(visitor.await.unwrap().status, StatusCode::NOT_FOUND);
    }
    for number in 3..100 {
        assert_limited(&town.get("a.example", &format!("/{number}.css")).await, "20");
    }
    assert_eq!(town.jobs_waiting().await, 0);
    // What is known to be absent, and what was good before, cost nothing of that.
    assert_eq!(town.get("a.example", "/0.css").await.status, StatusCode::NOT_FOUND);
    let key = Town::key("a", "/old.css");
    let old = town.compiled(&key, "old{}").await;
    town.write(&key, old, SignedDuration::from_hours(48)).await;
    let visitor = town.visitor("a.example", "/old.css");
    let new = town.compiled(&key, "new{}").await;
    town.end(new).await;
    assert_eq!(visitor.await.unwrap().body, "new{}");
    assert_eq!(town.count(r#"assets_web_rate_limited_total{limit="cold-paths"}"#), 97);
}

#[tokio::test(start_paused = true)]
async fn crowd_at_one_cold_file_is_one_miss() {
    let one = number(1);
    let town = town(RateLimits { misses_per_second: one, cold_paths_per_minute: one, ..UNLIMITED }).await;
    let crowd: Vec<_> = (0..500).map(|_| town.visitor("a.example", "/new.css")).collect();
    let css = town.compiled(&Town::key("a", "/new.css"), "new{}").await;
    town.end(css).await;
    for visitor in crowd {
        assert_eq!(visitor.await.unwrap().body, "new{}");
    }
    assert_eq!(town.count("assets_web_jobs_sent_total"), 1);
}

#[tokio::test(start_paused = true)]
async fn misses_beyond_the_limit_are_refused_and_hits_are_not() {
    let town = town(RateLimits { misses_per_second: number(1), ..UNLIMITED }).await;
    for number in 0..10 {
        let key = Town::key("a", &format!("/{number}.css"));
        let css = town.compiled(&key, &format!("a{number}{{}}")).await;
        town.write(&key, css, NOW).await;
    }
    for number in 0..5 {
        assert_eq!(town.get("a.example", &format!("/{number}.css")).await.status, StatusCode::OK);
    }
    assert_limited(&town.get("a.example", "/5.css").await, "1");
    assert_eq!(town.get("a.example", "/0.css").await.body, "a0{}");
    advance(Duration::from_secs(1)).await;
    assert_eq!(town.get("a.example", "/5.css").await.body, "a5{}");
}

#[tokio::test(start_paused = true)]
async fn stale_file_is_served_even_where_its_refresh_is_beyond_the_limit() {
    let town = town(RateLimits { misses_per_second: number(1), ..UNLIMITED }).await;
    let stale = Town::key("a", "/stale.css");
    let css = town.compiled(&stale, "stale{}").await;
    town.write(&stale, css, SignedDuration::from_mins(6)).await;
    assert_eq!(town.get("a.example", "/stale.css").await.body, "stale{}");
    town.take_job().await;
    // The refresh ends without a newer file: its job was dropped.
    sleep(Duration::from_mins(11)).await;
    for number in 0..5 {
        let key = Town::key("a", &format!("/{number}.css"));
        let css = town.compiled(&key, "fresh{}").await;
        town.write(&key, css, NOW).await;
        assert_eq!(town.get("a.example", &format!("/{number}.css")).await.body, "fresh{}");
    }
    assert_eq!(town.get("a.example", "/stale.css").await.body, "stale{}");
    assert_eq!(town.jobs_waiting().await, 0, "the limit was passed over");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(town.get("a.example", "/stale.css").await.body, "stale{}");
    town.take_job().await;
}

#[tokio::test(start_paused = true)]
async fn unknown_hosts_are_limited_together_and_known_ones_are_not() {
    let town = town(UNLIMITED).await;
    assert_eq!(town.get("a.example", "/app.css").await.body, "a{}");
    let mut refused = None;
    for number in 0..10_000 {
        let answer = town.get(&format!("s{number}.example"), "/app.css").await;
        if answer.status != StatusCode::NOT_FOUND {
            refused = Some(answer);
            break;
        }
    }
    assert_limited(&refused.expect("no limit was met"), "1");
    advance(Duration::from_secs(2)).await;
    assert_eq!(town.get("a.example", "/app.css").await.body, "a{}");
}
