//! `cargo xtask bench compile`: what compiling costs. So far, what the child adds to the engine's own time.
//!
//! Owns the measuring and what is written about it; deliberately not here: fetching npm packages, and
//! building (`xtask`). This program is also the child that it measures.

mod child;
mod material;

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
    let plan = if arguments.quick { &child::QUICK } else { &child::FULL };
    let mut load = vec![load_average()?];
    let added = child::measure(plan, &arguments.checkout).await?;
    load.push(load_average()?);
    let load = Spread::of(load).context("no load was noted")?;
    let text =
        format!("Machine: {}. Load while measuring: {}.\n\n{}", machine(), load.show(1.0, 1), added.table());
    println!("{text}");
    if arguments.quick {
        println!("a quick run: a direction only, nothing is written");
    } else {
        write(&arguments.checkout, Part::Child, &text)?;
    }
    Ok(if added.is_reached() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
