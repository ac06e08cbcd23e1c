//! What the rounds show, and the figures.

use std::fmt::Write;

use bench_report::{Spread, verdict};
use pipeline::manifest::Manifest;

use super::used::Used;

/// Of the reference's CPU: the geometric mean over the code bases, and any one's.
const MOST_OF_ALL: f64 = 0.5;
const MOST_OF_ONE: f64 = 1.1;
/// Of a compile's CPU, where nothing has changed.
const MOST_UNCHANGED: f64 = 0.01;

/// Seconds of CPU for one, round by round.
pub(crate) struct CodeBase {
    name: String,
    engine: String,
    urls: usize,
    ours: Vec<f64>,
    /// Of these, what children took.
    in_children: Vec<f64>,
    pub(super) reference: Vec<f64>,
    pub(super) unchanged: Vec<f64>,
    pub(super) dense: f64,
}

pub(crate) struct Cost {
    pub(super) code_bases: Vec<CodeBase>,
    /// Seconds of CPU of children, before they are given an order.
    pub(super) starts: Vec<f64>,
}

/// Over all code bases, and the highest of them.
struct Figures {
    mean: f64,
    worst: f64,
    worst_unchanged: f64,
}

impl CodeBase {
    pub(super) fn new(name: &str, manifest: &Manifest) -> Self {
        Self {
            name: name.to_owned(),
            engine: manifest.engine.clone(),
            urls: manifest.closure.read.len() + manifest.closure.absent.len(),
            ours: Vec::new(),
            in_children: Vec::new(),
            reference: Vec::new(),
            unchanged: Vec::new(),
            dense: 0.0,
        }
    }

    pub(super) fn note_job(&mut self, used: Used) {
        self.ours.push(used.seconds());
        self.in_children.push(used.in_children.as_secs_f64());
    }

    fn ratio(&self) -> f64 {
        median_of_ratios(&self.ours, &self.reference)
    }

    fn unchanged_share(&self) -> f64 {
        median_of_ratios(&self.unchanged, &self.ours)
    }

    fn row(&self) -> String {
        let show = |seconds: &Vec<f64>, digits| {
            Spread::of(seconds.clone()).map_or(String::new(), |spread| spread.show(1e3, digits))
        };
        format!(
            "| {} | {} | {} | {} | {} | {:.2} | {} | {:.1} | {} | {:.0} |\n",
            self.name,
            self.engine,
            show(&self.ours, 1),
            show(&self.in_children, 1),
            show(&self.reference, 1),
            self.ratio(),
            show(&self.unchanged, 2),
            self.unchanged_share() * 100.0,
            self.urls,
            self.dense * 1e3,
        )
    }
}

fn median_of_ratios(over: &[f64], under: &[f64]) -> f64 {
    let ratios = over.iter().zip(under).map(|(over, under)| over / under);
    Spread::of(ratios.collect()).map_or(f64::NAN, |spread| spread.median)
}

impl Cost {
    fn figures(&self) -> Figures {
        Figures {
            mean: geometric_mean(self.code_bases.iter().map(CodeBase::ratio)),
            worst: highest(self.code_bases.iter().map(CodeBase::ratio)),
            worst_unchanged: highest(self.code_bases.iter().map(CodeBase::unchanged_share)),
        }
    }

    pub(crate) fn is_reached(&self) -> bool {
        let Figures { mean, worst, worst_unchanged } = self.figures();
        mean <= MOST_OF_ALL && worst <= MOST_OF_ONE && worst_unchanged <= MOST_UNCHANGED
    }

    pub(crate) fn table(&self) -> String {
        let Figures { mean, worst, worst_unchanged } = self.figures();
        let rounds = self.code_bases.first().map_or(0, |code_base| code_base.ours.len());
        let mut table =
            "| code base | engine | job, ms | of that, its child | reference, ms | ratio | unchanged, ms | of a job, % \
                         | its URLs | brotli 11, ms |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n"
                .to_owned();
        table.extend(self.code_bases.iter().map(CodeBase::row));
        let is_of = |share: f64, most: f64| verdict(share <= most);
        // A `String` takes whatever is written to it.
        let _ = write!(
            table,
            "\nMilliseconds of CPU, user and system: median (least to most) of {rounds} interleaved rounds. \
             Ratios are made round by round, and their median counts. brotli 11: once, not in the job's. \
             A child has used {} ms when it begins to wait.\n\n\
             | figure | is | must be | |\n|---|--:|--:|---|\n\
             | CPU of a job, to the reference's, geometric mean of {} code bases | {mean:.2} | ≤ {MOST_OF_ALL:.2} | {} |\n\
             | the highest of them | {worst:.2} | ≤ {MOST_OF_ONE:.2} | {} |\n\
             | the highest share of a job that finding nothing changed costs, % | {:.1} | ≤ {:.0} | {} |\n",
            Spread::of(self.starts.clone()).map_or(String::new(), |starts| starts.show(1e3, 1)),
            self.code_bases.len(),
            is_of(mean, MOST_OF_ALL),
            is_of(worst, MOST_OF_ONE),
            worst_unchanged * 100.0,
            MOST_UNCHANGED * 100.0,
            is_of(worst_unchanged, MOST_UNCHANGED),
        );
        table
    }
}

fn geometric_mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value.ln()));
    f64::exp(sum / count)
}

fn highest(values: impl IntoIterator<Item = f64>) -> f64 {
    Spread::of(values.into_iter().collect()).map_or(f64::NAN, |spread| spread.max)
}
