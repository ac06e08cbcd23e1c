//! What goes wrong at tenants and with workers, as visitors see it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use axum::http::StatusCode;
use crds::WorkerSpec;
use futures::future::try_join;
use tests::{
    patience::eventually,
    sass,
    scene::{Scene, Setting, Tier, play},
    visitor::Answer,
};

const SASS: &str = ".ok { width: 1px + 2px; }\n";
const BROKEN: &str = ".broken { width: $nowhere; }\n";
/// The default hold.
const HOLD: Duration = Duration::from_secs(25);
/// With a worker at hand. A hang would last for the hold.
const AT_ONCE: Duration = Duration::from_secs(5);
/// Less than a worker's patience with an origin.
const DIES_WITHIN: Duration = Duration::from_secs(3);
/// The origin of a site in development is asked at every visit, yet once a second at the most.
const MENDED_FOR_DEVELOPERS_WITHIN: Duration = Duration::from_secs(3);
/// A failure is remembered for 5 s.
const MENDED_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test]
async fn visitor_of_a_killed_workers_job_gets_the_right_file_within_the_hold() -> Result<()> {
    play("killed", one_worker(), async |scene| {
        scene.origin.put("/app.scss", SASS);
        let gate = scene.origin.close_gate("/app.scss");
        let started = Instant::now();
        let visit = scene.visitor.get("/app.css");
        let kill = async {
            eventually(HOLD, "the worker to ask the origin", async || {
                let asked = scene.origin.asked("/app.scss");
                ensure!(asked.arrived > 0, "it was not asked");
                Ok(())
            })
            .await?;
            for worker in scene.pods(Tier::Worker).await? {
                scene.crash(&worker)?;
            }
            // Opened while the worker still lives, the gate would let it end its job.
            eventually(DIES_WITHIN, "the worker to die", async || {
                let asked = scene.origin.asked("/app.scss");
                ensure!(asked.abandoned > 0, "it still waits for the origin");
                Ok(())
            })
            .await?;
            gate.open();
            Ok(())
        };
        let (answer, ()) = try_join(visit, kill).await?;
        assert_eq!((answer.status, answer.body), (200, sass::compile(SASS)?));
        ensure!(started.elapsed() < HOLD, "it took {:?}", started.elapsed());
        assert_eq!(scene.origin.asked("/app.scss").arrived, 2, "one job, begun twice");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn compile_error_is_told_at_once_and_gone_when_the_source_is_mended() -> Result<()> {
    play("broken", one_worker(), async |scene| {
        warm_up(scene).await?;
        scene.origin.put("/app.scss", BROKEN);
        let told = at_once(scene.visitor.get("/app.css")).await?;
        assert_eq!((told.status, told.header("x-asset-error")), (422, "compile"));
        ensure!(told.body.contains("Undefined variable"), "{}", told.body);
        let shown = at_once(scene.developer.get("/app.css")).await?;
        assert_eq!((shown.status, shown.header("x-asset-error")), (200, "compile"));
        assert_eq!(shown.header("content-type"), "text/css; charset=utf-8");
        assert_eq!(shown.header("cache-control"), "no-store");
        ensure!(
            shown.body.contains("body::before {\n  content: \"Error: Undefined variable"),
            "{}",
            shown.body
        );

        scene.origin.put("/app.scss", SASS);
        for (within, visitor) in
            [(MENDED_FOR_DEVELOPERS_WITHIN, &scene.developer), (MENDED_WITHIN, &scene.visitor)]
        {
            eventually(within, "the mended file", async || {
                let mended = at_once(visitor.get("/app.css")).await?;
                ensure!(mended.status == 200 && mended.body == sass::compile(SASS)?, "it is {mended:?}");
                Ok(())
            })
            .await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn trouble_of_the_origin_has_its_own_status() -> Result<()> {
    play("origin", one_worker(), async |scene| {
        warm_up(scene).await?;
        let absent = at_once(scene.visitor.get("/absent.css")).await?;
        assert_eq!((absent.status, absent.header("x-asset-error")), (404, "source-not-found"));
        scene.origin.fail("/failing.scss", StatusCode::INTERNAL_SERVER_ERROR);
        let failing = at_once(scene.visitor.get("/failing.css")).await?;
        assert_eq!((failing.status, failing.header("x-asset-error")), (502, "origin-failed"));
        let gate = scene.origin.close_gate("/slow.scss");
        let slow = scene.visitor.get("/slow.css").await?;
        assert_eq!((slow.status, slow.header("x-asset-error")), (504, "origin-timed-out"));
        gate.open();
        Ok(())
    })
    .await
}

#[tokio::test]
async fn origin_in_a_network_that_the_pipeline_does_not_allow_is_never_asked() -> Result<()> {
    play("guard", one_worker(), async |scene| {
        let pipeline = scene.pipeline().await?;
        let mut spec = pipeline.spec;
        let tenant = spec.tenants.first_mut().context("the pipeline has no tenant")?;
        // The API server: pods reach it, tenants must not.
        "http://10.96.0.1:443".clone_into(&mut tenant.origin);
        scene.change_spec(&spec).await?;
        let refused = eventually(MENDED_WITHIN, "the registry to hold the new origin", async || {
            let answer = scene.visitor.get("/app.css").await?;
            ensure!(answer.body.contains("10.96.0.1"), "it is {answer:?}");
            Ok(answer)
        })
        .await?;
        assert_eq!((refused.status, refused.header("x-asset-error")), (502, "origin-failed"));
        ensure!(refused.body.contains("privateNetworks"), "{}", refused.body);
        Ok(())
    })
    .await
}

fn one_worker() -> Setting {
    let worker = WorkerSpec { min_replicas: 1, max_replicas: 1, ..WorkerSpec::default() };
    Setting { worker, ..Setting::default() }
}

/// Until the worker has compiled something.
async fn warm_up(scene: &Scene) -> Result<()> {
    scene.origin.put("/warm.scss", SASS);
    let answer = scene.visitor.get("/warm.css").await?;
    assert_eq!((answer.status, answer.body), (200, sass::compile(SASS)?));
    Ok(())
}

async fn at_once(visit: impl Future<Output = Result<Answer>>) -> Result<Answer> {
    let started = Instant::now();
    let answer = visit.await?;
    ensure!(started.elapsed() < AT_ONCE, "the answer {} took {:?}", answer.status, started.elapsed());
    Ok(answer)
}
