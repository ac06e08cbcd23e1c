//! A crowd at a file that nobody has asked for before.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use pipeline::aws::s3_client;
use tests::{
    crowd::{allow_connections, open_slowly, visit},
    sass,
    scene::{Scene, Setting, Tier, play},
    visitor::Visitor,
};

const VISITORS: usize = 10_000;
const SASS: &str = "$wide: 40em;\n.crowd { max-width: $wide * 2; a { color: mix(red, blue); } }\n";

// More than one thread, so that who counts the held is not kept waiting by those who come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crowd_at_a_cold_file_over_three_pods_costs_one_job() -> Result<()> {
    allow_connections(VISITORS as u64 + 1_000)?;
    let setting = Setting { web_replicas: 3, ..Setting::default() };
    play("crowd", setting, async |scene| {
        let gates = scene.origin.put_slow("app", SASS);
        // As a load balancer sends them, whose targets are the pods themselves.
        let pods = scene.pods(Tier::Web).await?;
        let doors: Vec<Visitor> = pods.iter().map(|pod| scene.visitor_at(pod)).collect::<Result<_>>()?;
        let visits = doors.iter().cycle().take(VISITORS).map(|door| {
            let (address, host) = (door.address(), door.host().to_owned());
            tokio::spawn(async move { visit(address, &host, "/app.css").await })
        });
        let visits: Vec<_> = visits.collect();
        let held = open_slowly(scene, gates, VISITORS as u64).await;
        let seen = try_join_all(visits).await?.into_iter().collect::<Result<BTreeSet<_>>>()?;

        assert_eq!(held, VISITORS as u64, "so many waited at the same time");
        assert_eq!(seen, BTreeSet::from([(200, sass::compile(SASS)?)]));
        check_costs(scene).await
    })
    .await
}

/// One job, sent by one pod; one compile; one manifest.
async fn check_costs(scene: &Scene) -> Result<()> {
    let mut jobs_by_pod = Vec::new();
    for pod in scene.pods(Tier::Web).await? {
        let samples = scene.metrics_of(&pod).await?;
        let answered = samples.by_label("assets_web_answers_total", "status").remove("200").unwrap_or(0);
        ensure!(answered >= VISITORS as u64 / 3, "only {answered} of the crowd came to one pod");
        jobs_by_pod.push(samples.sum("assets_web_jobs_sent_total"));
    }
    jobs_by_pod.sort_unstable();
    assert_eq!(jobs_by_pod, [0, 0, 1]);
    let web = scene.metrics(Tier::Web).await?;
    let mut forwards = web.by_label("assets_web_forwards_total", "outcome");
    let answered = forwards.remove("answered").unwrap_or_default();
    // A pod that SNS tells first needs no answer of the owner.
    let needless = forwards.remove("needless").unwrap_or_default();
    assert_eq!((answered + needless, forwards), (2, BTreeMap::new()));
    let ends = scene.metrics(Tier::Worker).await?.by_label("assets_worker_jobs_total", "end");
    assert_eq!(ends, BTreeMap::from([("compiled".to_owned(), 1)]));
    let bucket = scene.bindings().await?.bucket.context("the status names no bucket")?;
    let s3 = s3_client(&scene.control.aws().await);
    let manifests = s3.list_objects_v2().bucket(bucket).prefix("a/").send().await?;
    assert_eq!(manifests.contents().len(), 1);
    Ok(())
}
