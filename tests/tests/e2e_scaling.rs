//! Workers come when there is work and go when there is none.

use std::{future::pending, time::Duration};

use anyhow::{Context, Result, ensure};
use crds::WorkerSpec;
use futures::{StreamExt, future::try_join_all, pin_mut};
use k8s_openapi::api::apps::v1::Deployment;
use kube::runtime::{WatchStreamExt, watcher};
use tests::{
    patience::eventually,
    sass,
    scene::{Scene, Setting, Tier, play},
};

const FILES: usize = 8;
const MAX: i32 = 3;
const LET_GO_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn workers_come_from_zero_never_pass_the_maximum_and_go_again() -> Result<()> {
    let worker = WorkerSpec {
        max_replicas: MAX,
        backlog_per_replica: 1,
        scale_down_delay_seconds: 3,
        ..WorkerSpec::default()
    };
    play("scaling", Setting { worker, ..Setting::default() }, async |scene| {
        assert_eq!(replicas(&scene.deployment(Tier::Worker).await?), 0);
        let mut seen = Vec::new();
        tokio::select! {
            done = work_and_rest(scene) => done?,
            disturbed = watch(scene, &mut seen) => disturbed?,
        }
        assert_eq!((seen.first(), seen.iter().max()), (Some(&0), Some(&MAX)), "{seen:?}");
        assert_eq!(scene.pods(Tier::Worker).await?, []);
        Ok(())
    })
    .await
}

async fn work_and_rest(scene: &Scene) -> Result<()> {
    let sass = |file: usize| format!(".file-{file} {{ width: 2px * {file}; }}\n");
    let visits = (0..FILES).map(|file| async move {
        scene.origin.put(&format!("/{file}.scss"), &sass(file));
        let answer = scene.visitor.get(&format!("/{file}.css")).await?;
        assert_eq!((answer.status, answer.body), (200, sass::compile(&sass(file))?));
        anyhow::Ok(())
    });
    try_join_all(visits).await?;
    eventually(LET_GO_WITHIN, "the workers to go", async || {
        let wanted = replicas(&scene.deployment(Tier::Worker).await?);
        let left = scene.pods(Tier::Worker).await?.len();
        ensure!(wanted == 0 && left == 0, "{wanted} are wanted, {left} are there");
        Ok(())
    })
    .await
}

/// Notes every number of replicas that the worker Deployment ever asks for.
async fn watch(scene: &Scene, seen: &mut Vec<i32>) -> Result<()> {
    let deployments = scene.control.api::<Deployment>(&scene.namespace);
    let name = format!("metadata.name={}", Tier::Worker.deployment());
    let changes = watcher(deployments, watcher::Config::default().fields(&name)).applied_objects();
    pin_mut!(changes);
    while let Some(deployment) = changes.next().await {
        seen.push(replicas(&deployment.context("the watch was disturbed")?));
    }
    pending().await
}

fn replicas(deployment: &Deployment) -> i32 {
    deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or_default()
}
