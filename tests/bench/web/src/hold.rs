//! `cargo xtask bench hold`: what a visitor who waits costs in memory, beside a bare hyper handler that sleeps.
//!
//! Each run has a server process of its own. Its resident memory is read while a few visitors wait and
//! again while all do; the difference, over the visitors who came between, is what one costs. What the
//! kernel keeps for a connection is in neither.

mod crowd;
mod servers;

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context, bail};
use bench_report::{Part, Spread, load_average, machine, verdict, write};
pub(crate) use servers::{bare, ours};

use self::crowd::Crowd;
use crate::processes::Server;

/// Visitors who wait, at the end of a run.
const ALL: usize = 10_000;
/// Those of them who come before memory is first read: what every process takes once is then taken.
const FIRST: usize = 500;
/// Files that a process has open beside its visitors' connections, at the most.
const OWN_FILES: usize = 200;
/// How many times a sleeping handler's memory a held visitor may take.
const BOUND: f64 = 1.2;

/// How long a measurement is.
pub(crate) struct Plan {
    runs: usize,
    writes_results: bool,
}

/// Two servers, seven runs: a minute.
pub(crate) const FULL: Plan = Plan { runs: 7, writes_results: true };
pub(crate) const QUICK: Plan = Plan { runs: 3, writes_results: false };

/// Who holds the visitors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    Ours,
    Bare,
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Ours => "web tier",
            Self::Bare => "bare hyper",
        }
    }

    fn command(self) -> &'static str {
        match self {
            Self::Ours => "hold-ours",
            Self::Bare => "hold-bare",
        }
    }
}

/// Measures, prints, and writes; fails where the figure is missed.
pub(crate) fn run(plan: &Plan, checkout: &Path) -> anyhow::Result<ExitCode> {
    servers::allow_open_files(ALL + OWN_FILES)?;
    let mut peers = [(Peer::Ours, Vec::new()), (Peer::Bare, Vec::new())];
    let mut load = Vec::new();
    for round in 0..plan.runs {
        peers.rotate_left(1);
        for (peer, bytes) in &mut peers {
            let each = bytes_of_each(*peer)?;
            println!("round {}: {:<10} {each:>6.0} bytes", round + 1, peer.name());
            bytes.push(each);
        }
        load.push(load_average()?);
    }
    let of = |wanted: Peer| {
        let (_, bytes) = peers.iter().find(|(peer, _)| *peer == wanted).context("a peer is missing")?;
        Spread::of(bytes.clone()).context("nothing was measured")
    };
    let (ours, bare) = (of(Peer::Ours)?, of(Peer::Bare)?);
    let ratio = ours.median / bare.median;
    let text = table(ours, bare, Spread::of(load).context("nothing was measured")?, ratio);
    println!("\n{text}");
    if plan.writes_results {
        write(checkout, Part::Hold, &text)?;
    } else {
        println!("a quick run: a direction only, nothing is written");
    }
    Ok(if ratio <= BOUND { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn table(ours: Spread, bare: Spread, load: Spread, ratio: f64) -> String {
    let lines: String = [(Peer::Ours, ours), (Peer::Bare, bare)]
        .map(|(peer, bytes)| format!("| {} | {} |\n", peer.name(), bytes.show(1.0, 0)))
        .concat();
    let verdict = verdict(ratio <= BOUND);
    format!(
        "Machine: {}. Load while measuring: {}.\n\n| server | bytes for each visitor who waits |\n|---|--:|\n\
         {lines}\nMedian (least to most) of {} interleaved runs, each in a process of its own.\n\n\
         | figure | is | must be | |\n|---|--:|--:|---|\n\
         | bytes for each visitor who waits, to bare hyper's | {ratio:.2} | ≤ {BOUND:.2} | {verdict} |\n",
        machine(),
        load.show(1.0, 1),
        ours.runs,
    )
}

fn bytes_of_each(peer: Peer) -> anyhow::Result<f64> {
    let mut server = Server::start_own(&[peer.command()])?;
    let mut crowd = Crowd::default();
    crowd.join(server.address, FIRST)?;
    server.await_word(&FIRST.to_string())?;
    let before = resident_bytes(server.id())?;
    crowd.join(server.address, ALL - FIRST)?;
    server.await_word(&ALL.to_string())?;
    let after = resident_bytes(server.id())?;
    crowd.check_silence()?;
    #[expect(clippy::cast_precision_loss, reason = "bytes of one process are far below 2^52")]
    Ok((after as f64 - before as f64) / (ALL - FIRST) as f64)
}

/// Exactly, where `VmRSS` lags behind by what each thread has not yet added to it.
fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let text =
        fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("cannot read a server's memory")?;
    let Some(line) = text.lines().find_map(|line| line.strip_prefix("Rss:")) else {
        bail!("the kernel tells no resident memory");
    };
    let kilobytes: u64 =
        line.trim().trim_end_matches(" kB").parse().context("resident memory is no number")?;
    Ok(kilobytes << 10)
}
