//! `cargo xtask bench operator`: the operator with many pipelines on a real API server and etcd, beside bare clients
//! that write, or keep, the same objects. What it costs in memory, in time, in writes while nothing happens, and in
//! calls of AWS.
//!
//! Owns the measuring and what is written about it. There are no kubelets and no controllers: the bench itself tells
//! that Deployments have their pods. AWS is in the bench's memory and counts its calls.

mod bare;
mod calls;
mod creation;
mod fleet;
mod idle;
mod in_memory;
mod memory;
mod on_moto;
mod programs;
mod table;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use bench_report::{Part, load_average, write};
use clap::{Args, Parser, Subcommand};
use cluster::{
    Cache,
    packages::{self, Package, Shown},
    progress::Progress,
};
use tests::control_plane::ControlPlane;

use self::{
    calls::CountedAws,
    creation::{Race, create},
    fleet::Fleet,
    memory::Memory,
    on_moto::compare,
    programs::{BareCache, Operator},
    table::Figures,
};

#[derive(Parser)]
#[command(name = "bench_operator", about = "Measures the operator with many pipelines beside bare clients")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Subcommand)]
enum Command {
    /// Keep the objects as the operator does, typed and pruned, and do nothing else
    Keep,
    /// Operate, with an AWS in this process's memory
    Operate(Box<operator::Options>),
}

#[derive(Args)]
struct Run {
    /// Fewer pipelines and less time: a direction, and no results
    #[arg(long)]
    quick: bool,
    /// Pipelines, in hundreds, where that is not what the length of the run says; no results are written then
    #[arg(long)]
    pipelines: Option<usize>,
    /// The checkout
    #[arg(long, default_value = ".")]
    checkout: PathBuf,
}

const ETCD: Package = Package { name: "etcd-server", shown_by: Shown::Program("etcd") };

/// How much is measured.
struct Plan {
    /// In all.
    pipelines: usize,
    /// Made in turns with the bare client, a batch each, on a control plane of their own.
    raced: usize,
    idle: Duration,
    /// Of the hundred on moto, and those beside them.
    small_idle: Duration,
    writes_results: bool,
}

/// Hours on two cores, most of them for making what is then measured.
const FULL: Plan = Plan {
    pipelines: 10_000,
    raced: 1_000,
    idle: Duration::from_mins(20),
    small_idle: Duration::from_mins(2),
    writes_results: true,
};
const QUICK: Plan = Plan {
    pipelines: 300,
    raced: 300,
    idle: Duration::from_mins(1),
    small_idle: Duration::from_mins(1),
    writes_results: false,
};

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { command, run } = Arguments::parse();
    let outcome = match command {
        Some(Command::Keep) => bare::keep().await.map(|()| ExitCode::SUCCESS),
        Some(Command::Operate(options)) => in_memory::operate(*options).await.map(|()| ExitCode::SUCCESS),
        None => measure(&run).await,
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Measures, prints, and writes; fails where a figure is missed.
async fn measure(run: &Run) -> anyhow::Result<ExitCode> {
    let plan = plan_of(run);
    let progress = Progress::start();
    packages::ensure(&[ETCD], &Cache::locate()?, &progress)?;
    let races = race(plan.raced, &progress).await?;
    let small = compare(plan.small_idle, &progress).await?;
    let plane = ControlPlane::start_bare().await?;
    let aws = CountedAws::serve().await?;
    let fleet = Fleet::open(&plane).await?;

    // What each process takes before there is anything.
    let mut operator = Operator::start(&plane, &aws).await?;
    let keeper = BareCache::start(&plane)?;
    let empty = (operator.resident_bytes()?, keeper.resident_bytes_once_it_has(0)?);
    drop(keeper);

    for number in 0..fleet::batches(plan.pipelines) {
        fleet.create_batch(number).await?;
        fleet.settle_batch(number).await.with_context(|| format!("batch {number}"))?;
        progress.say(format!(
            "{} pipelines are ready, load {:.1}",
            (number + 1) * fleet::BATCH,
            load_average()?
        ));
    }

    operator.stop()?;
    operator = Operator::start(&plane, &aws).await?;
    operator.await_rounds(plan.pipelines, &progress)?;
    let keeper = BareCache::start(&plane)?;
    let objects = fleet.count_children().await?;
    let full = (operator.resident_bytes()?, keeper.resident_bytes_once_it_has(objects + plan.pipelines)?);
    drop(keeper);
    let memory = Memory::new(empty, full, plan.pipelines);
    progress.say(memory.to_string());

    let idle = idle::watch(&plane, &aws, &operator, plan.idle, plan.pipelines, &progress).await?;
    operator.stop()?;
    let figures = Figures { pipelines: plan.pipelines, small, races, memory, idle };
    let text = figures.table()?;
    println!("\n{text}");
    if plan.writes_results {
        write(&run.checkout, Part::Operator, &text)?;
    } else {
        println!("a quick run: a direction only, nothing is written");
    }
    Ok(if figures.are_reached()? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// With an AWS that takes no time, as the bare client has none.
async fn race(pipelines: usize, progress: &Progress) -> anyhow::Result<Vec<Race>> {
    let plane = ControlPlane::start_bare().await?;
    let fleet = Fleet::open(&plane).await?;
    let mut operator = Operator::start_in_memory(&plane).await?;
    let mut races = Vec::new();
    for number in 0..fleet::batches(pipelines) {
        let race = create(&fleet, number).await?;
        progress.say(race.to_string());
        races.push(race);
    }
    operator.stop()?;
    Ok(races)
}

fn plan_of(run: &Run) -> Plan {
    let plan = if run.quick { QUICK } else { FULL };
    match run.pipelines {
        Some(asked) => {
            let pipelines = fleet::batches(asked) * fleet::BATCH;
            Plan { pipelines, raced: plan.raced.min(pipelines), writes_results: false, ..plan }
        }
        None => plan,
    }
}
