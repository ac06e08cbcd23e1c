//! `cargo xtask bench`: measurements beside peers, with everything they need. What is measured, and how, is
//! each bench's own business, in `tests/bench`.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use cluster::Cache;
use cluster::command::logged;
use cluster::packages::{self, BENCH_WEB};
use cluster::progress::Progress;

use crate::cargo::cargo;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(clap::Subcommand)]
enum Bench {
    /// Hits from memory, beside a bare hyper server and nginx
    Serve(Length),
    /// The memory of visitors who wait, beside a bare hyper handler that sleeps
    Hold(Length),
}

#[derive(clap::Args)]
struct Length {
    /// Fewer and shorter runs: a direction, and no results written
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(cache: &Cache, arguments: &Arguments) -> Result<ExitCode> {
    let (name, Length { quick }) = match &arguments.bench {
        Bench::Serve(length) => ("serve", length),
        Bench::Hold(length) => ("hold", length),
    };
    let progress = Progress::start();
    packages::ensure(&BENCH_WEB, cache, &progress)?;
    let mut build = cargo(cache)?;
    build.args(["build", "--locked", "--release", "--package", "bench_web"]);
    progress.say("building the web tier and its peers (minutes the first time, then kept)");
    logged(&mut build, &cache.root.join("log/build-bench.log"), "building the bench", &progress)?;
    let mut bench = Command::new(cache.cargo_target().join("release/bench_web"));
    bench.arg(name).arg("--checkout").arg(&cache.checkout);
    if *quick {
        bench.arg("--quick");
    }
    let status = bench.status().context("cannot start the bench")?;
    // It has said what is missed, or what went wrong.
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
