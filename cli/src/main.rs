//! `kubectl assets …`: what people do with a pipeline from their own machine.

mod dev;
mod site;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use pipeline::telemetry;

/// Style sheets compiled on the first visit.
#[derive(Debug, Parser)]
#[command(name = "kubectl-assets", bin_name = "kubectl assets", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a folder's Sass through the whole pipeline, as one process
    Dev(dev::DevArguments),
}

fn main() -> ExitCode {
    if let Some(code) = worker::child::run_if_child() {
        return code;
    }
    let Arguments { command } = Arguments::parse();
    telemetry::init("warn");
    let outcome = match command {
        Command::Dev(arguments) => dev::serve(arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
