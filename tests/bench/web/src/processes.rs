//! Servers and clients as processes on their cores, ended by their own id when they are no longer needed.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use bench_report::tree_seconds;
use rustix::process::{Pid, Signal, kill_process};

/// Where servers run.
pub(crate) const SERVER_CORE: &str = "0";
/// Where clients run.
pub(crate) const CLIENT_CORE: &str = "1";
/// How long a server may take to end when it is asked to.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
/// How long a server may take to say what is awaited.
const SAYS_WITHIN: Duration = Duration::from_secs(30);

/// A server that is ended when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What one of our own servers says after its address.
    output: Option<BufReader<ChildStdout>>,
}

/// `program` on a core.
pub(crate) fn pinned(core: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", core]).arg(program);
    command
}

impl Server {
    /// Starts one of this program's own servers, which says where it listens.
    pub(crate) fn start_own(arguments: &[&str]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut command = pinned(SERVER_CORE, program);
        let mut child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a server: is taskset (Debian's util-linux) there?")?;
        let output = child.stdout.take().context("a server has no output")?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line).context("cannot read a server's output")?;
        if let Ok(address) = line.trim().parse() {
            return Ok(Self { child, address, output: Some(output) });
        }
        end(&mut child);
        bail!("the server `{}` did not start", arguments.join(" "))
    }

    pub(crate) fn of_child(child: Child, address: SocketAddr) -> Self {
        Self { child, address, output: None }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads what the server says until it says this.
    pub(crate) fn await_word(&mut self, wanted: &str) -> anyhow::Result<()> {
        let output = self.output.as_mut().context("a server says nothing")?;
        let started = Instant::now();
        let mut said = String::new();
        while started.elapsed() < SAYS_WITHIN {
            said.clear();
            ensure!(output.read_line(&mut said)? > 0, "a server ended before it said {wanted:?}");
            if said.trim() == wanted {
                return Ok(());
            }
        }
        bail!("a server was to say {wanted:?} and says {:?}", said.trim())
    }

    /// Seconds of CPU that the server and its workers have used.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        tree_seconds(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Asks the process to end, so that it can end its own workers; then makes it.
fn end(child: &mut Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It has not been waited for, so the id is still its own.
        let _ = kill_process(pid, Signal::TERM);
    }
    let asked = Instant::now();
    while asked.elapsed() < ENDS_WITHIN {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
}
