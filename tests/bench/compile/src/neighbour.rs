//! What a tenant feels of another one's hostile style sheets: its jobs' time beside them, and beside benign ones
//! of the same CPU.
//!
//! One worker, two places. One tenant has a small framework compiled again and again, the other one, just as
//! continuously, a hostile style sheet of each kind in turn, or in its place loops that take the same CPU. Kinds
//! that end soon are repeated, so that all of them take a part of the time.

mod hostile;
mod site;
mod table;

use std::{cell::Cell, path::Path, time::Instant};

use anyhow::{Context, ensure};
use pipeline::{
    job::{Job, Task},
    manifest::Outcome,
    names::JobId,
};

use crate::cpu::{
    CORPUS, material,
    origin::OriginProcess,
    ours::{Client, Ours, Sheet},
};
use hostile::Input;
use site::LoudSite;
pub(crate) use table::Neighbour;
use table::{Beside, Round};

/// How much is measured.
pub(crate) struct Plan {
    rounds: usize,
    /// Of CPU for each kind in each round, at least.
    seconds: f64,
}

pub(crate) const FULL: Plan = Plan { rounds: 4, seconds: 1.0 };
pub(crate) const QUICK: Plan = Plan { rounds: 1, seconds: 0.2 };

/// The code base that the neighbour has compiled.
const NEIGHBOUR: &str = "spectre";

/// A job that uses up its limit is stood for by several benign ones of this CPU at the most, in seconds: one
/// that takes all of its limit would be hostile, too.
const MOST_BENIGN: f64 = 2.0;
/// To find out what a turn of a benign loop takes.
const TURNS: f64 = 1e6;
/// Runs for what one job takes, of those that are short, and what short is in seconds.
const RUNS: usize = 8;
const SHORT: f64 = 0.5;
const MOST_TIMES: u16 = 100;
const WARM_UP: usize = 50;

#[derive(Debug, Clone, Copy)]
enum Side {
    Hostile,
    Benign,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Hostile => "hostile jobs",
            Self::Benign => "benign jobs",
        }
    }
}

/// One kind's part in a round.
struct Turn {
    name: &'static str,
    hostile: Jobs,
    benign: Jobs,
}

struct Jobs {
    job: Job,
    times: u16,
    /// CPU of one.
    seconds: f64,
}

impl Turn {
    fn part(&self, side: Side) -> &Jobs {
        match side {
            Side::Hostile => &self.hostile,
            Side::Benign => &self.benign,
        }
    }
}

struct Bench {
    ours: Ours,
    loud: LoudSite,
    origin: OriginProcess,
    sheet: Sheet,
}

pub(crate) async fn measure(plan: &Plan, checkout: &Path) -> anyhow::Result<Neighbour> {
    let material = material(&checkout.join(CORPUS))?;
    let of_neighbour = material.into_iter().find(|(job, _)| job.name == NEIGHBOUR);
    let (_, sheet) = of_neighbour.with_context(|| format!("the corpus has no {NEIGHBOUR}"))?;
    let inputs = hostile::inputs();
    let origin = OriginProcess::start(checkout)?;
    let ours = Ours::start(vec![origin.id()]).await?;
    let loud = LoudSite::serve(&inputs).await?;
    let mut bench = Bench { ours, loud, origin, sheet };
    let turns = bench.calibrate(plan, &inputs).await?;
    let mut client = bench.ours.client();
    for _ in 0..WARM_UP {
        bench.run_neighbours(&mut client).await?;
    }
    let (mut hostile, mut benign) = (Beside::default(), Beside::default());
    for round in 0..plan.rounds {
        let mut order = [(Side::Hostile, &mut hostile), (Side::Benign, &mut benign)];
        // Each goes first half of the time: the machine changes its pace as it likes.
        if round % 2 == 1 {
            order.reverse();
        }
        for (side, beside) in order {
            beside.rounds.push(bench.measure_round(side, &turns).await?);
            eprint!(".");
        }
    }
    eprintln!();
    bench.ours.stop().await?;
    Ok(Neighbour { turns, hostile, benign })
}

