//! What the child adds: the same engine on the same sources, in this process and in a child that waits.
//!
//! Through the child means all that a job does between having its sources and having its style sheet: taking
//! a child, the order with all sources, the result. Fetching them is another matter, and measured elsewhere.

use std::{
    env,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, ensure};
use bench_report::{Spread, verdict};
use pipeline::options::{CompileOptions, Engine};
use tokio::time::sleep;
use worker::{Compiler, LoneSheet, settings::COMPILE_LIMITS};

use crate::material::Site;

/// How many pairs of runs.
pub(crate) struct Plan {
    bootstrap: usize,
    one_rule: usize,
}

pub(crate) const FULL: Plan = Plan { bootstrap: 101, one_rule: 301 };
pub(crate) const QUICK: Plan = Plan { bootstrap: 7, one_rule: 31 };

/// Between two runs: nobody's child is being started any more.
const REST: Duration = Duration::from_millis(20);
/// Pairs before those that count.
const WARM_UP: usize = 3;

/// Of Bootstrap's time.
const MOST_ADDED_SHARE: f64 = 0.02;
/// To a file of one rule, in seconds.
const MOST_ADDED_SECONDS: f64 = 300e-6;

/// Times of one style sheet, in seconds; runs of one place in both were made one after the other.
struct Pairs {
    in_process: Vec<f64>,
    in_child: Vec<f64>,
}

pub(crate) struct Added {
    bootstrap: Pairs,
    one_rule: Pairs,
}

pub(crate) async fn measure(plan: &Plan, checkout: &Path) -> anyhow::Result<Added> {
    let mut compiler = Compiler::new(env::current_exe()?, COMPILE_LIMITS);
    compiler.keep_warm_for(1).await.context("cannot run a confined child")?;
    // As tasks, as a worker's jobs are.
    let bootstrap = compare(plan.bootstrap, compiler.clone(), Site::bootstrap(checkout)?);
    let bootstrap = tokio::spawn(bootstrap).await??;
    let one_rule = tokio::spawn(compare(plan.one_rule, compiler, Site::of_one_rule())).await??;
    Ok(Added { bootstrap, one_rule })
}

async fn compare(runs: usize, compiler: Compiler, site: Site) -> anyhow::Result<Pairs> {
    let site = Arc::new(site);
    let options = CompileOptions { engine: Engine::Grass, ..CompileOptions::default() };
    let mut sheet = LoneSheet::new(site.clone(), Site::base()?, &site.entry, options);
    let mut pairs = Pairs { in_process: Vec::new(), in_child: Vec::new() };
    for run in 0..WARM_UP + runs {
        // Each goes first half of the time: the machine changes its pace as it likes.
        let first = if run % 2 == 0 { Some(compile_here(site.clone()).await?) } else { None };
        sleep(REST).await;
        let (childs, in_child) = compile_in_child(&compiler, &mut sheet).await?;
        sleep(REST).await;
        let (own, in_process) = match first {
            Some(first) => first,
            None => compile_here(site.clone()).await?,
        };
        sleep(REST).await;
        ensure!(own == childs, "the child's style sheet differs from the engine's");
        if run >= WARM_UP {
            pairs.in_process.push(in_process);
            pairs.in_child.push(in_child);
        }
    }
    Ok(pairs)
}

/// On a thread of its own, whose stack is as large as a child's.
async fn compile_here(site: Arc<Site>) -> anyhow::Result<(String, f64)> {
    let (done, outcome) = tokio::sync::oneshot::channel();
    let compile = move || {
        let options = grass::Options::default().fs(&*site).quiet(true);
        let started = Instant::now();
        let css = grass::from_path(&site.entry, &options).map_err(|error| anyhow!("{error}"));
        let seconds = started.elapsed().as_secs_f64();
        // Who listens has not gone away.
        drop(done.send(css.map(|css| (css, seconds))));
    };
    std::thread::Builder::new().stack_size(64 << 20).spawn(compile)?;
    outcome.await.context("the engine failed")?
}

async fn compile_in_child(compiler: &Compiler, sheet: &mut LoneSheet) -> anyhow::Result<(String, f64)> {
    let started = Instant::now();
    let made = sheet.compile(compiler).await;
    let seconds = started.elapsed().as_secs_f64();
    Ok((made.map_err(|error| anyhow!(error))?.css, seconds))
}

impl Pairs {
    /// The middle of what `compare` makes of the two runs of each pair.
    fn median(&self, compare: impl Fn(f64, f64) -> f64) -> f64 {
        let compared = self.in_process.iter().zip(&self.in_child).map(|(own, childs)| compare(*own, *childs));
        Spread::of(compared.collect()).map_or(f64::NAN, |spread| spread.median)
    }

    fn rows(&self, name: &str) -> String {
        let row = |place: &str, times: &Vec<f64>| {
            let times = Spread::of(times.clone());
            let (shown, runs) = times.map_or((String::new(), 0), |times| (times.show(1e3, 3), times.runs));
            format!("| {name} | {place} | {shown} | {runs} |\n")
        };
        row("in this process", &self.in_process) + &row("through a child", &self.in_child)
    }
}

impl Added {
    fn share(&self) -> f64 {
        self.bootstrap.median(|own, childs| childs / own - 1.0)
    }

    fn seconds(&self) -> f64 {
        self.one_rule.median(|own, childs| childs - own)
    }

    pub(crate) fn is_reached(&self) -> bool {
        self.share() <= MOST_ADDED_SHARE && self.seconds() <= MOST_ADDED_SECONDS
    }

    pub(crate) fn table(&self) -> String {
        let (share, seconds) = (self.share(), self.seconds());
        format!(
            "| style sheet | engine | ms | runs |\n|---|---|--:|--:|\n{}{}\n\
             Median (least to most); the two runs of a pair follow each other, and figures are the median of \
             what each pair shows.\n\n\
             | figure | is | must be | |\n|---|--:|--:|---|\n\
             | what the child adds to Bootstrap's time, % | {:.1} | ≤ {:.0} | {} |\n\
             | what the child adds to a rule's, µs | {:.0} | ≤ {:.0} | {} |\n",
            self.bootstrap.rows("Bootstrap 5.3"),
            self.one_rule.rows("one rule"),
            share * 100.0,
            MOST_ADDED_SHARE * 100.0,
            verdict(share <= MOST_ADDED_SHARE),
            seconds * 1e6,
            MOST_ADDED_SECONDS * 1e6,
            verdict(seconds <= MOST_ADDED_SECONDS),
        )
    }
}
