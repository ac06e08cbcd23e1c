//! `kubectl assets …`: what people do with a pipeline from their own machine.

mod cluster;
mod dev;
mod iam_policy;
mod purge;
mod site;
mod status;
mod why;

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
    /// Print the least that a role must be allowed on AWS, as an IAM policy
    IamPolicy(iam_policy::IamPolicyArguments),
    /// Have style sheets made anew before they are served again
    Purge(purge::PurgeArguments),
    /// Tell how a pipeline does, where its pods are, and what they wait for
    Status(status::StatusArguments),
    /// Tell what a style sheet's URL is made of, and why it is fresh or not
    Why(why::WhyArguments),
}

fn main() -> ExitCode {
    if let Some(code) = worker::child::run_if_child() {
        return code;
    }
    let Arguments { command } = Arguments::parse();
    telemetry::init("warn");
    let outcome = match command {
        Command::Dev(arguments) => dev::serve(arguments),
        Command::IamPolicy(arguments) => iam_policy::run(arguments),
        Command::Purge(arguments) => purge::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Why(arguments) => why::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
