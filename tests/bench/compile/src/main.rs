//! `cargo xtask bench compile`: what compiling costs: what the child adds to the engine's own time,
//! and what an origin's distance adds.
//!
//! Owns the measuring and what is written about it; deliberately not here: fetching npm packages, and
//! building (`xtask`). This program is also the child that it measures.

mod child;
mod far;
mod material;
mod serial;
mod server;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use bench_report::{Part, Spread, load_average, machine, write};
use clap::Parser;

#[derive(Parser)]
#[command(name = "bench_compile", about = "Measures what compiling costs")]
struct Arguments {
    /// Fewer runs: a direction, and no results written
    #[arg(long)]
    quick: bool,
    /// The checkout
    #[arg(long)]
    checkout: PathBuf,
}

fn main() -> ExitCode {
    if let Some(code) = worker::child::run_if_child() {
        return code;
    }
    measure(&Arguments::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

#[tokio::main]
async fn measure(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (child_plan, far_runs) =
        if arguments.quick { (&child::QUICK, far::QUICK) } else { (&child::FULL, far::FULL) };
    let checkout = &arguments.checkout;
    let before = load_average()?;
    let added = child::measure(child_plan, checkout).await?;
    let between = load_average()?;
    report(arguments, Part::Child, vec![before, between], &added.table())?;
    let distance = far::measure(far_runs, checkout).await?;
    report(arguments, Part::Far, vec![between, load_average()?], &distance.table())?;
    let is_reached = added.is_reached() && distance.is_reached();
    Ok(if is_reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(arguments: &Arguments, part: Part, load: Vec<f64>, table: &str) -> anyhow::Result<()> {
    let load = Spread::of(load).context("no load was noted")?;
    let text = format!("Machine: {}. Load while measuring: {}.\n\n{table}", machine(), load.show(1.0, 1));
    println!("{text}");
    if arguments.quick {
        println!("a quick run: a direction only, nothing is written");
        return Ok(());
    }
    write(&arguments.checkout, part, &text)
}
