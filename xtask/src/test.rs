//! `cargo xtask test`: all set-up, every check, every test, and a summary as the last line.

mod report;
mod run;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use cluster::command::{capture, output};
use cluster::packages::{self, BROWSER, NEEDED, PUSHING, REGISTRY};
use cluster::progress::Progress;
use cluster::{Cache, Cluster, Options, moto};
use xtask::aws::Access;
use xtask::cargo::{cargo, ensure_cargo_deny};
use xtask::{earlier, npm};

use crate::test::report::Report;
use crate::{down, generate, up};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Also run the tests that are marked long
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(cache: Cache, arguments: &Arguments) -> ExitCode {
    let progress = Progress::start();
    let mut report = Report::default();
    let cluster = Cluster::new(cache, Options::default());
    // Without its tools nothing else says anything useful.
    if report.check("set-up", &progress, || prepare(&cluster.cache, &progress)) {
        check_sources(&cluster.cache, &mut report, &progress);
        test_crates(&cluster.cache, arguments, &mut report, &progress);
        test_cluster(&cluster, arguments, &mut report, &progress);
    }
    report.print();
    if report.is_green() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Tools and packages that several steps need.
fn prepare(cache: &Cache, progress: &Progress) -> Result<()> {
    for (component, command) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !output(cargo(cache)?.args([command, "--version"]))?.status.success() {
            bail!("{component} is missing: run `rustup component add {component}`");
        }
    }
    for packages in [&NEEDED[..], &BROWSER, &PUSHING, &REGISTRY] {
        packages::ensure(packages, cache, progress)?;
    }
    for site in [&npm::EXAMPLE, &npm::CORPUS] {
        npm::ensure(site, cache, progress)?;
    }
    moto::ensure_installed(cache, progress).map(drop)
}

fn check_sources(cache: &Cache, report: &mut Report, progress: &Progress) {
    report
        .check("cargo fmt --check", progress, || run::shown(cargo(cache)?.args(["fmt", "--all", "--check"])));
    report.check("cargo clippy", progress, || {
        let mut clippy = cargo(cache)?;
        clippy.args([
            "clippy",
            "--locked",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]);
        run::shown(&mut clippy)
    });
    report.check("cargo doc", progress, || {
        let mut doc = cargo(cache)?;
        doc.args(["doc", "--locked", "--quiet", "--workspace", "--no-deps"]);
        run::shown(doc.env("RUSTDOCFLAGS", "-D warnings"))
    });
    report.check("cargo xtask generate --check", progress, || generate::check(cache));
    report.check("cargo deny check", progress, || {
        let program = ensure_cargo_deny(cache, progress)?;
        let mut deny = std::process::Command::new(program);
        deny.current_dir(&cache.checkout).args(["--locked", "check", "bans", "licenses", "sources"]);
        capture(&mut deny).map(drop)
    });
}

fn test_crates(cache: &Cache, arguments: &Arguments, report: &mut Report, progress: &Progress) {
    report.tests("tests of the crates", progress, || {
        let mut tests = cargo(cache)?;
        tests.args(["test", "--locked", "--workspace", "--exclude", "tests", "--no-fail-fast"]);
        Ok(with_long(tests, arguments))
    });
    report.tests("Sass as the reference has it", progress, || {
        // Of the same build as the tests of the crates, whose worker has its engines optimised: a build for
        // release of its own would take many times what it saved.
        let mut corpus = cargo(cache)?;
        corpus.args(["test", "--locked", "--workspace", "--exclude", "tests", "--test", "corpus"]);
        corpus.args(["--", "--only", "auto"]);
        Ok(corpus)
    });
}

/// The suites on the cluster, which is taken down again unless it was there before.
fn test_cluster(cluster: &Cluster, arguments: &Arguments, report: &mut Report, progress: &Progress) {
    let existed = cluster.exists();
    let ready = report
        .check("start the cluster", progress, || up::start_cluster(cluster, progress).map(drop))
        && report.check("build the images and install the operator", progress, || {
            up::install_operator(cluster, &Access::Emulator, progress)
        });
    if ready && arguments.all {
        report.check("build the images of an earlier version", progress, || {
            earlier::build(&cluster.cache, progress).map(drop)
        });
    }
    if ready {
        report.tests("suites on the cluster", progress, || {
            let mut tests = cargo(&cluster.cache)?;
            tests.args(["test", "--locked", "--package", "tests", "--no-fail-fast"]);
            Ok(with_long(tests, arguments))
        });
    }
    if !existed {
        report.check("take the cluster down, leaving nothing", progress, || {
            let left = down::take_down(cluster, progress).context("cannot take the cluster down")?;
            if left > 0 {
                bail!("{left} things are left behind, listed above");
            }
            Ok(())
        });
    }
}

fn with_long(mut tests: std::process::Command, arguments: &Arguments) -> std::process::Command {
    if arguments.all {
        tests.args(["--", "--include-ignored"]);
    }
    tests
}
