//! A node that loses its power, and gets it back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cluster::{Cluster, Node, command::capture, progress::Progress};
use crds::condition_type;
use k8s_openapi::api::core::v1::Pod;
use tests::{
    patience::eventually,
    scene::{Setting, Tier, check_condition, is_ready, play},
};
use tokio::sync::Mutex;

/// The grace period of 10 s, and some.
const NOTICED_WITHIN: Duration = Duration::from_secs(25);
/// The grace period, 10 s of toleration, and a pod's start.
const REPLACED_WITHIN: Duration = Duration::from_secs(45);
const SPREAD_WITHIN: Duration = Duration::from_mins(2);
const BACK_WITHIN: Duration = Duration::from_mins(1);

/// One test at a time loses a node.
static NODES: Mutex<()> = Mutex::const_new(());

#[tokio::test]
#[ignore = "long: waits until a zone is lost, replaced and back, two minutes"]
async fn pods_of_a_lost_zone_come_elsewhere_and_go_back_when_it_returns() -> Result<()> {
    let _nodes = NODES.lock().await;
    let setting = Setting { web_replicas: 3, ..Setting::default() };
    play("zones", setting, async |scene| {
        let node = Node::named("node-c").context("no such node")?;
        let ready = async |expected: &[(&str, i32)]| -> Result<()> {
            let pipeline = scene.pipeline().await?;
            let web = pipeline.status.as_ref().and_then(|status| status.web.as_ref());
            let zones = web.context("the status tells of no web pods")?.zones.iter();
            let told: Vec<_> = zones.map(|zone| (zone.name.as_str(), zone.ready_replicas)).collect();
            ensure!(told == expected, "ready are {told:?} and not {expected:?}");
            check_condition(&pipeline, condition_type::ZONES_SPREAD)
        };
        let even = [("zone-a", 1), ("zone-b", 1), ("zone-c", 1)];
        eventually(SPREAD_WITHIN, "one pod in each zone", async || ready(&even).await).await?;

        scene.control.cluster.kill_node(node)?;
        let lost = eventually(REPLACED_WITHIN, "three ready pods in the other zones", async || {
            let deployment = scene.deployment(Tier::Web).await?;
            let count = deployment.status.and_then(|status| status.ready_replicas);
            let pods = scene.pods(Tier::Web).await?;
            let elsewhere =
                pods.iter().filter(|pod| is_ready(pod) && node_of(pod) != Some(node.name)).count();
            ensure!(count == Some(3) && elsewhere == 3, "{count:?} are ready, {elsewhere} of them elsewhere");
            Ok(())
        })
        .await;
        scene.control.cluster.start_node(node, &Progress::start())?;
        lost?;
        let returned = Instant::now();
        eventually(SPREAD_WITHIN, "one pod in each zone again", async || ready(&even).await).await?;
        println!("one pod in each zone {:.1} s after the node was started", returned.elapsed().as_secs_f64());
        Ok(())
    })
    .await
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

#[test]
#[ignore = "long: waits until a lost node is noticed and back, half a minute"]
fn a_lost_node_is_noticed_and_comes_back() -> Result<()> {
    let _nodes = NODES.blocking_lock();
    let cluster = Cluster::connect()?;
    let node = Node::named("node-c").context("no such node")?;
    cluster.kill_node(node)?;
    let noticed = wait_for(&cluster, node, "Unknown", NOTICED_WITHIN);
    cluster.start_node(node, &Progress::start())?;
    let took = noticed?;
    println!("noticed after {:.1} s", took.as_secs_f64());
    let back = wait_for(&cluster, node, "True", BACK_WITHIN)?;
    println!("ready again after {:.1} s", back.as_secs_f64());
    Ok(())
}

fn wait_for(cluster: &Cluster, node: Node, wanted: &str, limit: Duration) -> Result<Duration> {
    let started = Instant::now();
    let path = r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}"#;
    loop {
        let ready = capture(cluster.kubectl().args(["get", "node", node.name, "--output", path]))?;
        if ready == wanted {
            return Ok(started.elapsed());
        }
        ensure!(started.elapsed() < limit, "{} is Ready={ready}, not {wanted}", node.name);
        std::thread::sleep(Duration::from_millis(200));
    }
}
