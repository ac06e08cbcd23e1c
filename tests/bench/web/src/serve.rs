//! `cargo xtask bench serve`: how fast a hit from memory is, beside what could be fastest.
//!
//! Three servers on core 0 give the same bodies with the same headers: the web tier itself on embedded
//! ports, hyper with nothing around it, and nginx. The client is on core 1. A run has rounds in which every
//! server has its turn, in changing order.

pub(crate) mod bare;
mod figures;
pub(crate) mod material;
mod nginx;
pub(crate) mod ours;
pub(crate) mod pace;
mod peers;
mod table;

use std::{
    path::Path,
    process::{Command, ExitCode, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use bench_report::{Part, Spread, load_average, write};

use self::{
    figures::{Figure, Measured, judge},
    material::{SIZES, Size},
    pace::Latency,
    peers::{PEERS, Peer, Peers},
};
use crate::{
    processes::{CLIENT_CORE, Server, pinned},
    site::HOST,
};

/// Where nginx's configuration lies in the checkout.
const CONFIG: &str = "tests/bench/web/nginx.conf";
const CONNECTIONS: usize = 64;
/// The share of a server's own peak at which its latency is looked at.
const SHARE: f64 = 0.7;
/// A client that could not ask this share of what was due has measured itself.
const KEPT: f64 = 0.99;
/// How often a pace is tried that could not be kept.
const TRIES: u32 = 8;
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// How long a run is.
pub(crate) struct Plan {
    /// Short and many: what else the machine does falls into few of them.
    rounds: usize,
    /// As fast as the client asks.
    peak_seconds: u32,
    /// At a constant rate.
    paced_seconds: u32,
    writes_results: bool,
}

/// Three sizes, three servers, 2 s and 21 rounds: about seven minutes.
pub(crate) const FULL: Plan = Plan { rounds: 21, peak_seconds: 1, paced_seconds: 1, writes_results: true };
pub(crate) const QUICK: Plan = Plan { rounds: 3, peak_seconds: 1, paced_seconds: 1, writes_results: false };

#[derive(Default)]
struct Runs {
    rate: Vec<f64>,
    busy: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

/// Measures, prints, and writes; fails where a figure is missed.
pub(crate) fn run(plan: &Plan, checkout: &Path) -> anyhow::Result<ExitCode> {
    let folder = tempfile::tempdir().context("cannot make a folder for the run")?;
    let peers = Peers::start(folder.path(), &checkout.join(CONFIG))?;
    println!("all servers give the same bodies, byte for byte, with the same headers");
    let mut load = Vec::new();
    let mut measured = Vec::new();
    for size in SIZES {
        measured.extend(measure_size(plan, &peers, size, &mut load)?);
    }
    // Hits that have been asked for for long are given in other ways than the first ones.
    peers.verify()?;
    let load = Spread::of(load).context("nothing was measured")?;
    let figures: Vec<_> = SIZES.into_iter().flat_map(|size| judge(size, &measured)).collect();
    let text = table::table(&measured, &figures, load);
    println!("\n{text}");
    if plan.writes_results {
        write(checkout, Part::Serve, &text)?;
    } else {
        println!("a quick run: a direction only, nothing is written");
    }
    let is_reached = figures.iter().all(Figure::is_reached);
    Ok(if is_reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure_size(
    plan: &Plan,
    peers: &Peers,
    size: Size,
    load: &mut Vec<f64>,
) -> anyhow::Result<Vec<Measured>> {
    let mut runs = PEERS.map(|peer| (peer, Runs::default()));
    for round in 0..plan.rounds {
        runs.rotate_left(1);
        for (peer, runs) in &mut runs {
            let (rate, busy) = throughput(peers.server(*peer, size)?, size, plan.peak_seconds)?;
            runs.rate.push(rate);
            runs.busy.push(busy);
            println!("{} KB, round {}: {:<10} {rate:>9.0}/s", size.kilobytes(), round + 1, peer.name());
        }
        load.push(load_average()?);
    }
    // At 70 % of the peak that all rounds together show, so that one lucky round does not set the rate.
    for round in 0..plan.rounds {
        runs.rotate_left(1);
        for (peer, runs) in &mut runs {
            let peak = Spread::of(runs.rate.clone()).context("no peak")?.median;
            let latency = latency(peers.server(*peer, size)?, size, peak * SHARE, plan.paced_seconds)?;
            runs.p50.push(latency.p50);
            runs.p99.push(latency.p99);
            let (name, p99) = (peer.name(), latency.p99);
            println!("{} KB, round {}: {name:<10} p99 {p99:>6.0} µs", size.kilobytes(), round + 1);
        }
        load.push(load_average()?);
    }
    runs.into_iter().map(|(peer, runs)| summarize(size, peer, runs)).collect()
}

fn summarize(size: Size, peer: Peer, runs: Runs) -> anyhow::Result<Measured> {
    let Runs { rate, busy, p50, p99 } = runs;
    let spread = |values| Spread::of(values).context("no runs");
    let rates = rate.clone();
    let (rate, busy, p50, p99) = (spread(rate)?, spread(busy)?, spread(p50)?, spread(p99)?);
    Ok(Measured { size, peer, rate, rates, busy, p50, p99 })
}

/// Answers in a second as fast as wrk asks, and the share of its core that the server used.
fn throughput(server: &Server, size: Size, seconds: u32) -> anyhow::Result<(f64, f64)> {
    let url = format!("http://{}{}", server.address, size.path());
    let mut wrk = pinned(CLIENT_CORE, "wrk");
    wrk.args(["-t", "1", "-c", &CONNECTIONS.to_string(), "-d", &format!("{seconds}s")]);
    wrk.args(["-H", &format!("Host: {HOST}"), "-H", "Accept-Encoding: gzip", &url]);
    let (used, started) = (server.cpu_seconds(), Instant::now());
    let text = output(&mut wrk)?;
    let busy = (server.cpu_seconds() - used) / started.elapsed().as_secs_f64();
    for trouble in ["Non-2xx", "Socket errors"] {
        ensure!(!text.contains(trouble), "wrk had trouble with {url}:\n{text}");
    }
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    Ok((rate.context("wrk told no rate")?.trim().parse()?, busy))
}

/// Latency at a constant rate. Where it could not be kept up, be it that the machine was taken away for a
/// while, it is tried again a little later.
fn latency(server: &Server, size: Size, rate: f64, seconds: u32) -> anyhow::Result<Latency> {
    for _ in 0..TRIES {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut client = pinned(CLIENT_CORE, program);
        client.args(["pace", &server.address.to_string(), HOST, &size.path()]);
        client.args([&rate.to_string(), &seconds.to_string(), &CONNECTIONS.to_string()]);
        let latency = Latency::from_line(output(&mut client)?.trim())?;
        if latency.kept >= KEPT {
            return Ok(latency);
        }
        println!("  only {:.1} % of what was due was answered; once more", latency.kept * 100.0);
        sleep(BETWEEN_TRIES);
    }
    bail!("the pace of {rate:.0}/s cannot be kept: is the machine busy with something else?")
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let program = command.get_args().nth(2).unwrap_or_default().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {program}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} failed:\n{text}{errors}");
    Ok(text)
}
