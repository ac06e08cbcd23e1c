//! A `dev` of a test's own.

use std::{fs, path::Path, process::Stdio, time::Duration};

use reqwest::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running `dev`, ended with the test.
pub(crate) struct Dev {
    pub(crate) process: Child,
    pub(crate) output: Lines<BufReader<ChildStdout>>,
    pub(crate) address: String,
}

impl Dev {
    pub(crate) async fn start(site: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-assets"));
        command.arg("dev").arg(site).args(["--listen", "127.0.0.1:0"]).args(more);
        let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = timeout(PATIENCE, output.next_line()).await.expect("dev did not start").unwrap().unwrap();
        let address =
            first.split("http://").nth(1).and_then(|rest| rest.split(';').next()).unwrap().to_owned();
        Self { process, output, address }
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, String) {
        let url = format!("http://{}{path}", self.address);
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let answer = client.get(url).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }
}

/// A folder with these files.
pub(crate) fn site(files: &[(&str, &str)]) -> tempfile::TempDir {
    let site = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(site.path().join(name), text).unwrap();
    }
    site
}