impl Bench {
    /// What each hostile job takes, and how long a loop takes the same.
    async fn calibrate(&mut self, plan: &Plan, inputs: &[Input]) -> anyhow::Result<Vec<Turn>> {
        let least = self.seconds_of(&self.loud.benign_job(0.0)?).await?;
        let for_turns = self.seconds_of(&self.loud.benign_job(TURNS)?).await? - least;
        ensure!(for_turns > 0.0, "a loop takes no time");
        let mut turns = Vec::new();
        for (number, input) in inputs.iter().enumerate() {
            let job = self.loud.hostile_job(number)?;
            let seconds = self.seconds_of(&job).await.with_context(|| input.name)?;
            self.check(Side::Hostile, &job).await.with_context(|| input.name)?;
            let times = enough(seconds, plan.seconds);
            let hostile = Jobs { job, times, seconds };
            let parts = enough(MOST_BENIGN, seconds);
            let each = seconds / f64::from(parts);
            let benign = self.loud.benign_job(((each - least) / for_turns * TURNS).max(0.0))?;
            let benign = Jobs { seconds: self.seconds_of(&benign).await?, job: benign, times: times * parts };
            turns.push(Turn { name: input.name, hostile, benign });
            eprint!(".");
        }
        Ok(turns)
    }

    /// CPU of worker and children.
    async fn seconds_of(&mut self, job: &Job) -> anyhow::Result<f64> {
        let first = self.ours.used_for_any(&[renewed(job)]).await?.seconds();
        if first > SHORT {
            return Ok(first);
        }
        let jobs: Vec<_> = (0..RUNS).map(|_| renewed(job)).collect();
        Ok(self.ours.used_for_any(&jobs).await?.seconds())
    }

    async fn check(&self, side: Side, job: &Job) -> anyhow::Result<()> {
        let outcome = self.ours.manifest(job).await?.outcome;
        let is_right = match side {
            Side::Hostile => matches!(outcome, Outcome::CompileError { .. }),
            Side::Benign => matches!(outcome, Outcome::Compiled { .. }),
        };
        ensure!(is_right, "one of the {} ended with {outcome:?}", side.name());
        Ok(())
    }

    async fn run_neighbours(&self, client: &mut Client) -> anyhow::Result<()> {
        let job = self.sheet.job(self.origin.next_site()?, Task::Compile)?;
        client.run(&job).await?;
        self.check(Side::Benign, &job).await
    }

    async fn measure_round(&self, side: Side, turns: &[Turn]) -> anyhow::Result<Round> {
        let (mut loud, mut quiet) = (self.ours.client(), self.ours.client());
        let (mut waits, is_over) = (Vec::new(), Cell::new(false));
        let make_noise = async {
            for Jobs { job, times, seconds: _ } in turns.iter().map(|turn| turn.part(side)) {
                for _ in 0..*times {
                    loud.run(&renewed(job)).await?;
                    self.check(side, job).await?;
                }
            }
            is_over.set(true);
            Ok(())
        };
        let wait = async {
            while !is_over.get() {
                let started = Instant::now();
                self.run_neighbours(&mut quiet).await?;
                waits.push(started.elapsed().as_secs_f64());
            }
            anyhow::Ok(())
        };
        let (before, began) = (self.ours.settled().await?, Instant::now());
        tokio::try_join!(make_noise, wait)?;
        let seconds = began.elapsed().as_secs_f64();
        let cpu = self.ours.settled().await?.since(before).seconds() / seconds;
        Ok(Round { waits, cpu })
    }
}

/// Another job of the same.
fn renewed(job: &Job) -> Job {
    Job { id: JobId::random(), ..job.clone() }
}

/// How many of `each` are `wanted`, one at least.
fn enough(each: f64, wanted: f64) -> u16 {
    (1..MOST_TIMES).find(|times| f64::from(*times) * each >= wanted).unwrap_or(MOST_TIMES)
}
