//! The web tier measured beside its peers: what a hit costs in time (`serve`), and what a visitor who waits
//! costs in memory (`hold`).
//!
//! Owns the measuring and what is written about it; deliberately not here: installing nginx and wrk, and
//! building (`xtask`).

mod hold;
mod processes;
mod serve;
mod site;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use serve::{bare, material::Size, ours, pace};

#[derive(Parser)]
#[command(name = "bench_web", about = "Measures the web tier beside its peers")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure hits from memory beside bare hyper and nginx
    Serve(Run),
    /// Measure the memory of visitors who wait beside a bare hyper handler that sleeps
    Hold(Run),
    /// Serve as the web tier does, and print the address
    ServeOurs,
    /// Serve one body with the headers of this file, and print the address
    ServeBare { body: Size, headers: PathBuf },
    /// Ask at a constant rate, and print what came of it
    Pace(pace::Pace),
    /// Hold visitors as the web tier does; print the address, and then how many are held
    HoldOurs,
    /// Hold visitors in handlers that sleep; print the address, and then how many are held
    HoldBare,
}

/// A measurement, whose results are written to the checkout unless it is quick.
#[derive(Args)]
struct Run {
    /// Fewer and shorter runs: a direction, and no results
    #[arg(long)]
    quick: bool,
    /// The checkout
    #[arg(long)]
    checkout: PathBuf,
}

fn main() -> ExitCode {
    let done = |()| ExitCode::SUCCESS;
    let outcome = match Arguments::parse().command {
        Command::Serve(Run { quick, checkout }) => {
            serve::run(if quick { &serve::QUICK } else { &serve::FULL }, &checkout)
        }
        Command::Hold(Run { quick, checkout }) => {
            hold::run(if quick { &hold::QUICK } else { &hold::FULL }, &checkout)
        }
        Command::ServeOurs => ours::run().map(done),
        Command::ServeBare { body, headers } => bare::run(body, &headers).map(done),
        Command::Pace(pace) => pace::keep(&pace).map(|latency| {
            println!("{}", latency.to_line());
            ExitCode::SUCCESS
        }),
        Command::HoldOurs => hold::ours().map(done),
        Command::HoldBare => hold::bare().map(done),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
