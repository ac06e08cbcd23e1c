//! A zone loses its power under load, and gets it back: what its visitors, and those of the other zones, feel.
//!
//! The zone is the one in which the only worker has all the jobs that visitors wait for, and a web pod that owns
//! some of their keys.

mod held;
mod load;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cluster::{Node, progress::Progress};
use crds::{WorkerSpec, condition_type};
use futures::future::try_join;
use k8s_openapi::api::core::v1::{Node as NodeObject, Pod};
use kube::Api;

use crate::{
    patience::eventually,
    scene::{Scene, Setting, Tier, check_condition, is_ready},
};

use held::Held;
use load::{Load, ask_all};

/// Who tries again meets the lost pod once more in a third of all cases, for a quarter of a second.
pub const SERVED_WITHIN: Duration = Duration::from_secs(5);

/// The zones with one web pod in each.
const EVEN: [(&str, i32); 3] = [("zone-a", 1), ("zone-b", 1), ("zone-c", 1)];
const SPREAD_WITHIN: Duration = Duration::from_mins(2);
/// Beside the grace period: the pods' toleration of 10 s, and a pod's start.
const REPLACED_WITHIN: Duration = Duration::from_secs(20);
/// Requests without a second try, once the zone is replaced.
const SETTLED_REQUESTS: usize = 1_000;
/// Before the zone is lost.
const LOAD_AHEAD: Duration = Duration::from_secs(2);

/// What came of it. Times count from the loss.
#[derive(Debug)]
pub struct LostZone {
    pub zone: &'static str,
    /// Until the control plane called the node lost.
    pub noticed: Duration,
    /// Until both tiers had all their pods ready in the other zones.
    pub replaced: Duration,
    /// When the last try of a visitor began that failed.
    pub last_failure: Duration,
    /// Visits from shortly before the loss until the zone was back, by visitors who try again at once.
    pub visits: usize,
    /// Those of them that needed another try.
    pub retried: usize,
    /// The most that one of them needed, and the longest that one took, all tries together.
    pub most_tries: usize,
    pub longest: Duration,
    /// Tries that began after the zone was replaced, its return included, and failed, in words.
    pub late_failures: Vec<String>,
    /// Requests without a second try that were made once the zone was replaced, and those that failed, in words.
    pub settled: usize,
    pub settled_failures: Vec<String>,
    /// Visitors of the other zones who waited for a file when the zone was lost, and the last one's answer.
    pub held: usize,
    pub held_longest: Duration,
    /// From the node's start until each zone had its web pod again.
    pub spread: Duration,
}

/// Three web pods in three zones, and one worker, though there could be more.
pub fn setting() -> Setting {
    let worker = WorkerSpec {
        min_replicas: 1,
        max_replicas: 3,
        concurrency: 4,
        backlog_per_replica: 100,
        scale_down_delay_seconds: 60,
        ..WorkerSpec::default()
    };
    Setting { web_replicas: 3, worker, ..Setting::default() }
}

/// After which all is as before for visitors, where the cluster misses a node after so long.
pub fn settles_after(grace: Duration) -> Duration {
    grace + REPLACED_WITHIN
}

/// Loses the worker's zone and starts it again. `grace`: see [`settles_after`].
pub async fn lose_a_zone(scene: &Scene, grace: Duration) -> Result<LostZone> {
    eventually(SPREAD_WITHIN, "one pod in each zone", async || check_even(scene).await).await?;
    let workers = scene.pods(Tier::Worker).await?;
    let worker = workers.iter().find(|pod| is_ready(pod)).context("there is no worker")?;
    let node = node_of(worker).and_then(Node::named).context("the worker is on no node")?;
    let load = Load::prepare(scene).await?;
    let act = async {
        tokio::time::sleep(LOAD_AHEAD).await;
        let acted = lose(scene, node, grace, &load).await;
        // However it went.
        load.end();
        acted
    };
    let (visits, (lost_at, lost)) = try_join(load.visit(scene), act).await?;
    let late = lost_at + settles_after(grace);
    let failures = visits.iter().flat_map(|visit| &visit.failures).filter(|(at, _)| *at >= lost_at);
    Ok(LostZone {
        last_failure: failures.clone().map(|(at, _)| *at - lost_at).max().unwrap_or_default(),
        late_failures: failures.filter(|(at, _)| *at >= late).map(|(_, words)| words.clone()).collect(),
        visits: visits.len(),
        retried: visits.iter().filter(|visit| visit.tries() > 1).count(),
        most_tries: visits.iter().map(load::Visit::tries).max().unwrap_or_default(),
        longest: visits.iter().map(|visit| visit.took).max().unwrap_or_default(),
        ..lost
    })
}

