//! `cargo xtask down`: takes everything away and shows what is left, which should be nothing.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use cluster::command::capture;
use cluster::lifecycle::Leftovers;
use cluster::progress::Progress;
use cluster::{Aws, Cache, Cluster, Options, Target};
use xtask::example::{self, Example};

const OTHERS_SHOWN: usize = 5;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Of a cluster that works on the real AWS: leave there what its pipelines have, which only the operator removes
    #[arg(long)]
    leave_aws: bool,
}

pub(crate) fn run(cache: Cache, arguments: &Arguments) -> Result<ExitCode> {
    let progress = Progress::start();
    let cluster = Cluster::new(cache, Options::default());
    if cluster.aws()? == Some(Aws::Real) && !arguments.leave_aws {
        clear_aws(&cluster, &progress).context(
            "nothing was taken down, since only the operator can remove what pipelines have on the real AWS \
             (`cargo xtask down --leave-aws` leaves it there, where it goes on costing)",
        )?;
    }
    let left = take_down(&cluster, &progress)?;
    Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Has the operator remove what the example has on AWS. What a person has made there is a person's to delete.
fn clear_aws(cluster: &Cluster, progress: &Progress) -> Result<()> {
    let definition = "customresourcedefinition/assetpipelines.assetpipeline.dev";
    let mut find = cluster.kubectl();
    find.args(["get", "--ignore-not-found", "--output=name", definition]);
    if capture(&mut find)?.trim().is_empty() {
        return Ok(());
    }
    progress.say("removing what the example has on AWS");
    Example { target: &Target::Local(cluster.clone()), name: example::NAME }.delete_pipeline()?;
    let columns = "--output=custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name";
    let mut list = cluster.kubectl();
    list.args(["get", "assettenants,assetpipelines", "--all-namespaces", "--no-headers", columns]);
    let others = capture(&mut list)?;
    if !others.trim().is_empty() {
        bail!("delete these first:\n{others}");
    }
    Ok(())
}

/// Takes the cluster down, prints what is left, and answers how many things that are.
pub(crate) fn take_down(cluster: &Cluster, progress: &Progress) -> Result<usize> {
    match cluster.down(progress)? {
        Leftovers::NothingToTakeDown => {
            progress.say("nothing to take down");
            Ok(0)
        }
        Leftovers::NotCompared => {
            progress.say("all is down; not compared, since no record of the machine before `up` was found");
            Ok(0)
        }
        Leftovers::Compared(found) => {
            show_others(progress, &found.of_others);
            if found.left.is_empty() {
                progress.say("all is down, and nothing is left behind");
            } else {
                progress.say(format!("left behind ({}):", found.left.len()));
                for line in &found.left {
                    println!("  {line}");
                }
            }
            Ok(found.left.len())
        }
    }
}

fn show_others(progress: &Progress, others: &[String]) {
    if others.is_empty() {
        return;
    }
    progress.say(format!("other programs made {} processes and files meanwhile, such as:", others.len()));
    for line in others.iter().take(OTHERS_SHOWN) {
        println!("  {}", line.chars().take(120).collect::<String>());
    }
}
