//! Bringing the whole cluster up, repairing it, taking it down.

mod down;
mod up;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::binaries::Binaries;
use crate::cache::{Cache, write_whole};
use crate::command::output;
use crate::control_plane::CONTROLLER_MANAGER;
use crate::layout::{NODES, Node};
use crate::node::NodeRun;
use crate::pki::Keys;
use crate::process::Daemon;
use crate::progress::Progress;
use crate::sandbox::Sandbox;

pub use down::Leftovers;
pub use up::Started;

/// What may differ from one cluster to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// After so long without a sign of life a node counts as not ready, in a cluster that is started anew.
    /// Shorter than [`DEFAULT_NODE_GRACE`] makes trials of lost zones shorter.
    pub node_grace: Duration,
    pub aws: Aws,
}

/// Which AWS the cluster's pods work on, from its start to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aws {
    /// One that runs beside the cluster.
    Emulator,
    /// Outside of this machine: nothing runs here, and what is made there outlives the cluster.
    Real,
}

impl Aws {
    fn as_str(self) -> &'static str {
        match self {
            Self::Emulator => "emulator",
            Self::Real => "real",
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { node_grace: Duration::from_secs(10), aws: Aws::Emulator }
    }
}

/// What the controller manager goes by unless it is told (since Kubernetes 1.32; before that 40 s).
pub const DEFAULT_NODE_GRACE: Duration = Duration::from_secs(50);
/// In the state: seconds.
const NODE_GRACE: &str = "node-grace";
/// In the state: [`Aws::as_str`].
const AWS: &str = "aws";

/// Open for as long as this process uses the cluster.
static IN_USE: OnceLock<File> = OnceLock::new();

const NOT_RUNNING: &str = "the local cluster does not run: `cargo xtask up --cluster-only` starts it";

/// The local cluster, whether it runs or not.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub cache: Cache,
    pub options: Options,
}

impl Cluster {
    pub fn new(cache: Cache, options: Options) -> Self {
        Self { cache, options }
    }

    /// The running cluster, for tests; an error says how to start it. It is not taken down before
    /// this process ends.
    pub fn connect() -> Result<Self> {
        let cluster = Self::new(Cache::locate()?, Options::default());
        if IN_USE.get().is_none() {
            let file = cluster.use_file()?;
            file.lock_shared().context("cannot mark the cluster as in use")?;
            IN_USE.get_or_init(|| file);
        }
        Sandbox::open(&cluster.cache.state())?.context(NOT_RUNNING)?;
        Ok(cluster)
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.cache.state().join("admin.kubeconfig")
    }

    /// Whether a cluster was started and not taken down, whatever state it is in.
    pub fn exists(&self) -> bool {
        self.cache.state().exists()
    }

    /// A kubectl that talks to the cluster as administrator.
    pub fn kubectl(&self) -> Command {
        self.tool("kubectl")
    }

