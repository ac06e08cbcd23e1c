//! A pipeline beside others who write, too: an autoscaler on its web tier, a person who scales the workers by
//! hand, and a GitOps tool that applies the manifest again and again.

use std::{
    collections::BTreeSet,
    future::pending,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use cluster::{Cluster, command};
use crds::{AssetPipeline, FreshnessSpec, WorkerSpec};
use futures::{StreamExt, future::join_all, pin_mut};
use k8s_openapi::api::{
    apps::v1::Deployment,
    autoscaling::{v1::Scale, v2::HorizontalPodAutoscaler},
};
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams, PostParams},
    runtime::{WatchStreamExt, watcher},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tests::{
    metrics::Samples,
    patience::eventually,
    scene::{PIPELINE, Scene, Setting, Tier, play},
};
use tokio::time::{interval, sleep};

/// With visitors, without, with, and without again: ten minutes.
const PHASES: [(Visitors, Duration); 4] = [
    (Visitors::Many, Duration::from_secs(150)),
    (Visitors::None, Duration::from_secs(150)),
    (Visitors::Many, Duration::from_secs(150)),
    (Visitors::None, Duration::from_secs(150)),
];
/// Who come one after the other, each time on a connection of their own.
const LINES: usize = 12;
/// Between two visitors of a line. All of them take fewer ports in two minutes than there are: so long the kernel keeps
/// the port of a connection that has ended, and where kube-proxy has led it.
const PACE: Duration = Duration::from_millis(60);
const RESYNC: Duration = Duration::from_secs(5);
/// Between two times that the workers are scaled by hand.
const BY_HAND: Duration = Duration::from_secs(75);
/// The scaler looks once a second.
const BACK_WITHIN: Duration = Duration::from_secs(5);
const WORKERS: i32 = 1;
const WORKERS_BY_HAND: i32 = 3;
const SCALER: &str = "assetpipeline-scaler";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visitors {
    Many,
    None,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: an autoscaler, kubectl scale and a GitOps tool beside the operator, ten minutes"]
async fn autoscaler_person_and_gitops_tool_write_beside_the_operator_without_a_fight() -> Result<()> {
    // Nothing that comes into the queues by itself within the ten minutes.
    let freshness = FreshnessSpec { max_age_seconds: 3_600, ..FreshnessSpec::default() };
    let worker = WorkerSpec {
        min_replicas: WORKERS,
        max_replicas: 4,
        scale_down_delay_seconds: 5,
        ..WorkerSpec::default()
    };
    play("beside", Setting { worker, freshness, ..Setting::default() }, async |scene| {
        prepare(scene).await?;
        let applied_before = applied_deployments(&scene.control.cluster)?;
        let (mut pipeline, mut web, mut worker) = (Vec::new(), Vec::new(), Vec::new());
        let deployments = || scene.control.api::<Deployment>(&scene.namespace);
        let (web_name, worker_name) = (Tier::Web.deployment(), Tier::Worker.deployment());
        let mut scaled_by_hand = 0;
        tokio::select! {
            acted = act(scene, &mut scaled_by_hand) => acted?,
            disturbed = note(scene.pipelines(), PIPELINE, web_of, &mut pipeline) => disturbed?,
            disturbed = note(deployments(), &web_name, replicas_of, &mut web) => disturbed?,
            disturbed = note(deployments(), &worker_name, replicas_of, &mut worker) => disturbed?,
        }
        println!("asked for: pipeline {pipeline:?}, web {web:?}, workers {worker:?}");

        let changes = pipeline.len() - 1;
        ensure!(changes >= 2, "the autoscaler made {changes} changes only");
        assert_eq!(numbers(&web), numbers(&pipeline), "the web tier follows, and nobody takes anything back");
        let by_hand = std::iter::repeat_n([WORKERS_BY_HAND, WORKERS], scaled_by_hand).flatten();
        assert_eq!(numbers(&worker), std::iter::once(WORKERS).chain(by_hand).collect::<Vec<_>>());
        for (what, seen) in [("pipeline", &pipeline), ("web", &web), ("worker", &worker)] {
            let generations = seen.iter().map(|(generation, _)| *generation).collect::<BTreeSet<_>>();
            let written = generations.last().zip(generations.first()).map(|(last, first)| last - first);
            assert_eq!(written, Some(i64::try_from(seen.len() - 1)?), "{what}: all writes are seen changes");
        }
        let applied = applied_deployments(&scene.control.cluster)? - applied_before;
        assert_eq!(applied, (changes + scaled_by_hand) as u64, "one write for each change, and no other");
        check_owners(scene).await
    })
    .await
}

/// The manifest in the tool's hands, a file that all pods have, and the autoscaler.
async fn prepare(scene: &Scene) -> Result<()> {
    let manifest = manifest_of(&scene.pipeline().await?)?;
    resync(&scene.control.cluster, &manifest, Apply::ServerSide)?;
    resync(&scene.control.cluster, &manifest, Apply::ClientSide)?;
    scene.origin.put("/app.scss", ".app { width: 1px + 2px; }\n");
    let answer = scene.visitor.get("/app.css").await?;
    ensure!(answer.status == 200, "{answer:?}");
    let workers = || async {
        let workers = replicas_of(&scene.deployment(Tier::Worker).await?);
        ensure!(workers == WORKERS, "there are {workers} workers");
        Ok(())
    };
    eventually(Duration::from_secs(30), "the workers to rest", async || workers().await).await?;
    let autoscaler: HorizontalPodAutoscaler = serde_json::from_value(json!({
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "assetpipeline.dev/v1alpha1", "kind": "AssetPipeline", "name": PIPELINE},
            "minReplicas": 1, "maxReplicas": 3,
            "metrics": [{"type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "10m"}}}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 30}},
        },
    }))?;
    let autoscalers: Api<HorizontalPodAutoscaler> = scene.control.api(&scene.namespace);
    autoscalers.create(&PostParams::default(), &autoscaler).await?;
    Ok(())
}

async fn act(scene: &Scene, scaled_by_hand: &mut usize) -> Result<()> {
    tokio::select! {
        visited = visit(scene) => visited,
        ended = resync_for_ever(scene) => ended,
        ended = scale_by_hand(scene, scaled_by_hand) => ended,
    }?;
    // What the last of it has caused.
    sleep(BACK_WITHIN).await;
    Ok(())
}

async fn visit(scene: &Scene) -> Result<()> {
    for (visitors, duration) in PHASES {
        if visitors == Visitors::None {
            sleep(duration).await;
            continue;
        }
        let began = Instant::now();
        let lines = (0..LINES).map(async |_| {
            let mut failures = Vec::new();
            while began.elapsed() < duration {
                match scene.visitor.get("/app.css").await {
                    Ok(answer) if answer.status == 200 => {}
                    failed => failures.push(format!("{failed:?}")),
                }
                sleep(PACE).await;
            }
            failures
        });
        let failures: Vec<_> = join_all(lines).await.into_iter().flatten().collect();
        assert_eq!(failures, Vec::<String>::new(), "web pods came and went");
    }
    Ok(())
}

/// As Flux does, and as Argo CD does, in turn.
async fn resync_for_ever(scene: &Scene) -> Result<()> {
    let manifest = manifest_of(&scene.pipeline().await?)?;
    let mut rounds = interval(RESYNC);
    for how in [Apply::ServerSide, Apply::ClientSide].into_iter().cycle() {
        rounds.tick().await;
        let (cluster, manifest) = (scene.control.cluster.clone(), manifest.clone());
        tokio::task::spawn_blocking(move || resync(&cluster, &manifest, how)).await??;
    }
    pending().await
}

/// `kubectl scale`, and a look at how soon the scaler's number is back.
async fn scale_by_hand(scene: &Scene, scaled: &mut usize) -> Result<()> {
    let deployments: Api<Deployment> = scene.control.api(&scene.namespace);
    let name = Tier::Worker.deployment();
    loop {
        sleep(BY_HAND).await;
        let wish = Patch::Merge(json!({"spec": {"replicas": WORKERS_BY_HAND}}));
        let told: Scale = deployments.patch_scale(&name, &PatchParams::default(), &wish).await?;
        ensure!(told.spec.and_then(|spec| spec.replicas) == Some(WORKERS_BY_HAND), "it was not scaled");
        let began = Instant::now();
        eventually(BACK_WITHIN, "the scaler's number", async || {
            let replicas = replicas_of(&deployments.get(&name).await?);
            ensure!(replicas == WORKERS, "there are to be {replicas} workers");
            Ok(())
        })
        .await?;
        *scaled += 1;
        println!("the scaler's number was back after {:.1} s", began.elapsed().as_secs_f64());
    }
}

#[derive(Debug, Clone, Copy)]
enum Apply {
    ServerSide,
    ClientSide,
}

fn resync(cluster: &Cluster, manifest: &str, how: Apply) -> Result<()> {
    let mut kubectl = cluster.kubectl();
    kubectl.args(["apply", "--filename=-"]);
    if let Apply::ServerSide = how {
        kubectl.args(["--server-side", "--force-conflicts", "--field-manager=gitops"]);
    }
    command::feed(&mut kubectl, manifest).map(drop)
}

/// As one commits it where an autoscaler has the number of web pods.
fn manifest_of(pipeline: &AssetPipeline) -> Result<String> {
    let mut spec = serde_json::to_value(&pipeline.spec)?;
    let web = spec.get_mut("web").and_then(Value::as_object_mut);
    web.context("the spec has no web tier")?.remove("replicas");
    let namespace = pipeline.namespace().context("it has no namespace")?;
    let manifest = json!({
        "apiVersion": AssetPipeline::api_version(&()), "kind": AssetPipeline::kind(&()),
        "metadata": {"name": PIPELINE, "namespace": namespace}, "spec": spec,
    });
    Ok(manifest.to_string())
}

/// Notes every number of replicas that the object ever asks for, with the generation that it came with. A
/// generation that changes without it is noted, too.
async fn note<K>(
    objects: Api<K>,
    name: &str,
    replicas: impl Fn(&K) -> i32,
    seen: &mut Vec<(i64, i32)>,
) -> Result<()>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let changes = watcher(objects, config).applied_objects();
    pin_mut!(changes);
    while let Some(object) = changes.next().await {
        let object = object.context("the watch was disturbed")?;
        let now = (object.meta().generation.unwrap_or_default(), replicas(&object));
        if seen.last() != Some(&now) {
            seen.push(now);
        }
    }
    pending().await
}

