//! The reference: a sass-embedded compiler that is kept, in a node process of its own.

use std::{path::Path, process::Command};

use anyhow::{Context, ensure};
use bench_report::tree_seconds;
use corpus::Job;
use serde_json::{Value, json};

use super::companion::Companion;

/// The compiler's process, which ends when this is dropped.
pub(crate) struct Reference(Companion);

impl Reference {
    pub(crate) fn start(oracle: &Path) -> anyhow::Result<Self> {
        Companion::start(Command::new("node").arg("warm.mjs").current_dir(oracle)).map(Self)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn compile(&mut self, job: &Job) -> anyhow::Result<()> {
        self.0.say(&json!({ "file": job.entry, "loadPaths": job.load_paths }).to_string())?;
        let answer: Value = serde_json::from_str(&self.0.hear()?).context("the reference has ended")?;
        ensure!(answer.get("bytes").is_some(), "the reference fails on {}: {answer}", job.name);
        Ok(())
    }

    /// Seconds of CPU for one compile: of so many that clock ticks do not count.
    pub(crate) fn seconds_for_one(&mut self, job: &Job, at_least: f64) -> anyhow::Result<f64> {
        let before = tree_seconds(self.id());
        let mut compiled = 0.0;
        loop {
            self.compile(job)?;
            compiled += 1.0;
            let used = tree_seconds(self.id()) - before;
            if used >= at_least {
                return Ok(used / compiled);
            }
        }
    }
}
