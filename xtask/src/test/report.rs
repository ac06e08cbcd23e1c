//! What every step brought, and the table at the end.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;
use cluster::progress::Progress;

use crate::test::run::{Counts, count};

#[derive(Debug)]
struct Step {
    name: &'static str,
    counts: Counts,
    took: Duration,
}

/// All steps so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    steps: Vec<Step>,
}

impl Report {
    /// Runs a check, which counts as one test. Answers whether it passed.
    pub(super) fn check(
        &mut self,
        name: &'static str,
        progress: &Progress,
        check: impl FnOnce() -> Result<()>,
    ) -> bool {
        self.step(name, progress, || check().map(|()| Counts { passed: 1, failed: 0 }))
    }

    /// Runs tests by cargo and counts each.
    pub(super) fn tests(
        &mut self,
        name: &'static str,
        progress: &Progress,
        command: impl FnOnce() -> Result<Command>,
    ) -> bool {
        self.step(name, progress, || count(&mut command()?))
    }

    fn step(
        &mut self,
        name: &'static str,
        progress: &Progress,
        run: impl FnOnce() -> Result<Counts>,
    ) -> bool {
        progress.say(format!("== {name}"));
        let started = Instant::now();
        let counts = run().unwrap_or_else(|error| {
            println!("error: {name}: {error:#}");
            Counts { passed: 0, failed: 1 }
        });
        self.steps.push(Step { name, counts, took: started.elapsed() });
        counts.failed == 0
    }

    pub(super) fn is_green(&self) -> bool {
        self.total().failed == 0
    }

    fn total(&self) -> Counts {
        self.steps.iter().fold(Counts::default(), |total, step| Counts {
            passed: total.passed + step.counts.passed,
            failed: total.failed + step.counts.failed,
        })
    }

    /// The table, then the summary as the last line.
    pub(super) fn print(&self) {
        println!("\n{:<42} {:>8} {:>8} {:>9}", "step", "passed", "failed", "seconds");
        for Step { name, counts, took } in &self.steps {
            println!("{name:<42} {:>8} {:>8} {:>9.1}", counts.passed, counts.failed, took.as_secs_f64());
        }
        let total = self.total();
        println!("\n{} passed, {} failed", total.passed, total.failed);
    }
}