fn numbers(seen: &[(i64, i32)]) -> Vec<i32> {
    seen.iter().map(|(_, replicas)| *replicas).collect()
}

fn web_of(pipeline: &AssetPipeline) -> i32 {
    pipeline.spec.web.replicas
}

fn replicas_of(deployment: &Deployment) -> i32 {
    deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or_default()
}

/// Server-side applies of Deployments that the API server has ever taken, those included that changed nothing.
/// Of all who write to this cluster only the operator and its scaler make them.
fn applied_deployments(cluster: &Cluster) -> Result<u64> {
    let told = command::capture(cluster.kubectl().args(["get", "--raw", "/metrics"]))?;
    let lines = told.lines().filter(|line| {
        ["apiserver_request_total{", "resource=\"deployments\"", "verb=\"APPLY\""]
            .iter()
            .all(|part| line.contains(part))
    });
    Ok(Samples::parse(&lines.collect::<Vec<_>>().join("\n")).sum("apiserver_request_total"))
}

/// The workers' number is the scaler's alone again, and the web tier's is not the manifest's.
async fn check_owners(scene: &Scene) -> Result<()> {
    let owners = |metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta, path: &str| {
        let entries = metadata.managed_fields.iter().flatten();
        let owning = entries
            .filter(|entry| entry.fields_v1.as_ref().is_some_and(|fields| fields.0.pointer(path).is_some()));
        owning.filter_map(|entry| entry.manager.clone()).collect::<BTreeSet<_>>()
    };
    let worker = scene.deployment(Tier::Worker).await?;
    let of_workers = owners(&worker.metadata, "/f:spec/f:replicas");
    assert_eq!(of_workers, BTreeSet::from([SCALER.to_owned()]));
    let pipeline = scene.pipeline().await?;
    let of_web = owners(&pipeline.metadata, "/f:spec/f:web/f:replicas");
    ensure!(!of_web.contains("gitops"), "the number of web pods belongs to {of_web:?}");
    Ok(())
}
