//! Pages that listen at one pod for what other pods have compiled.

use std::time::Duration;

use axum::body::BodyDataStream;
use futures::StreamExt;
use pipeline::{
    job::Job,
    names::{Digest, JobId},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::site::{Site, path_with_ranks, ranks};

const SECOND: Duration = Duration::from_secs(1);
/// The next look at the store is a second away at the most.
const LOOK: Duration = Duration::from_millis(1_100);

/// What the page is told next, within these seconds.
async fn told(page: &mut BodyDataStream, patience: Duration) -> Option<Value> {
    let told = async {
        loop {
            let bytes = page.next().await.unwrap().unwrap();
            if let Some(data) = bytes.strip_prefix(b"data: ") {
                return serde_json::from_slice(data).unwrap();
            }
        }
    };
    timeout(patience, told).await.ok()
}

fn good(path: &str, css: &str) -> Value {
    json!({"path": path, "digest": Digest::of(css.as_bytes()).to_string()})
}

#[tokio::test(start_paused = true)]
async fn page_is_told_of_what_another_pod_had_compiled_and_gets_it_from_any() {
    let site = Site::new(3);
    let path = path_with_ranks(&[2, 1, 0]);
    let visitors: Vec<_> = site.pods.iter().map(|pod| pod.visitor(&path)).collect();
    let (_, job) = site.take_job().await;
    site.compile(&job, "a{}").await;
    for visitor in visitors {
        assert_eq!(visitor.await.unwrap().body, "a{}");
    }
    let mut page = site.pods[0].listen(&path).await;
    assert_eq!(told(&mut page, LOOK).await, Some(good(&path, "a{}")));

    // Another pod has it compiled, and only its worker's notice reaches that pod.
    let job = Job { id: JobId::random(), ..job };
    site.compile(&job, "b{}").await;
    assert_eq!(told(&mut page, LOOK).await, Some(good(&path, "b{}")));
    assert_eq!(told(&mut page, 30 * SECOND).await, None);

    let version = &Digest::of(b"b{}").to_string()[..16];
    for pod in &site.pods[1..] {
        assert_eq!(pod.get(&path).await.body, "a{}", "a fresh file is served from memory");
        assert_eq!(pod.get(&format!("{path}?v={version}")).await.body, "a{}");
        let answer = pod.get(&format!("{path}?v={version}&live=1")).await;
        assert_eq!((answer.header("cache-control"), &*answer.body), (IMMUTABLE, &b"b{}"[..]));
        let again = pod.get(&format!("{path}?v={version}&live=1")).await;
        assert_eq!(again.header("cache-status"), "AssetPipeline; hit; detail=memory");
    }
    assert_eq!(site.jobs_waiting().await, 0);
}

const IMMUTABLE: &str = "public, max-age=31536000, immutable";

#[tokio::test(start_paused = true)]
async fn pages_at_all_pods_of_a_site_in_development_hear_of_every_edit_by_few_jobs_of_the_owner() {
    let site = Site::developed(3);
    let path = path_with_ranks(&[2, 1, 0]);
    let mut pages = Vec::new();
    for pod in &site.pods {
        pages.push(pod.listen(&path).await);
        sleep(SECOND / 3).await;
    }
    let started = Instant::now();
    let edits = ["a{}", "b{}", "c{}", "d{}", "e{}", "f{}", "g{}", "h{}", "i{}", "j{}"];
    for css in edits {
        let (sender, job) = take_next(&site).await;
        assert_eq!(sender, ranks(&path, 3)[0]);
        site.compile(&job, css).await;
        for page in &mut pages {
            assert_eq!(told(page, 2 * SECOND).await, Some(good(&path, css)));
        }
    }
    let elapsed = started.elapsed();
    assert!((9 * SECOND..30 * SECOND).contains(&elapsed), "ten edits took {elapsed:?}");
    for pod in &site.pods[..2] {
        let forwards = pod.samples("assets_web_forwards_total");
        assert!(forwards.iter().all(|sample| sample.starts_with("{outcome=\"answered\"}")), "{forwards:?}");
    }
}

/// The next job, within some seconds.
async fn take_next(site: &Site) -> (usize, Job) {
    for _ in 0..4 {
        if site.jobs_waiting().await > 0 {
            break;
        }
        sleep(SECOND).await;
    }
    site.take_refresh().await
}
