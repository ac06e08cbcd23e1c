//! `cargo xtask node`: one node, which is one zone, of the local cluster is stopped hard and started again.

use std::process::ExitCode;

use anyhow::Result;
use cluster::layout::NODES;
use cluster::progress::Progress;
use cluster::{Cache, Cluster, Node, Options};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Drop every packet to and from its pods, then kill kubelet, containerd and all container processes
    Stop(Which),
    /// Start what does not run of it, and wait until it is ready
    Start(Which),
}

#[derive(clap::Args)]
struct Which {
    /// The node, by its own name or its zone's: node-b or zone-b
    #[arg(value_name = "NODE", value_parser = parse)]
    node: Node,
}

pub(crate) fn run(cache: Cache, arguments: &Arguments) -> Result<ExitCode> {
    let progress = Progress::start();
    let cluster = Cluster::new(cache, Options::default());
    match &arguments.action {
        Action::Stop(Which { node }) => {
            cluster.stop_node(*node)?;
            progress.say(format!("{} in {} is gone without a word", node.name, node.zone));
        }
        Action::Start(Which { node }) => {
            cluster.start_node(*node, &progress)?;
            let took = cluster.wait_for_node(*node, &progress)?.as_secs_f64();
            progress.say(format!("{} in {} is ready after {took:.1} s", node.name, node.zone));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn parse(name: &str) -> Result<Node, String> {
    let known = || NODES.map(|node| format!("{} ({})", node.name, node.zone)).join(", ");
    Node::named(name).ok_or_else(|| format!("there is no such node: there are {}", known()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_is_known_by_its_name_and_by_its_zone() {
        assert_eq!(parse("node-b").map(|node| node.zone), Ok("zone-b"));
        assert_eq!(parse("zone-b").map(|node| node.name), Ok("node-b"));
        let refusal = "there is no such node: there are node-a (zone-a), node-b (zone-b), node-c (zone-c)";
        assert_eq!(parse("zone-d"), Err(refusal.to_owned()));
    }
}
