//! Starting what does not run, in the order in which things need each other.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::binaries::Binaries;
use crate::cache::{Cache, write_whole};
use crate::command::{capture, feed, output};
use crate::control_plane::ControlPlane;
use crate::dns::{self, Forward};
use crate::images::{self, Image};
use crate::layout::{NODES, Node};
use crate::lifecycle::{AWS, Aws, Cluster, NODE_GRACE};
use crate::node::{NodeRun, NodeStart, write_resolver};
use crate::pki::Keys;
use crate::progress::Progress;
use crate::sandbox::Sandbox;
use crate::snapshot::Snapshot;
use crate::{metrics_server, moto, network, packages};

/// What `up` found and did.
#[derive(Debug, Clone, Copy, Default)]
pub struct Started {
    /// From the first process to three ready nodes and DNS that answers.
    pub cluster: Duration,
    /// Of it, the API server alone, where it had to be started.
    pub api_server: Option<Duration>,
    /// Whether the emulator is a new process and so knows nothing.
    pub emulator_is_new: bool,
    /// Whether a cluster was there before.
    pub existed: bool,
}

impl Started {
    /// Whether what pods had made on AWS is gone.
    pub fn lost_aws_state(&self) -> bool {
        self.existed && self.emulator_is_new
    }
}

impl Cluster {
    /// Installs, builds and starts what is missing. Quick when nothing is.
    pub fn up(&self, progress: &Progress) -> Result<Started> {
        let _lock = self.lock()?;
        check_root()?;
        self.check_aws()?;
        packages::ensure(&packages::NEEDED, &self.cache, progress)?;
        let binaries = Binaries::ensure(&self.cache, progress)?;
        let moto = match self.options.aws {
            Aws::Emulator => Some(moto::ensure_installed(&self.cache, progress)?),
            Aws::Real => None,
        };
        let (pause, coredns) = images::build_own(&self.cache, &binaries, progress)?;
        let sandbox = self.ensure_sandbox(progress)?;
        let existed = sandbox.1 == Found::Running;
        let started = std::time::Instant::now();
        network::ensure()?;
        let emulator_is_new = match moto {
            Some(moto) => moto::ensure(&self.cache, &sandbox.0, &moto, progress)?,
            None => false,
        };
        if emulator_is_new && existed {
            progress.say(
                "the AWS emulator had ended and was started again: its buckets, queues and topics are gone",
            );
        }
        let api_server = self.ensure_kubernetes(&sandbox.0, &binaries, &pause, &coredns, progress)?;
        let cluster = started.elapsed();
        Ok(Started { cluster, api_server, emulator_is_new, existed })
    }

    fn ensure_kubernetes(
        &self,
        sandbox: &Sandbox,
        binaries: &Binaries,
        pause: &Image,
        coredns: &Image,
        progress: &Progress,
    ) -> Result<Option<Duration>> {
        let state = self.cache.state();
        let keys = Keys::in_state(&state);
        keys.ensure(&state)?;
        let forward = if write_resolver(&state)? { Forward::ToMachine } else { Forward::Nowhere };
        write_whole(&state.join("pause-image"), &pause.reference)?;
        // The nodes' containerds come up while the API server does.
        let api_server = std::thread::scope(|scope| {
            let start = self.node_start(sandbox, binaries, &keys, &pause.reference)?;
            let nodes =
                scope.spawn(move || prepare_nodes(&state_of(self), &start, &[pause, coredns], progress));
            let api_server = self.control_plane(&state, sandbox, binaries, &keys)?.ensure(progress)?;
            nodes.join().map_err(|_| anyhow::anyhow!("preparing the nodes panicked"))??;
            anyhow::Ok(api_server)
        })?;
        for node in NODES {
            self.ensure_node(node, sandbox, binaries, progress)?;
        }
        self.apply(&dns::manifests(&coredns.reference, forward).to_string())?;
        // Its rights come first: without them it ends at once.
        self.apply(&metrics_server::manifests().to_string())?;
        metrics_server::ensure(&state, sandbox, binaries)?;
        self.wait_until_ready(progress)?;
        metrics_server::wait(&state, progress, || {
            let asked = output(self.kubectl().args(["get", "--raw", metrics_server::API]));
            asked.is_ok_and(|answer| answer.status.success())
        })?;
        Ok(api_server)
    }

