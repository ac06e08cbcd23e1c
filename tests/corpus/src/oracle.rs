//! The reference compiler and the normaliser, both in one node process that lives for one request.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::Job;

/// What a compiler or the normaliser said: CSS, or its error.
pub type Outcome = Result<String, String>;

/// Where the pinned npm packages lie; `npm install --no-save --ignore-scripts` was run there.
#[derive(Debug, Clone)]
pub struct Oracle {
    pub folder: PathBuf,
}

#[derive(Serialize)]
struct Request<'a> {
    compile: Vec<Compile<'a>>,
    normalise: &'a [&'a str],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Compile<'a> {
    file: &'a Path,
    load_paths: &'a [PathBuf],
    style: crate::Style,
}

#[derive(Deserialize)]
struct Answer {
    compile: Vec<Reply>,
    normalise: Vec<Reply>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reply {
    Css(String),
    Error(String),
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Css(css) => Ok(css),
            Reply::Error(error) => Err(error),
        }
    }
}

impl Oracle {
    /// The reference's answer to each job, in their order.
    pub fn compile(&self, jobs: &[Job]) -> Result<Vec<Outcome>> {
        let compile: Vec<_> = jobs
            .iter()
            .map(|job| Compile { file: &job.entry, load_paths: &job.load_paths, style: job.style })
            .collect();
        let answer = self.ask(&Request { compile, normalise: &[] })?;
        ensure!(answer.compile.len() == jobs.len(), "the reference answered {} jobs", answer.compile.len());
        Ok(answer.compile.into_iter().map(Outcome::from).collect())
    }

    /// Each style sheet as lightningcss writes it: shortest spellings, no white space.
    pub fn normalise(&self, sheets: &[&str]) -> Result<Vec<Outcome>> {
        let answer = self.ask(&Request { compile: Vec::new(), normalise: sheets })?;
        ensure!(answer.normalise.len() == sheets.len(), "{} sheets came back", answer.normalise.len());
        Ok(answer.normalise.into_iter().map(Outcome::from).collect())
    }

    fn ask(&self, request: &Request<'_>) -> Result<Answer> {
        let mut node = Command::new("node")
            .arg("oracle.mjs")
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start node")?;
        // The script reads all of it before it writes a byte, so the pipes cannot block each other.
        let mut input = node.stdin.take().context("node has no stdin")?;
        input.write_all(&serde_json::to_vec(request)?).context("node stopped reading")?;
        drop(input);
        let output = node.wait_with_output().context("cannot read node's answer")?;
        ensure!(
            output.status.success(),
            "the reference failed; are the packages of {} there (`npm install --no-save --ignore-scripts`)?",
            self.folder.display()
        );
        serde_json::from_slice(&output.stdout).context("the reference's answer is not JSON")
    }
}
