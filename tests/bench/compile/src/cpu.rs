//! CPU for a job, beside a warm reference compiler, over the code bases of the corpus; and for a job that finds
//! nothing changed.
//!
//! Ours is a whole job; the reference compiles from the disk, and neither fetches nor compresses. What one takes
//! is of its whole process tree. brotli at its densest, which is made once nobody waits, is shown and not counted.

mod bodies;
mod companion;
pub(crate) mod origin;
pub(crate) mod ours;
mod reference;
mod table;
mod used;

use std::{collections::HashSet, path::Path};

use anyhow::{Context, anyhow, bail, ensure};
use corpus::code_base;
use pipeline::job::{Job, Task};
use tokio::task::block_in_place;
use worker::encode_densely;

use origin::OriginProcess;
use ours::{Ours, Sheet};
use reference::Reference;
use table::CodeBase;
pub(crate) use table::Cost;
use used::Used;

/// How much is measured.
pub(crate) struct Plan {
    rounds: usize,
    /// Of CPU in each round, on each side.
    reference_seconds: f64,
    own_seconds: f64,
    unchanged_seconds: f64,
    warm_up: usize,
}

pub(crate) const FULL: Plan =
    Plan { rounds: 5, reference_seconds: 0.5, own_seconds: 0.3, unchanged_seconds: 0.05, warm_up: 3 };
pub(crate) const QUICK: Plan =
    Plan { rounds: 1, reference_seconds: 0.2, own_seconds: 0.1, unchanged_seconds: 0.02, warm_up: 2 };

/// A child at rest that ends meanwhile takes CPU, too, and is no part of a refresh.
const MOST_CHANCES: usize = 3;
/// One after the other, in one round.
const MOST_TIMES: u16 = 200;

pub(crate) const CORPUS: &str = "tests/corpus";
const TRAINING_TIMES: usize = 4;
/// In the corpus.
const ORACLE: &str = "oracle";
const MODULES: &str = "oracle/node_modules";

struct Bench {
    ours: Ours,
    reference: Reference,
    origin: OriginProcess,
}

/// Is the origin of the code bases, until stdin ends.
pub(crate) async fn serve(checkout: &Path) -> anyhow::Result<()> {
    let corpus = checkout.join(CORPUS);
    let sheets: Vec<_> = material(&corpus)?.into_iter().map(|(_, sheet)| sheet).collect();
    let built: HashSet<_> =
        sheets.iter().map(|sheet| sheet.path.trim_start_matches('/').to_owned()).collect();
    origin::run(corpus, built).await
}

/// Does what is measured, without measuring it.
pub(crate) async fn train(checkout: &Path) -> anyhow::Result<()> {
    let corpus = checkout.join(CORPUS);
    let material = material(&corpus)?;
    let origin = OriginProcess::start(checkout)?;
    let mut ours = Ours::start(vec![origin.id()]).await?;
    for (_, sheet) in &material {
        let jobs = compiles(&origin, sheet, TRAINING_TIMES)?;
        ours.used_for_one(&jobs).await?;
        let last = jobs.last().context("no job")?;
        ours.used_for_one(&[sheet.job(last.origin.clone(), Task::Revalidate)?]).await?;
    }
    ours.stop().await
}

/// `name` is that of the only code base that is measured, where there is one.
pub(crate) async fn measure(plan: &Plan, checkout: &Path, name: Option<&str>) -> anyhow::Result<Cost> {
    let corpus = checkout.join(CORPUS);
    let material = material(&corpus)?;
    let origin = OriginProcess::start(checkout)?;
    let reference = Reference::start(&corpus.join(ORACLE))?;
    let ours = Ours::start(vec![origin.id(), reference.id()]).await?;
    let starts = ours.start_seconds().await?;
    let mut bench = Bench { ours, reference, origin };
    let mut code_bases = Vec::new();
    for (job, sheet) in material.iter().filter(|(job, _)| name.is_none_or(|name| name == job.name)) {
        code_bases.push(bench.measure_one(plan, job, sheet).await.with_context(|| job.name.clone())?);
        eprint!(".");
    }
    eprintln!();
    bench.ours.stop().await?;
    Ok(Cost { code_bases, starts })
}

