//! A node, which is a zone here, that loses its power, and gets it back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cluster::{Cluster, Node, Options, command::capture, progress::Progress};
use tests::{
    lost_zone::{SERVED_WITHIN, lose_a_zone, setting},
    scene::play,
};
use tokio::sync::Mutex;

/// The grace period of 10 s, and some.
const NOTICED_WITHIN: Duration = Duration::from_secs(25);
/// As the pipeline's `spec.web.holdSeconds` has it.
const HOLD: Duration = Duration::from_secs(25);
const BACK_WITHIN: Duration = Duration::from_mins(1);

/// One test at a time loses a node.
static NODES: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: waits until a zone is lost, replaced and back, two minutes"]
async fn lost_zone_costs_a_retry_and_after_half_a_minute_nothing() -> Result<()> {
    let _nodes = NODES.lock().await;
    play("zone", setting(), async |scene| {
        let lost = lose_a_zone(scene, Options::default().node_grace).await?;
        println!("{lost:#?}");
        // All after the loss, and all of it within the limits that it was waited for.
        ensure!(lost.retried > 0, "nobody felt the loss");
        ensure!(lost.longest <= SERVED_WITHIN, "a visitor who tried again waited {:?}", lost.longest);
        ensure!(lost.held > 0 && lost.held_longest <= HOLD, "held visitors waited {:?}", lost.held_longest);
        assert_eq!(lost.settled_failures, Vec::<String>::new(), "of {} requests", lost.settled);
        assert_eq!(lost.late_failures, Vec::<String>::new());
        Ok(())
    })
    .await
}

#[test]
#[ignore = "long: waits until a lost node is noticed and back, half a minute"]
fn a_lost_node_is_noticed_and_comes_back() -> Result<()> {
    let _nodes = NODES.blocking_lock();
    let cluster = Cluster::connect()?;
    let node = Node::named("node-c").context("no such node")?;
    cluster.stop_node(node)?;
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
