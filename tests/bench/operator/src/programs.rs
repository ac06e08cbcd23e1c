//! The operator's own program, and the bare client that keeps the same, as processes.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use cluster::{http, progress::Progress};
use rustix::process::{Pid, Signal, kill_process};
use tests::{control_plane::ControlPlane, memory_aws::REGION};

use crate::calls::CountedAws;

/// For a Lease that nobody gave back.
const LEADS_WITHIN: Duration = Duration::from_mins(1);
/// For the first round of every pipeline after a start.
const FIRST_ROUNDS_WITHIN: Duration = Duration::from_mins(30);
/// For the client that keeps what the operator keeps to list it.
const LISTS_WITHIN: Duration = Duration::from_mins(10);
const ENDS_WITHIN: Duration = Duration::from_secs(30);
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(200);
/// In which what a process needed for a moment is given back.
const CALM: Duration = Duration::from_secs(20);

pub(crate) struct Operator {
    child: Child,
    listen: SocketAddr,
}

impl Operator {
    /// It leads once this comes back.
    pub(crate) async fn start(plane: &ControlPlane, aws: &CountedAws) -> anyhow::Result<Self> {
        let listen = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let listen = listen.context("no free port")?;
        let log = plane.log(&format!("operator-{}", listen.port()))?;
        let child = Command::new(beside_us("operator")?)
            .env("KUBECONFIG", plane.kubeconfig())
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("RUST_LOG", "warn")])
            .args(["--web-image=registry.example/assets/web:1.0.0"])
            .args(["--worker-image=registry.example/assets/worker:1.0.0", "--cluster-name=bench"])
            .env("AWS_REGION", REGION)
            .args([&format!("--aws-region={REGION}"), &format!("--aws-endpoint-url=http://{}", aws.address)])
            .args(["--lease-namespace=default", &format!("--listen={listen}")])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start the operator")?;
        let operator = Self { child, listen };
        let started = Instant::now();
        while started.elapsed() < LEADS_WITHIN {
            if operator.metric("assets_operator_leads").is_ok_and(|leads| leads > 0.0) {
                return Ok(operator);
            }
            tokio::time::sleep(POLL).await;
        }
        bail!("the operator does not lead after {} s", LEADS_WITHIN.as_secs())
    }

    /// The sum of a metric over its labels.
    pub(crate) fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let answer = http::get(self.listen, "localhost", "/metrics", &[], ANSWERS_WITHIN)?;
        let text = String::from_utf8_lossy(&answer.body);
        let values = text.lines().filter(|line| !line.starts_with('#') && line.starts_with(name));
        Ok(values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// Waits for so many rounds, and until what they needed is given back.
    pub(crate) fn await_rounds(&self, rounds: usize, progress: &Progress) -> anyhow::Result<()> {
        let started = Instant::now();
        #[expect(clippy::cast_precision_loss, reason = "rounds are far below 2^52")]
        while self.metric("assets_operator_rounds_total")? < rounds as f64 {
            ensure!(started.elapsed() < FIRST_ROUNDS_WITHIN, "the operator has not looked at every pipeline");
            sleep(POLL);
        }
        progress.say(format!("a cold start: every pipeline was looked at in {:.0?}", started.elapsed()));
        sleep(CALM);
        Ok(())
    }

    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        resident_bytes(self.child.id())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// It gives its Lease back.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process(pid, Signal::TERM).context("cannot end the operator")?;
        let asked = Instant::now();
        while asked.elapsed() < ENDS_WITHIN {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            sleep(POLL);
        }
        bail!("the operator does not end")
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// See [`crate::bare`].
pub(crate) struct BareCache {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl BareCache {
    pub(crate) fn start(plane: &ControlPlane) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut child = Command::new(program)
            .env("KUBECONFIG", plane.kubeconfig())
            .arg("keep")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the bare client")?;
        let output = BufReader::new(child.stdout.take().context("the bare client has no output")?);
        Ok(Self { child, output })
    }

    pub(crate) fn resident_bytes_once_it_has(&mut self, objects: usize) -> anyhow::Result<u64> {
        let started = Instant::now();
        let mut said = String::new();
        while said.trim() != objects.to_string() {
            ensure!(started.elapsed() < LISTS_WITHIN, "the bare client has {said} objects, not {objects}");
            said.clear();
            ensure!(self.output.read_line(&mut said)? > 0, "the bare client has ended");
        }
        sleep(CALM);
        resident_bytes(self.child.id())
    }
}

impl Drop for BareCache {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that was built with this one.
fn beside_us(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    Ok(own.parent().context("a program without a folder")?.join(name))
}

/// Exactly, where `VmRSS` lags behind by what each thread has not yet added to it.
fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("cannot read the memory")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kilobytes = line.context("the kernel tells no resident memory")?.trim().trim_end_matches(" kB");
    let kilobytes: u64 = kilobytes.parse().context("resident memory is no number")?;
    Ok(kilobytes << 10)
}
