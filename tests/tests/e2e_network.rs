//! The connections that a pipeline's pods make, and those that are made to them, beside the policies that the operator
//! has applied: the cluster's network enforces none.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use cluster::layout::{HOST_ADDRESS, MOTO_PORT};
use crds::{AssetPipelineSpec, NetworkPolicies, PURGE_ANNOTATION_PREFIX, WorkerSpec};
use futures::future::try_join_all;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use pipeline::env::{INTERNAL_PORT, OPERATION_PORT, PUBLIC_PORT};
use serde_json::json;
use tests::{
    control::OPERATOR_NAMESPACE,
    network::{
        Connection, End, Pod,
        connections::{self, Tracked},
        expected::{Site, check_is_stopped, check_passes, forbidden, tcp},
        watch::{Seen, Watch},
    },
    patience::eventually,
    sass,
    scene::{PIPELINE, Scene, Setting, play},
};
use url::Url;

/// So many that every web pod owns some, and is asked for some that it does not own.
const FILES: usize = 24;
const DNS_PORT: u16 = 53;
const PURGE: &str = "e2e";
/// Two rounds of the operator.
const DONE_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn policies_let_pass_every_connection_that_is_made_and_none_that_must_not_be() -> Result<()> {
    let worker = WorkerSpec { min_replicas: 1, max_replicas: 2, concurrency: 2, ..WorkerSpec::default() };
    let setting = Setting { web_replicas: 3, worker, ..Setting::default() };
    // No pod of the scene is there yet.
    let before = connections::read()?;
    play("network", setting, async |scene| {
        let seen = watch_work(scene, before).await?;
        let policies = Api::<NetworkPolicy>::all(scene.control.client.clone());
        let policies = policies.list(&ListParams::default()).await?.items;
        assert_eq!(own_policies(scene).await?, ["site-web", "site-worker"]);

        let made = seen.of(|pod| pod.namespace == scene.namespace);
        for connection in &made {
            check_passes(&policies, connection).context("a connection that was made")?;
        }
        check_kinds(scene, &made)?;
        let site = find_site(scene, &seen)?;
        for connection in forbidden(&site)?.iter().chain([&tcp_to_origin(scene, &site.web)?]) {
            check_is_stopped(&policies, connection)?;
        }
        println!("{} connections were judged", made.len());
        turn_off_and_on(scene).await
    })
    .await
}

/// Visits files, purges them, and visits them again.
async fn watch_work(scene: &Scene, before: BTreeSet<Tracked>) -> Result<Seen> {
    let watch = Watch::begin(scene.control.client.clone(), before);
    visit_all(scene).await?;
    let order = json!({"metadata": {"annotations": {format!("{PURGE_ANNOTATION_PREFIX}{PURGE}"): "{}"}}});
    scene.pipelines().patch(PIPELINE, &PatchParams::default(), &Patch::Merge(order)).await?;
    eventually(DONE_WITHIN, "the purge", async || {
        let status = scene.pipeline().await?.status.context("there is no status")?;
        let told = status.purges.into_iter().find(|told| told.id == PURGE).context("it is not told")?;
        ensure!(told.purged.is_some(), "it is {told:?}");
        Ok(())
    })
    .await?;
    visit_all(scene).await?;
    watch.end().await
}

async fn visit_all(scene: &Scene) -> Result<()> {
    let sass = |file: usize| format!(".file-{file} {{ width: 1px + {file}px; }}\n");
    for file in 0..FILES {
        scene.origin.put(&format!("/{file}.scss"), &sass(file));
    }
    let visits = (0..FILES).map(|file| async move {
        let answer = scene.visitor.get(&format!("/{file}.css")).await?;
        ensure!((answer.status, &answer.body) == (200, &sass::compile(&sass(file))?), "{answer:?}");
        Ok(())
    });
    try_join_all(visits).await.map(drop)
}

/// Who may be at one end.
#[derive(Debug, Clone, Copy)]
enum Who {
    Web,
    Worker,
    Operator,
    AnyPod,
    /// A node, or a program on it, such as the emulator, the origin and visitors.
    Machine,
}

