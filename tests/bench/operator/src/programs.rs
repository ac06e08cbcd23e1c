//! The operator's own program, and the bare client that keeps the same, as processes.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread::{self, sleep},
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
    /// The program that ships. It leads once this comes back.
    pub(crate) async fn start(plane: &ControlPlane, aws: &CountedAws) -> anyhow::Result<Self> {
        let mut program = Command::new(beside_us("operator")?);
        program.arg(format!("--aws-endpoint-url=http://{}", aws.address));
        Self::start_as(program, plane).await
    }

    /// The same code with AWS in its own memory ([`crate::in_memory`]).
    pub(crate) async fn start_in_memory(plane: &ControlPlane) -> anyhow::Result<Self> {
        let mut program =
            Command::new(std::env::current_exe().context("cannot find this program's own file")?);
        program.arg("operate");
        Self::start_as(program, plane).await
    }

    async fn start_as(mut program: Command, plane: &ControlPlane) -> anyhow::Result<Self> {
        let listen = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let listen = listen.context("no free port")?;
        let log = plane.log(&format!("operator-{}", listen.port()))?;
        // Of this machine's settings none says what AWS or the cluster is.
        let child = program
            .env_clear()
            .env("KUBECONFIG", plane.kubeconfig())
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("RUST_LOG", "warn")])
            .args(["--web-image=registry.example/assets/web:1.0.0"])
            .args(["--worker-image=registry.example/assets/worker:1.0.0", "--cluster-name=bench"])
            .env("AWS_REGION", REGION)
            .arg(format!("--aws-region={REGION}"))
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

    /// Waits until every pipeline was looked at: there were as many rounds, and then but a few for a while, in which what
    /// the rounds needed is given back, too.
    pub(crate) fn await_rounds(&self, pipelines: usize, progress: &Progress) -> anyhow::Result<()> {
        let started = Instant::now();
        #[expect(clippy::cast_precision_loss, reason = "pipelines are far below 2^52")]
        let (all, few) = (pipelines as f64, pipelines as f64 / 10.0);
        let (mut before, mut rounds) = (0.0, 0.0);
        while rounds < all || rounds - before > few {
            ensure!(started.elapsed() < FIRST_ROUNDS_WITHIN, "the operator does not come to rest");
            sleep(CALM);
            before = rounds;
            rounds = self.metric("assets_operator_rounds_total")?;
        }
        let took = started.elapsed();
        progress.say(format!("a cold start: {rounds} rounds for {pipelines} pipelines in {took:.0?}"));
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
    /// What it says, a line each.
    said: Receiver<String>,
}

impl BareCache {
    pub(crate) fn start(plane: &ControlPlane) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut child = Command::new(program)
            .env_clear()
            .env("KUBECONFIG", plane.kubeconfig())
            .arg("keep")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the bare client")?;
        let output = child.stdout.take().context("the bare client has no output")?;
        let (sender, said) = mpsc::channel();
        // Ends with the client, or with who listens.
        thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Ok(Self { child, said })
    }

    pub(crate) fn resident_bytes_once_it_has(&self, objects: usize) -> anyhow::Result<u64> {
        let started = Instant::now();
        let mut last = String::new();
        while last != objects.to_string() {
            let left = LISTS_WITHIN.saturating_sub(started.elapsed());
            let said = self.said.recv_timeout(left);
            last =
                said.with_context(|| format!("the bare client last had {last:?} objects, not {objects}"))?;
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
