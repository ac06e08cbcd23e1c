//! `cargo xtask bench fleet`: visitors of a whole pipeline on the local cluster, while the web tier is
//! restarted again and again, and while every notice is lost. `bench zone`: while a zone loses its power.
//!
//! Owns how often, how long, and what is written about it. What is done on the cluster is the framework's
//! (`tests`); the cluster, the images and the operator are there already (`xtask`).

mod lost_notices;
mod lost_zone;
mod rollout;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use bench_report::{Part, Spread, load_average, machine, write};
use clap::Parser;

#[derive(Parser)]
#[command(name = "bench_fleet", about = "Measures the web tier on the local cluster")]
struct Arguments {
    #[arg(value_enum)]
    what: What,
    /// A tenth of the requests and one round: a direction, and no results
    #[arg(long)]
    quick: bool,
    /// The checkout
    #[arg(long)]
    checkout: PathBuf,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// Restarts of the web tier, and lost notices
    Fleet,
    /// A lost zone
    Zone,
}

/// How much is done.
struct Plan {
    /// Visitors who come while the web tier is restarted.
    requests: usize,
    /// Minutes with notices, and beside each of them one without.
    rounds: usize,
}

const FULL: Plan = Plan { requests: 100_000, rounds: 3 };
const QUICK: Plan = Plan { requests: 10_000, rounds: 1 };

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let measured = match arguments.what {
        What::Fleet => measure(&arguments).await,
        What::Zone => measure_zone(&arguments).await,
    };
    measured.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

async fn measure(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let plan = if arguments.quick { &QUICK } else { &FULL };
    let mut load = vec![load_average()?];
    let lost_notices = lost_notices::measure(plan.rounds, &mut load).await?;
    println!("\n{}", lost_notices.table());
    let rollout = rollout::measure(plan.requests).await?;
    load.push(load_average()?);
    println!("\n{}", rollout.table());
    let text = format!(
        "Machine: {}. Load while measuring: {}.\n\n{}\n{}",
        machine(),
        Spread::of(load).context("no load was noted")?.show(1.0, 1),
        lost_notices.table(),
        rollout.table()
    );
    if arguments.quick {
        println!("a quick run: a direction only, nothing is written");
    } else {
        write(&arguments.checkout, Part::Fleet, &text)?;
    }
    let is_reached = lost_notices.is_reached() && rollout.is_reached();
    Ok(if is_reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure_zone(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut load = vec![load_average()?];
    let graces = if arguments.quick { &lost_zone::GRACES[..1] } else { &lost_zone::GRACES[..] };
    let lost = lost_zone::measure(graces, &mut load).await?;
    println!("\n{}", lost.table());
    if arguments.quick {
        println!("a quick run: a direction only, nothing is written");
    } else {
        let load = Spread::of(load).context("no load was noted")?.show(1.0, 1);
        let text = format!("Machine: {}. Load while measuring: {load}.\n\n{}", machine(), lost.table());
        write(&arguments.checkout, Part::Zone, &text)?;
    }
    Ok(if lost.is_reached() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
