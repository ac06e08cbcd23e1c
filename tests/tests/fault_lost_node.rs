//! A node that loses its power, and gets it back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cluster::command::capture;
use cluster::progress::Progress;
use cluster::{Cluster, Node};

/// The grace period of 10 s, and some.
const NOTICED_WITHIN: Duration = Duration::from_secs(25);
const BACK_WITHIN: Duration = Duration::from_mins(1);

#[test]
#[ignore = "long: waits until a lost node is noticed and back, half a minute"]
fn a_lost_node_is_noticed_and_comes_back() -> Result<()> {
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
