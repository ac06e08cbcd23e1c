//! Workers come when there is work and go when there is none; web pods are as many as somebody asks for.

use std::{future::pending, time::Duration};

use anyhow::{Context, Result, ensure};
use crds::{WorkerSpec, condition_type};
use futures::{StreamExt, future::try_join_all, pin_mut};
use k8s_openapi::api::{apps::v1::Deployment, autoscaling::v1::Scale, core::v1::Pod};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;
use tests::{
    patience::eventually,
    sass,
    scene::{PIPELINE, Scene, Setting, Tier, check_condition, play},
};

const FILES: usize = 8;
const MAX: i32 = 3;
const SCALED_WITHIN: Duration = Duration::from_secs(30);
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

/// As an autoscaler does, and `kubectl scale`.
#[tokio::test]
async fn web_tier_follows_the_scale_of_its_pipeline() -> Result<()> {
    play("scale", Setting::default(), async |scene| {
        let pipelines = scene.pipelines();
        let scale = pipelines.get_scale(PIPELINE).await?;
        let told = |scale: &Scale| Some((scale.spec.clone()?.replicas, Some(scale.status.clone()?.replicas)));
        assert_eq!(told(&scale), Some((Some(1), Some(1))));
        let selector = scale.status.and_then(|status| status.selector).context("it tells no selector")?;
        let pods: Api<Pod> = scene.control.api(&scene.namespace);
        let selected = pods.list(&ListParams::default().labels(&selector)).await?.items;
        assert_eq!(selected, scene.pods(Tier::Web).await?);

        let two = Patch::Merge(json!({"spec": {"replicas": 2}}));
        pipelines.patch_scale(PIPELINE, &PatchParams::default(), &two).await?;
        eventually(SCALED_WITHIN, "the second web pod", async || {
            let now = pipelines.get_scale(PIPELINE).await?;
            ensure!(
                now.status.is_some_and(|status| status.replicas == 2),
                "the status tells of another number"
            );
            check_condition(&scene.pipeline().await?, condition_type::WEB_AVAILABLE)?;
            let ready = scene.deployment(Tier::Web).await?.status.and_then(|status| status.ready_replicas);
            ensure!(ready == Some(2), "{ready:?} are ready");
            Ok(())
        })
        .await
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
