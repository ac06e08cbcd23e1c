//! `cargo xtask down`: takes everything away and shows what is left, which should be nothing.

use std::process::ExitCode;

use anyhow::Result;
use cluster::lifecycle::Leftovers;
use cluster::progress::Progress;
use cluster::{Cache, Cluster, Options};

const OTHERS_SHOWN: usize = 5;

pub(crate) fn run(cache: Cache) -> Result<ExitCode> {
    let progress = Progress::start();
    let left = take_down(&Cluster::new(cache, Options::default()), &progress)?;
    Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
