//! `cargo xtask bench`: measurements beside peers, with everything they need. What is measured, and how, is
//! each bench's own business, in `tests/bench`.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use cluster::command::logged;
use cluster::packages::{self, BENCH_WEB};
use cluster::progress::Progress;
use cluster::{Cache, Cluster, Options};
use xtask::aws::Access;
use xtask::cargo::cargo;
use xtask::{npm, profile};

use crate::up;

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
    /// Compiling: CPU beside a warm reference compiler, what the child and an origin's distance add, and what a
    /// tenant feels of another one's hostile Sass
    Compile(Length),
    /// Visitors of a pipeline on the local cluster: restarts of the web tier, and lost notices
    Fleet(Length),
    /// A zone of the local cluster that loses its power, by the local and by Kubernetes' own grace period
    Zone(Length),
    /// The operator with ten thousand pipelines on an API server of its own: memory, creation, idle writes, calls of AWS
    Operator(Length),
}

#[derive(clap::Args)]
struct Length {
    /// Fewer and shorter runs: a direction, and no results written
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(cache: Cache, arguments: &Arguments) -> Result<ExitCode> {
    let progress = Progress::start();
    match &arguments.bench {
        Bench::Serve(length) => measure_web(&cache, "serve", length, &progress),
        Bench::Hold(length) => measure_web(&cache, "hold", length, &progress),
        Bench::Compile(length) => {
            npm::ensure(&npm::EXAMPLE, &cache, &progress)?;
            npm::ensure(&npm::CORPUS, &cache, &progress)?;
            // The worker as it ships.
            let mut build = profile::build(&cache, &profile::worker_flags(&cache)?)?;
            build.args(["--package", "bench_compile"]);
            let program = profile::built(&cache)?.join("bench_compile");
            measure(&cache, build, &program, &[], length, &progress)
        }
        Bench::Fleet(length) => measure_cluster(cache, "fleet", length, &progress),
        Bench::Zone(length) => measure_cluster(cache, "zone", length, &progress),
        Bench::Operator(length) => {
            let mut build = cargo(&cache)?;
            // The operator's own program lies beside the bench's, which starts it.
            build.args([
                "build",
                "--locked",
                "--release",
                "--package",
                "operator",
                "--package",
                "bench_operator",
            ]);
            let program = cache.cargo_target().join("release/bench_operator");
            measure(&cache, build, &program, &[], length, &progress)
        }
    }
}

fn measure_cluster(cache: Cache, name: &str, length: &Length, progress: &Progress) -> Result<ExitCode> {
    let cluster = Cluster::new(cache, Options::default());
    up::start_cluster(&cluster, progress)?;
    up::install_operator(&cluster, &Access::Emulator, progress)?;
    let mut build = cargo(&cluster.cache)?;
    build.args(["build", "--locked", "--package", "bench_fleet"]);
    let program = cluster.cache.cargo_target().join("debug/bench_fleet");
    measure(&cluster.cache, build, &program, &[name], length, progress)
}

fn measure_web(cache: &Cache, name: &str, length: &Length, progress: &Progress) -> Result<ExitCode> {
    packages::ensure(&BENCH_WEB, cache, progress)?;
    let mut build = cargo(cache)?;
    build.args(["build", "--locked", "--release", "--package", "bench_web"]);
    let program = cache.cargo_target().join("release/bench_web");
    measure(cache, build, &program, &[name], length, progress)
}

/// Builds the bench and runs it. It says itself what is missed, or what went wrong.
fn measure(
    cache: &Cache,
    mut build: Command,
    program: &Path,
    arguments: &[&str],
    length: &Length,
    progress: &Progress,
) -> Result<ExitCode> {
    progress.say("building the bench (minutes the first time, then kept)");
    logged(&mut build, &cache.root.join("log/build-bench.log"), "building the bench", progress)?;
    let mut bench = Command::new(program);
    bench.args(arguments).arg("--checkout").arg(&cache.checkout);
    if length.quick {
        bench.arg("--quick");
    }
    let status = bench.status().context("cannot start the bench")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