impl Who {
    fn is(self, scene: &Scene, end: &End) -> bool {
        match (self, end) {
            (Self::Web, End::Pod(pod)) => is_of(scene, pod, "web"),
            (Self::Worker, End::Pod(pod)) => is_of(scene, pod, "worker"),
            (Self::Operator, End::Pod(pod)) => pod.namespace == OPERATOR_NAMESPACE,
            (Self::AnyPod, End::Pod(_)) | (Self::Machine, End::Outside(_)) => true,
            (Self::Web | Self::Worker | Self::Operator | Self::AnyPod, End::Outside(_))
            | (Self::Machine, End::Pod(_)) => false,
        }
    }
}

/// Everything that the policies are for was there.
fn check_kinds(scene: &Scene, made: &BTreeSet<Connection>) -> Result<()> {
    for (name, from, to, port) in [
        ("visits", Who::Machine, Who::Web, PUBLIC_PORT),
        ("probes of web pods", Who::Machine, Who::Web, OPERATION_PORT),
        ("probes of workers", Who::Machine, Who::Worker, OPERATION_PORT),
        ("waits at owners", Who::Web, Who::Web, INTERNAL_PORT),
        ("direct notices", Who::Worker, Who::Web, INTERNAL_PORT),
        ("hints of purges", Who::Operator, Who::Web, INTERNAL_PORT),
        ("fetches of sources", Who::Worker, Who::Machine, origin_port(scene)?),
        ("calls of AWS by web pods", Who::Web, Who::Machine, MOTO_PORT),
        ("calls of AWS by workers", Who::Worker, Who::Machine, MOTO_PORT),
        ("names asked by web pods", Who::Web, Who::AnyPod, DNS_PORT),
        ("names asked by workers", Who::Worker, Who::AnyPod, DNS_PORT),
    ] {
        let is_kind = |c: &&Connection| from.is(scene, &c.from) && to.is(scene, &c.to) && c.port == port;
        let count = made.iter().filter(is_kind).count();
        println!("{name}: {count} ways");
        let all: Vec<String> = made.iter().map(ToString::to_string).collect();
        ensure!(count > 0, "none of {name} was seen, but\n{}", all.join("\n"));
    }
    Ok(())
}

fn origin_port(scene: &Scene) -> Result<u16> {
    Url::parse(&scene.origin.url())?.port().context("the origin has no port")
}

fn is_of(scene: &Scene, pod: &Pod, tier: &str) -> bool {
    let label = pod.labels.get("app.kubernetes.io/component").map(String::as_str);
    pod.namespace == scene.namespace && label == Some(tier)
}

fn find_site(scene: &Scene, seen: &Seen) -> Result<Site> {
    let find = |tier: &str| {
        let found = seen.pods().find(|pod| is_of(scene, pod, tier));
        found.cloned().with_context(|| format!("there is no pod of {tier}"))
    };
    Ok(Site { web: find("web")?, worker: find("worker")? })
}

/// Workers alone ask origins.
fn tcp_to_origin(scene: &Scene, web: &Pod) -> Result<Connection> {
    Ok(tcp(web, End::Outside(HOST_ADDRESS.into()), origin_port(scene)?))
}

async fn turn_off_and_on(scene: &Scene) -> Result<()> {
    let spec = scene.pipeline().await?.spec;
    for (wanted, expected) in
        [(NetworkPolicies::None, &[][..]), (NetworkPolicies::Managed, &["site-web", "site-worker"])]
    {
        let changed = AssetPipelineSpec { network_policies: Some(wanted), ..spec.clone() };
        scene.change_spec(&changed).await?;
        eventually(DONE_WITHIN, &format!("policies to be {wanted:?}"), async || {
            let found = own_policies(scene).await?;
            ensure!(found == expected, "they are {found:?}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

async fn own_policies(scene: &Scene) -> Result<Vec<String>> {
    let policies = scene.control.api::<NetworkPolicy>(&scene.namespace).list(&ListParams::default()).await?;
    Ok(policies.iter().map(ResourceExt::name_any).collect())
}
