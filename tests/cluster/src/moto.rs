//! The AWS emulator: moto, pinned with all that it needs, in a virtual environment of its own, served by a
//! program of ours that makes its SNS ask for confirmations and sign as AWS does.
//!
//! Its state lives in its memory: a new process knows no bucket, queue or topic.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cache::{Cache, key_of_files};
use crate::cgroup::HOST;
use crate::command::{logged, output};
use crate::http;
use crate::layout::{HOST_ADDRESS, MOTO_PORT};
use crate::packages::{self, Package, Shown};
use crate::process::{Daemon, Start};
use crate::progress::Progress;
use crate::sandbox::Sandbox;
use crate::signer::Signer;

/// The emulator's own settings as JSON: they cost it nothing, whatever else it holds. What it holds
/// (`data.json`) takes long to tell, and cannot be told at all once some buckets are gone.
pub const HEALTH_PATH: &str = "/moto-api/config";

/// Where the host and all pods reach the emulator.
pub fn endpoint() -> String {
    format!("http://{HOST_ADDRESS}:{MOTO_PORT}")
}

/// The program that serves the emulator, for the Python of its virtual environment.
pub fn program(cache: &Cache) -> PathBuf {
    cache.checkout.join("tests/cluster/moto/serve.py")
}

/// Creates the virtual environment unless it is there, and answers its Python.
pub fn ensure_installed(cache: &Cache, progress: &Progress) -> Result<PathBuf> {
    let requirements = cache.checkout.join("tests/cluster/moto/requirements.txt");
    let folder = cache.root.join(format!("venv-moto-{}", key_of_files(std::slice::from_ref(&requirements))?));
    let python = folder.join("bin/python");
    let done = folder.join("done");
    if done.exists() {
        return Ok(python);
    }
    let can_make = output(Command::new("python3").args(["-c", "import ensurepip, venv"]));
    if !can_make.is_ok_and(|done| done.status.success()) {
        let venv = Package { name: "python3-venv", shown_by: Shown::File("/nonexistent") };
        packages::ensure(&[venv], cache, progress)?;
    }
    progress.say("installing the AWS emulator (moto)");
    let log = cache.root.join("log/moto-install.log");
    logged(
        Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder),
        &log,
        "creating a venv",
        progress,
    )?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--disable-pip-version-check", "--no-input", "--no-deps", "-r"]).arg(&requirements);
    pip.arg("--cache-dir").arg(cache.root.join("pip"));
    logged(&mut pip, &log, "installing moto", progress)?;
    fs::write(&done, "").with_context(|| format!("cannot write {}", done.display()))?;
    Ok(python)
}

/// Starts the emulator unless it runs and answers. Answers whether it had to be started.
pub fn ensure(cache: &Cache, sandbox: &Sandbox, python: &Path, progress: &Progress) -> Result<bool> {
    let state = cache.state();
    let signer = Signer::in_state(&state);
    signer.ensure().context("cannot make the key that the emulator signs with")?;
    let daemon = Daemon::new("moto", &state);
    if daemon.running().is_some() && progress.wait("moto", ANSWERS_WITHIN, POLL, || Ok(answers())).is_err() {
        progress.say("the AWS emulator hangs: starting it again");
        daemon.end(progress)?;
    }
    let environment = signer.environment().map(|(name, path)| format!("{name}={}", path.display()));
    let address = ["-H".to_owned(), HOST_ADDRESS.to_string(), "-p".to_owned(), MOTO_PORT.to_string()];
    let program = [python, &program(cache)].map(|path| path.display().to_string());
    let arguments = environment.into_iter().chain(program).chain(address).collect();
    let started = daemon.ensure(&Start { sandbox, group: HOST, program: Path::new("env"), arguments })?;
    daemon.wait(progress, "the AWS emulator to answer", Duration::from_mins(1), || Ok(answers()))?;
    Ok(started)
}

const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(100);

fn answers() -> bool {
    let address = SocketAddr::from((HOST_ADDRESS, MOTO_PORT));
    http::get(address, "moto", HEALTH_PATH, &[], Duration::from_secs(2))
        .is_ok_and(|answer| answer.status < 300)
}