/// What the reference compiles, and what a worker does.
pub(crate) fn material(corpus: &Path) -> anyhow::Result<Vec<(corpus::Job, Sheet)>> {
    let modules = corpus.join(MODULES);
    ensure!(modules.is_dir(), "{} is not there; `cargo xtask bench compile` fetches it", modules.display());
    let code_bases = code_base::read_all(&corpus.join("code_bases.json"))?;
    let both = code_bases.iter().enumerate().map(|(index, code_base)| {
        let job = code_base.job(corpus, &modules);
        let load_paths = job.load_paths.iter().map(|path| below(corpus, path)).collect::<Result<_, _>>()?;
        let path = below(corpus, &job.entry.with_extension("css"))?;
        // Each code base is a site of its own.
        let tenant_id = format!("bench{index}-g1").parse().map_err(|_| anyhow!("no tenant"))?;
        Ok((job, Sheet { tenant_id, path, load_paths }))
    });
    both.collect()
}

/// The path at an origin whose root the corpus is.
fn below(corpus: &Path, path: &Path) -> anyhow::Result<String> {
    let path = path.strip_prefix(corpus)?.to_str().context("a path is no text")?;
    Ok(format!("/{path}"))
}

impl Bench {
    async fn measure_one(
        &mut self,
        plan: &Plan,
        job: &corpus::Job,
        sheet: &Sheet,
    ) -> anyhow::Result<CodeBase> {
        for _ in 0..plan.warm_up {
            block_in_place(|| self.reference.compile(job))?;
        }
        let warm_up = compiles(&self.origin, sheet, plan.warm_up)?;
        let about = self.ours.used_for_one(&warm_up).await?.seconds();
        let last = warm_up.last().context("no warm-up")?;
        let unchanged = self.unchanged_seconds(sheet, last, 1).await?;
        let (jobs, revalidations) =
            (times(plan.own_seconds, about), times(plan.unchanged_seconds, unchanged));
        let mut measured = CodeBase::new(&job.name, &self.ours.manifest(last).await?);
        measured.dense = self.dense_seconds(last).await?;
        for round in 0..plan.rounds {
            // Each goes first half of the time: the machine changes its pace as it likes.
            if round % 2 == 0 {
                measured.reference.push(self.reference_seconds(plan, job)?);
            }
            let jobs = compiles(&self.origin, sheet, jobs)?;
            measured.note_job(self.ours.used_for_one(&jobs).await?);
            let last = jobs.last().context("no job")?;
            measured.unchanged.push(self.unchanged_seconds(sheet, last, revalidations).await?);
            if round % 2 == 1 {
                measured.reference.push(self.reference_seconds(plan, job)?);
            }
        }
        Ok(measured)
    }

    fn reference_seconds(&mut self, plan: &Plan, job: &corpus::Job) -> anyhow::Result<f64> {
        block_in_place(|| self.reference.seconds_for_one(job, plan.reference_seconds))
    }

    /// For one of so many refreshes of what a job has made.
    async fn unchanged_seconds(&mut self, sheet: &Sheet, made: &Job, count: usize) -> anyhow::Result<f64> {
        for _ in 0..MOST_CHANCES {
            let again = (0..count).map(|_| sheet.job(made.origin.clone(), Task::Revalidate));
            let again = again.collect::<anyhow::Result<Vec<_>>>()?;
            let used = self.ours.used_for_one(&again).await?;
            if used.in_children.is_zero() {
                return Ok(used.seconds());
            }
        }
        bail!("what has not changed was compiled again")
    }

    async fn dense_seconds(&self, job: &Job) -> anyhow::Result<f64> {
        let css = self.ours.css(job).await?;
        let before = Used::now([])?;
        block_in_place(|| encode_densely(&css))?;
        Ok(Used::now([])?.since(before).seconds())
    }
}

/// Jobs that know nothing of each other's sources.
fn compiles(origin: &OriginProcess, sheet: &Sheet, count: usize) -> anyhow::Result<Vec<Job>> {
    (0..count).map(|_| sheet.job(origin.next_site()?, Task::Compile)).collect()
}

/// How often what takes `each` is done until `wanted` is used.
fn times(wanted: f64, each: f64) -> usize {
    (1..MOST_TIMES).find(|count| f64::from(*count) * each >= wanted).unwrap_or(MOST_TIMES).into()
}