    fn node_start<'a>(
        &self,
        sandbox: &'a Sandbox,
        binaries: &'a Binaries,
        keys: &'a Keys,
        pause_image: &'a str,
    ) -> Result<NodeStart<'a>> {
        Ok(NodeStart { sandbox, binaries, keys, pause_image, node_grace: self.node_grace()? })
    }

    pub(super) fn control_plane<'a>(
        &self,
        state: &'a Path,
        sandbox: &'a Sandbox,
        binaries: &'a Binaries,
        keys: &'a Keys,
    ) -> Result<ControlPlane<'a>> {
        Ok(ControlPlane { state, sandbox, binaries, keys, node_grace: self.node_grace()? })
    }

    /// Starts what does not run of a node.
    pub(super) fn ensure_node(
        &self,
        node: Node,
        sandbox: &Sandbox,
        binaries: &Binaries,
        progress: &Progress,
    ) -> Result<()> {
        let state = self.cache.state();
        let pause =
            std::fs::read_to_string(state.join("pause-image")).context("the pause image is not known")?;
        let keys = Keys::in_state(&state);
        let start = self.node_start(sandbox, binaries, &keys, &pause)?;
        let run = NodeRun { node, state: &state };
        run.ensure_containerd(&start, progress)?;
        if run.ensure_kubelet(&start)? {
            progress.say(format!("started {} in {}", node.name, node.zone));
        }
        Ok(())
    }

    /// The open namespace, or a new one after clearing away what is left of a broken cluster.
    fn ensure_sandbox(&self, progress: &Progress) -> Result<(Sandbox, Found)> {
        let state = self.cache.state();
        if let Some(sandbox) = Sandbox::open(&state)? {
            return Ok((sandbox, Found::Running));
        }
        let is_broken = state.exists();
        if is_broken {
            progress.say("clearing away what is left of a cluster that was not taken down");
            self.clear(progress)?;
        }
        // What was recorded before a cluster that is down by now tells nothing of the time since.
        if !is_broken || Snapshot::load(&self.cache)?.is_none() {
            Snapshot::take(&self.cache)?.save(&self.cache)?;
        }
        Cache::ensure(state.clone())?;
        write_whole(&state.join(NODE_GRACE), self.options.node_grace.as_secs().to_string())?;
        write_whole(&state.join(AWS), self.options.aws.as_str())?;
        progress.say("starting the cluster");
        Ok((Sandbox::create(&state)?, Found::Nothing))
    }

    /// Applies manifests as administrator.
    pub fn apply(&self, manifests: &str) -> Result<()> {
        feed(self.kubectl().args(["apply", "--filename=-"]), manifests).map(drop)
    }

    fn wait_until_ready(&self, progress: &Progress) -> Result<()> {
        let (limit, every) = (Duration::from_mins(2), Duration::from_millis(200));
        progress.wait("three ready nodes", limit, every, || Ok(self.ready_nodes() == NODES.len()))?;
        progress.wait("the cluster's DNS to answer", limit, every, || Ok(dns::answers())).map(drop)
    }

    fn ready_nodes(&self) -> usize {
        let path = r#"jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}"#;
        let nodes = output(self.kubectl().args(["get", "nodes", "--output", path]));
        nodes
            .map(|nodes| {
                String::from_utf8_lossy(&nodes.stdout).lines().filter(|line| *line == "True").count()
            })
            .unwrap_or_default()
    }
}

/// Whether there was a cluster to repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Running,
    Nothing,
}

fn state_of(cluster: &Cluster) -> std::path::PathBuf {
    cluster.cache.state()
}

fn prepare_nodes(state: &Path, start: &NodeStart<'_>, images: &[&Image], progress: &Progress) -> Result<()> {
    for node in NODES {
        NodeRun { node, state }.ensure_containerd(start, progress)?;
    }
    for image in images {
        images::import(state, image)?;
    }
    Ok(())
}

fn check_root() -> Result<()> {
    let user = capture(Command::new("id").arg("--user"))?;
    if user.trim() != "0" {
        bail!("the local cluster needs root (namespaces, control groups, packet filter): run this with sudo");
    }
    Ok(())
}
