//! The reference: a sass-embedded compiler that is kept, in a node process of its own.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context, ensure};
use bench_report::tree_seconds;
use corpus::Job;
use serde_json::{Value, json};

/// The compiler's process, which ends when this is dropped.
pub(crate) struct Reference {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Reference {
    pub(crate) fn start(oracle: &Path) -> anyhow::Result<Self> {
        let mut process = Command::new("node")
            .arg("warm.mjs")
            .current_dir(oracle)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start node")?;
        let output = process.stdout.take().context("node has no output")?;
        Ok(Self { process, output: BufReader::new(output) })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn compile(&mut self, job: &Job) -> anyhow::Result<()> {
        let input = self.process.stdin.as_mut().context("node has no input")?;
        writeln!(input, "{}", json!({ "file": job.entry, "loadPaths": job.load_paths }))?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line).context("the reference has ended")?;
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

impl Drop for Reference {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().ok();
    }
}