/// All but what the load tells.
async fn lose(scene: &Scene, node: Node, grace: Duration, load: &Load) -> Result<(Instant, LostZone)> {
    let held = Held::wait_for_files(scene, node).await?;
    let lost_at = Instant::now();
    in_background(scene, move |cluster| cluster.stop_node(node)).await?;
    let outage = async {
        let held = async { held.open().await };
        let seen = async {
            let noticed = wait_until_noticed(scene, node, lost_at, settles_after(grace)).await?;
            let replaced = wait_until_replaced(scene, node, lost_at, settles_after(grace)).await?;
            load.go_on();
            tokio::time::sleep_until((lost_at + settles_after(grace)).into()).await;
            let settled_failures = ask_all(scene, load, SETTLED_REQUESTS).await?;
            Ok((noticed, replaced, settled_failures))
        };
        try_join(held, seen).await
    }
    .await;
    let returned = Instant::now();
    in_background(scene, move |cluster| cluster.start_node(node, &Progress::start())).await?;
    let ((held, held_longest), (noticed, replaced, settled_failures)) = outage?;
    eventually(SPREAD_WITHIN, "one pod in each zone again", async || check_even(scene).await).await?;
    let lost = LostZone {
        zone: node.zone,
        noticed,
        replaced,
        settled: SETTLED_REQUESTS,
        settled_failures,
        held,
        held_longest,
        spread: returned.elapsed(),
        last_failure: Duration::ZERO,
        visits: 0,
        retried: 0,
        most_tries: 0,
        longest: Duration::ZERO,
        late_failures: Vec::new(),
    };
    Ok((lost_at, lost))
}

/// Visitors go on meanwhile.
async fn in_background(
    scene: &Scene,
    act: impl FnOnce(cluster::Cluster) -> Result<()> + Send + 'static,
) -> Result<()> {
    let cluster = scene.control.cluster.clone();
    tokio::task::spawn_blocking(move || act(cluster)).await?
}

/// Whether each zone has one ready web pod, and the pipeline says so.
async fn check_even(scene: &Scene) -> Result<()> {
    let pipeline = scene.pipeline().await?;
    let web = pipeline.status.as_ref().and_then(|status| status.web.as_ref());
    let zones = web.context("the status tells of no web pods")?.zones.iter();
    let told: Vec<_> = zones.map(|zone| (zone.name.as_str(), zone.ready_replicas)).collect();
    ensure!(told == EVEN, "ready are {told:?} and not {EVEN:?}");
    check_condition(&pipeline, condition_type::ZONES_SPREAD)
}

async fn wait_until_noticed(
    scene: &Scene,
    node: Node,
    lost_at: Instant,
    limit: Duration,
) -> Result<Duration> {
    let nodes: Api<NodeObject> = Api::all(scene.control.client.clone());
    eventually(limit, "the control plane to miss the node", async || {
        let conditions = nodes.get(node.name).await?.status.and_then(|status| status.conditions);
        let ready = conditions.into_iter().flatten().find(|condition| condition.type_ == "Ready");
        let ready = ready.map(|condition| condition.status);
        ensure!(ready.as_deref() == Some("Unknown"), "Ready is {ready:?}");
        Ok(lost_at.elapsed())
    })
    .await
}

async fn wait_until_replaced(
    scene: &Scene,
    node: Node,
    lost_at: Instant,
    limit: Duration,
) -> Result<Duration> {
    let elsewhere = async |tier| -> Result<usize> {
        let pods = scene.pods(tier).await?;
        Ok(pods.iter().filter(|pod| is_ready(pod) && node_of(pod) != Some(node.name)).count())
    };
    let left = (lost_at + limit).saturating_duration_since(Instant::now());
    eventually(left, "all pods in the other zones", async || {
        let (web, workers) = (elsewhere(Tier::Web).await?, elsewhere(Tier::Worker).await?);
        ensure!(web == 3 && workers >= 1, "{web} web pods and {workers} workers are ready elsewhere");
        Ok(lost_at.elapsed())
    })
    .await
}

/// The name of the node that a pod is on.
pub(crate) fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}
