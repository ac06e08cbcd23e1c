//! Processes that outlive the command that started them: found again by process id and start time,
//! stopped by their own id only.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::cache::write_whole;
use crate::command::tail_of;
use crate::progress::Progress;
use crate::sandbox::Sandbox;

/// Names one process for as long as the machine runs: a process id alone is used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    pub pid: i32,
    start_ticks: u64,
    boot: String,
}

impl ProcessId {
    /// The process that has this id now, unless it has ended.
    pub fn of_running(pid: i32) -> Option<Self> {
        let boot = boot_id().ok()?;
        start_ticks(pid).map(|start_ticks| Self { pid, start_ticks, boot })
    }

    pub fn is_alive(&self) -> bool {
        Self::of_running(self.pid).as_ref() == Some(self)
    }

    /// Sends a signal unless the process has ended. The identity is checked after the handle is
    /// open, so that a new process with the same id is never hit.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let Some(pid) = Pid::from_raw(self.pid) else { bail!("{} is no process id", self.pid) };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return Ok(()) };
        if !self.is_alive() {
            return Ok(());
        }
        match pidfd_send_signal(&handle, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(anyhow!("cannot signal process {}: {error}", self.pid)),
        }
    }
}

/// The identity of this run of the machine.
pub fn boot_id() -> Result<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").context("cannot read the boot id")?;
    Ok(id.trim().to_owned())
}

/// When the process started, in clock ticks since boot; none where it has ended, zombies included.
fn start_ticks(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses and may hold anything; the state follows it.
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<_> = rest.split(' ').collect();
    match *fields.first()? {
        "Z" | "X" => None,
        _ => fields.get(19)?.parse().ok(),
    }
}

/// A long-running program of the cluster.
#[derive(Debug, Clone)]
pub struct Daemon {
    pub name: String,
    state: PathBuf,
}

/// What to run and where it belongs.
#[derive(Debug)]
pub struct Start<'a> {
    pub sandbox: &'a Sandbox,
    /// The control group that the process and its children are tracked in.
    pub group: &'a str,
    pub program: &'a Path,
    pub arguments: Vec<String>,
}

impl Daemon {
    pub fn new(name: impl Into<String>, state: &Path) -> Self {
        Self { name: name.into(), state: state.to_path_buf() }
    }

    pub fn log(&self) -> PathBuf {
        self.state.join("log").join(format!("{}.log", self.name))
    }

    fn record(&self) -> PathBuf {
        self.state.join("run").join(format!("{}.json", self.name))
    }

    /// The process, if it still runs.
    pub fn running(&self) -> Option<ProcessId> {
        let id: ProcessId = serde_json::from_slice(&fs::read(self.record()).ok()?).ok()?;
        id.is_alive().then_some(id)
    }

    /// Starts the program unless it runs; answers whether it had to.
    pub fn ensure(&self, start: &Start<'_>) -> Result<bool> {
        if self.running().is_some() {
            return Ok(false);
        }
        for file in [self.log(), self.record()] {
            let folder = file.parent().context("a daemon's file has no folder")?;
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.with_context(|| format!("cannot open {}", self.log().display()))?;
        let errors = log.try_clone().context("cannot share a log file")?;
        let child = start
            .sandbox
            .command(start.group, start.program, &start.arguments)?
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start {}", self.name))?;
        let pid = i32::try_from(child.id()).context("process id out of range")?;
        let id = ProcessId::of_running(pid).ok_or_else(|| self.ended())?;
        write_whole(&self.record(), serde_json::to_vec(&id)?)?;
        Ok(true)
    }

    /// Waits until `ready`, but not longer than the process lives.
    pub fn wait(
        &self,
        progress: &Progress,
        what: &str,
        timeout: Duration,
        mut ready: impl FnMut() -> Result<bool>,
    ) -> Result<Duration> {
        progress
            .wait(what, timeout, Duration::from_millis(100), || {
                if self.running().is_none() {
                    return Err(self.ended());
                }
                ready()
            })
            .with_context(|| format!("{} is not well, log in {}", self.name, self.log().display()))
    }

    /// Ends the process at once, as a power cut would.
    pub fn kill(&self) -> Result<()> {
        self.running().map_or(Ok(()), |id| id.signal(Signal::KILL))
    }

    /// Likewise, and waits until it has ended, so that it can be started anew.
    pub fn end(&self, progress: &Progress) -> Result<()> {
        self.kill()?;
        let (what, poll) = (format!("{} to end", self.name), Duration::from_millis(100));
        progress.wait(&what, Duration::from_secs(10), poll, || Ok(self.running().is_none())).map(drop)
    }

    fn ended(&self) -> anyhow::Error {
        anyhow!("{} ended, last lines of {}:\n{}", self.name, self.log().display(), tail_of(&self.log()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_until_it_ends() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let id = ProcessId::of_running(i32::try_from(child.id()).unwrap()).unwrap();
        assert!(id.is_alive());
        id.signal(Signal::KILL).unwrap();
        child.wait().unwrap();
        assert!(!id.is_alive());
        id.signal(Signal::KILL).unwrap();
    }

    #[test]
    fn an_id_that_is_used_again_is_another_process() {
        let mut id = ProcessId::of_running(i32::try_from(std::process::id()).unwrap()).unwrap();
        id.start_ticks += 1;
        assert!(!id.is_alive());
    }
}
