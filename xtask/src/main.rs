//! The project's commands: `cargo xtask up`, `down`, `node`, `test`, `images`, `profile`,
//! `generate`, `bench`, `simulate`.
//!
//! Owns the order of steps and what a person sees of them. The local cluster itself is the crate
//! `cluster`.

mod bench;
mod down;
mod generate;
mod lock;
mod node;
mod simulate;
mod test;
mod up;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use cluster::Cache;
use xtask::{images, profile};

#[derive(Parser)]
#[command(name = "xtask", about = "Builds, starts, tests and stops everything")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a local three-zone cluster and the example on it; repair what is missing. Or install operator and example
    /// on another cluster
    Up(up::Arguments),
    /// Take all of it down again and check that nothing is left
    Down(down::Arguments),
    /// Stop one node of the local cluster as a power cut would, or start it again
    Node(node::Arguments),
    /// Run every check and every test; the last line is `N passed, M failed`
    Test(test::Arguments),
    /// Build the images that changed
    Images(images::Arguments),
    /// Profile a worker at work, for the builds that ship
    Profile,
    /// Write the generated files
    Generate(generate::Arguments),
    /// Measure, and compare with what others reach
    Bench(bench::Arguments),
    /// Scale workers under a load in virtual time, beside KEDA, and draw it
    Simulate(simulate::Arguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let cache = Cache::locate()?;
    match command {
        Command::Up(arguments) => {
            let wanted = arguments.find_wanted()?;
            let _lock = lock::take(&cache)?;
            up::run(cache, wanted)
        }
        Command::Down(arguments) => {
            let _lock = lock::take(&cache)?;
            down::run(cache, &arguments)
        }
        Command::Node(arguments) => {
            let _lock = lock::take(&cache)?;
            node::run(cache, &arguments)
        }
        Command::Test(arguments) => {
            let _lock = lock::take(&cache)?;
            Ok(test::run(cache, &arguments))
        }
        Command::Images(arguments) => images::run(&cache, &arguments),
        Command::Profile => {
            let _lock = lock::take(&cache)?;
            profile::run(&cache)
        }
        Command::Generate(arguments) => generate::run(&cache, &arguments),
        Command::Bench(arguments) => {
            let _lock = lock::take(&cache)?;
            bench::run(cache, &arguments)
        }
        Command::Simulate(arguments) => simulate::run(&arguments),
    }
}
