//! The pod that owns a key is killed while visitors wait for it, there and elsewhere.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::WorkerSpec;
use futures::future::{join_all, try_join_all};
use k8s_openapi::api::core::v1::Pod;
use tests::{
    crowd::{allow_connections, open_slowly},
    patience::eventually,
    sass,
    scene::{Scene, Setting, Tier, play},
};
use tokio::time::sleep;

const SASS: &str = ".held { width: 1px + 2px; }\n";
const ELSEWHERE: usize = 1_000;
const AT_OWNER: usize = 20;
const SOON: Duration = Duration::from_secs(3);
/// After which a visitor asks again.
const RETRY: Duration = Duration::from_secs(3);

#[tokio::test]
async fn killed_owner_costs_one_more_job_and_no_answer() -> Result<()> {
    allow_connections(2 * ELSEWHERE as u64)?;
    let worker = WorkerSpec { min_replicas: 1, max_replicas: 1, concurrency: 4, ..WorkerSpec::default() };
    let setting = Setting { web_replicas: 3, worker, ..Setting::default() };
    play("owner", setting, async |scene| {
        let [first, second, third] = scene.origin.put_slow("app", SASS);
        let pods = scene.pods(Tier::Web).await?;
        let anybody = tokio::spawn({
            let visitor = scene.visitor.clone();
            async move { visitor.get("/app.css").await }
        });
        let owner = eventually(SOON, "the job", async || find_owner(scene, &pods).await).await?;
        let (owners, others): (Vec<&Pod>, Vec<&Pod>) =
            pods.iter().partition(|pod| pod.metadata.name == owner.metadata.name);

        let elsewhere = spawn_visits(scene, &others, ELSEWHERE)?;
        let at_owner = spawn_visits(scene, &owners, AT_OWNER)?;
        let wanted = (ELSEWHERE + AT_OWNER) as u64;
        let held = open_slowly(scene, [first, second], wanted + 1).await;
        ensure!(held >= wanted, "only {held} of {wanted} visitors were held");
        scene.crash(&owner)?;
        eventually(SOON, "the others to notice", async || {
            let mut lost = 0;
            for pod in &others {
                let forwards = scene.metrics_of(pod).await?.by_label("assets_web_forwards_total", "outcome");
                lost += forwards.get("lost").copied().unwrap_or_default();
            }
            ensure!(lost > 0, "nobody has");
            Ok(())
        })
        .await?;
        third.open();

        let css = sass::compile(SASS)?;
        for answer in elsewhere {
            let answer = answer.await??;
            assert_eq!((answer.status, &*answer.body), (200, &*css));
        }
        let mut jobs = 0;
        for pod in &others {
            jobs += scene.metrics_of(pod).await?.sum("assets_web_jobs_sent_total");
        }
        ensure!(jobs <= 1, "{jobs} more jobs were sent");
        let cut = join_all(at_owner).await;
        ensure!(cut.iter().all(|visit| matches!(visit, Ok(Err(_)))), "the killed pod answered somebody");
        sleep(RETRY).await;
        let retries = try_join_all((0..AT_OWNER).map(|_| scene.visitor.get("/app.css"))).await?;
        ensure!(retries.iter().all(|answer| answer.status == 200 && answer.body == css), "{retries:?}");
        // Whichever pod this one came to.
        drop(anybody.await);
        Ok(())
    })
    .await
}

type Visit = tokio::task::JoinHandle<Result<tests::visitor::Answer>>;

/// Visitors who come to these pods in turn.
fn spawn_visits(scene: &Scene, pods: &[&Pod], visitors: usize) -> Result<Vec<Visit>> {
    let mut visits = Vec::new();
    for pod in pods {
        let visitor = scene.visitor_at(pod)?;
        for _ in 0..visitors / pods.len() {
            let visitor = visitor.clone();
            visits.push(tokio::spawn(async move { visitor.get("/app.css").await }));
        }
    }
    Ok(visits)
}

/// The pod that has sent the job.
async fn find_owner(scene: &Scene, pods: &[Pod]) -> Result<Pod> {
    for pod in pods {
        if scene.metrics_of(pod).await?.sum("assets_web_jobs_sent_total") > 0 {
            return Ok(pod.clone());
        }
    }
    None.context("no pod has sent a job")
}
