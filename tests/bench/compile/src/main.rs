//! `cargo xtask bench compile`: what compiling costs: CPU beside a warm reference compiler, what the child adds to
//! the engine's own time, what an origin's distance adds, and what a tenant feels of another one's hostile Sass.
//!
//! Owns the measuring and what is written about it; deliberately not here: fetching npm packages, and
//! building (`xtask`). This program is also the child that it measures,
//! and an origin.

mod child;
mod cpu;
mod far;
mod material;
mod neighbour;
mod serial;
mod server;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use bench_report::{Part, Spread, load_average, machine, write};
use clap::{Parser, ValueEnum};

#[derive(Parser)]
#[command(name = "bench_compile", about = "Measures what compiling costs")]
struct Arguments {
    /// Fewer runs: a direction, and no results written
    #[arg(long)]
    quick: bool,
    /// Nothing else
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// CPU for jobs of this code base alone; writes no results
    #[arg(long)]
    code_base: Option<String>,
    /// The checkout
    #[arg(long)]
    checkout: PathBuf,
    /// Measure nothing: be profiled at work, by `cargo xtask profile`
    #[arg(long, hide = true)]
    train: bool,
    /// Be the origin of the code bases, until stdin ends
    #[arg(long, hide = true)]
    origin: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    Child,
    Far,
    Cpu,
    Neighbour,
}

/// How much is measured.
struct Plan {
    child: child::Plan,
    far_runs: usize,
    cpu: cpu::Plan,
    neighbour: neighbour::Plan,
}

const FULL: Plan =
    Plan { child: child::FULL, far_runs: far::FULL, cpu: cpu::FULL, neighbour: neighbour::FULL };
const QUICK: Plan =
    Plan { child: child::QUICK, far_runs: far::QUICK, cpu: cpu::QUICK, neighbour: neighbour::QUICK };

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
    let checkout = &arguments.checkout;
    if arguments.origin {
        cpu::serve(checkout).await?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.train {
        cpu::train(checkout).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let plan = if arguments.quick { &QUICK } else { &FULL };
    let is_wanted = |part| arguments.only.is_none_or(|only| only == part);
    let mut is_reached = true;
    let mut before = load_average()?;
    let mut note = |part, table: &str, reached: bool| {
        let load = vec![before, load_average()?];
        before = load_average()?;
        is_reached &= reached;
        report(arguments, part, load, table)
    };
    if is_wanted(Only::Child) {
        let added = child::measure(&plan.child, checkout).await?;
        note(Part::Child, &added.table(), added.is_reached())?;
    }
    if is_wanted(Only::Far) {
        let distance = far::measure(plan.far_runs, checkout).await?;
        note(Part::Far, &distance.table(), distance.is_reached())?;
    }
    if is_wanted(Only::Cpu) {
        let cost = cpu::measure(&plan.cpu, checkout, arguments.code_base.as_deref()).await?;
        note(Part::Cpu, &cost.table(), cost.is_reached())?;
    }
    if is_wanted(Only::Neighbour) {
        let neighbour = neighbour::measure(&plan.neighbour, checkout).await?;
        note(Part::Neighbour, &neighbour.table(), neighbour.is_reached())?;
    }
    Ok(if is_reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(arguments: &Arguments, part: Part, load: Vec<f64>, table: &str) -> anyhow::Result<()> {
    let load = Spread::of(load).context("no load was noted")?;
    let text = format!("Machine: {}. Load while measuring: {}.\n\n{table}", machine(), load.show(1.0, 1));
    println!("{text}");
    if arguments.quick || arguments.code_base.is_some() {
        println!("a part of a run: a direction only, nothing is written");
        return Ok(());
    }
    write(&arguments.checkout, part, &text)
}