    /// Helm, likewise.
    pub fn helm(&self) -> Command {
        self.tool("helm")
    }

    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(self.cache.binaries().join("path").join(name));
        command.env("KUBECONFIG", self.kubeconfig());
        command
    }

    /// Takes a node away at once, as a power cut would: its pods' packets vanish, and then all of its processes.
    pub fn stop_node(&self, node: Node) -> Result<()> {
        let state = self.cache.state();
        Sandbox::open(&state)?.context(NOT_RUNNING)?;
        NodeRun { node, state: &state }.stop()
    }

    /// Ends only the node's agent: its pods run on, and the control plane hears nothing of it.
    pub fn kill_kubelet(&self, node: Node) -> Result<()> {
        NodeRun { node, state: &self.cache.state() }.kubelet().kill()
    }

    /// Starts what does not run of a node, without waiting until it is ready.
    pub fn start_node(&self, node: Node, progress: &Progress) -> Result<()> {
        let binaries = Binaries::ensure(&self.cache, progress)?;
        let state = self.cache.state();
        let sandbox = Sandbox::open(&state)?.context(NOT_RUNNING)?;
        self.ensure_node(node, &sandbox, &binaries, progress)
    }

    /// Waits until the control plane counts the node as ready.
    pub fn wait_for_node(&self, node: Node, progress: &Progress) -> Result<Duration> {
        let path = r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}"#;
        let what = format!("{} to be ready", node.name);
        progress.wait(&what, Duration::from_mins(2), Duration::from_millis(200), || {
            let ready = output(self.kubectl().args(["get", "node", node.name, "--output", path]));
            Ok(ready.is_ok_and(|ready| ready.stdout == b"True"))
        })
    }

    /// From now on a node counts as not ready after so long without a sign of life. The control plane's part of
    /// it and the nodes' agents are started anew; pods run on.
    pub fn set_node_grace(&self, grace: Duration, progress: &Progress) -> Result<()> {
        let _lock = self.lock()?;
        let state = self.cache.state();
        let sandbox = Sandbox::open(&state)?.context(NOT_RUNNING)?;
        let binaries = Binaries::ensure(&self.cache, progress)?;
        write_whole(&state.join(NODE_GRACE), grace.as_secs().to_string())?;
        let agents = NODES.map(|node| NodeRun { node, state: &state }.kubelet());
        for daemon in agents.into_iter().chain([Daemon::new(CONTROLLER_MANAGER, &state)]) {
            daemon.end(progress)?;
        }
        self.control_plane(&state, &sandbox, &binaries, &Keys::in_state(&state))?.ensure(progress)?;
        for node in NODES {
            self.ensure_node(node, &sandbox, &binaries, progress)?;
        }
        for node in NODES {
            self.wait_for_node(node, progress)?;
        }
        Ok(())
    }

    /// What the running cluster was started with, or told since.
    fn node_grace(&self) -> Result<Duration> {
        let text = fs::read_to_string(self.cache.state().join(NODE_GRACE));
        let text = text.context("the grace period of silent nodes is not known")?;
        Ok(Duration::from_secs(text.trim().parse().context("the grace period of silent nodes is no number")?))
    }

    /// Which AWS the cluster was started for; `None` where there is no cluster.
    pub fn aws(&self) -> Result<Option<Aws>> {
        if !self.exists() {
            return Ok(None);
        }
        match fs::read_to_string(self.cache.state().join(AWS)) {
            Ok(text) if text == Aws::Real.as_str() => Ok(Some(Aws::Real)),
            Ok(_) => Ok(Some(Aws::Emulator)),
            // One that did not come to its start, or was started before there was a choice.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Some(Aws::Emulator)),
            Err(error) => Err(error).context("cannot read which AWS the cluster works on"),
        }
    }

    /// Fails where a cluster runs for another AWS: its pipelines would lose what they have there.
    pub fn check_aws(&self) -> Result<()> {
        if Sandbox::open(&self.cache.state())?.is_none() {
            return Ok(());
        }
        match (self.aws()?, self.options.aws) {
            (Some(Aws::Emulator), Aws::Real) => {
                bail!("the local cluster that runs works on the emulator of AWS: `cargo xtask down` first")
            }
            (Some(Aws::Real), Aws::Emulator) => bail!(
                "the local cluster that runs works on the real AWS: `cargo xtask up --aws real` repairs it, and \
                 `cargo xtask down` takes it down"
            ),
            _ => Ok(()),
        }
    }

    /// All nodes of the cluster.
    pub fn nodes(&self) -> [Node; 3] {
        NODES
    }

    /// Held shared by those who use the cluster, and alone by those who take it down.
    fn use_file(&self) -> Result<File> {
        let path = self.cache.root.join("cluster-use.lock");
        File::create(&path).with_context(|| format!("cannot create {}", path.display()))
    }

    /// Keeps other commands from changing the cluster at the same time.
    fn lock(&self) -> Result<File> {
        let path = self.cache.root.join("cluster.lock");
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => {
                bail!("another command is changing the cluster: wait until it is done")
            }
            Err(std::fs::TryLockError::Error(error)) => Err(error).context("cannot lock the cluster"),
        }
    }
}
