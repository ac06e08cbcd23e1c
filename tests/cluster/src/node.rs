//! One node: a containerd and a kubelet of its own, in control groups of its own.

mod config;
mod silence;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::binaries::Binaries;
use crate::cache::{Cache, write_whole};
use crate::cgroup::{BASE, Groups};
use crate::command::output;
use crate::layout::{Node, REGION};
use crate::pki::Keys;
use crate::process::{Daemon, Start};
use crate::progress::Progress;
use crate::sandbox::Sandbox;

/// The image that holds a pod's network open; its tag is that of its binary.
pub const PAUSE_IMAGE: &str = "localhost/pause";

/// A node's processes and files.
#[derive(Debug)]
pub struct NodeRun<'a> {
    pub node: Node,
    pub state: &'a Path,
}

/// What a node is started with.
#[derive(Debug)]
pub struct NodeStart<'a> {
    pub sandbox: &'a Sandbox,
    pub binaries: &'a Binaries,
    pub keys: &'a Keys,
    pub pause_image: &'a str,
    pub node_grace: Duration,
}

impl NodeRun<'_> {
    fn folder(&self) -> PathBuf {
        self.state.join(self.node.name)
    }

    /// The address of the node's containerd.
    pub fn socket(&self) -> PathBuf {
        self.folder().join("containerd.sock")
    }

    /// The group of the node's pods.
    fn pods_group(&self) -> String {
        format!("{BASE}/{}", self.node.name)
    }

    /// The group of containerd, its shims, and the kubelet.
    fn daemons_group(&self) -> String {
        format!("{BASE}/{}-daemons", self.node.name)
    }

    fn containerd(&self) -> Daemon {
        Daemon::new(format!("{}-containerd", self.node.name), self.state)
    }

    /// The node's agent. Killing it alone leaves the pods running, like a node that lost its network
    /// to the control plane.
    pub fn kubelet(&self) -> Daemon {
        Daemon::new(format!("{}-kubelet", self.node.name), self.state)
    }

    pub fn is_running(&self) -> bool {
        self.containerd().running().is_some() && self.kubelet().running().is_some()
    }

    /// Takes everything on the node away at once, as a power cut takes a machine: first no packet reaches a
    /// pod or leaves it any more, those included by which the kernel ends a dead process's connections. Then
    /// every process is killed.
    pub fn stop(&self) -> Result<()> {
        let groups = Groups::find()?;
        silence::cut_off(&groups.processes(&self.pods_group())?)?;
        self.kubelet().kill()?;
        groups.kill(&self.daemons_group())?;
        // Pods that came up meanwhile: nobody is left who could make more.
        silence::cut_off(&groups.processes(&self.pods_group())?)?;
        groups.kill(&self.pods_group())
    }

    /// Starts containerd unless it runs, and waits until it answers.
    pub fn ensure_containerd(&self, start: &NodeStart<'_>, progress: &Progress) -> Result<bool> {
        let groups = Groups::find()?;
        groups.create(&self.pods_group())?;
        groups.create(&self.daemons_group())?;
        let folder = Cache::ensure(self.folder())?;
        Cache::ensure(folder.join("cni"))?;
        write_whole(&folder.join("cni/10-pods.conflist"), self.network())?;
        write_whole(&folder.join("containerd.toml"), self.containerd_config(start.pause_image))?;
        let arguments = vec!["--config".to_owned(), folder.join("containerd.toml").display().to_string()];
        let started = self.containerd().ensure(&Start {
            sandbox: start.sandbox,
            group: &self.daemons_group(),
            program: Path::new("containerd"),
            arguments,
        })?;
        let what = format!("containerd of {}", self.node.name);
        self.containerd().wait(progress, &what, Duration::from_secs(30), || {
            Ok(output(self.ctr().arg("version")).is_ok_and(|done| done.status.success()))
        })?;
        Ok(started)
    }

    /// Starts the kubelet unless it runs.
    pub fn ensure_kubelet(&self, start: &NodeStart<'_>) -> Result<bool> {
        let folder = self.folder();
        let config = serde_json::to_vec_pretty(&self.kubelet_config(start))?;
        write_whole(&folder.join("kubelet.json"), config)?;
        let labels =
            format!("topology.kubernetes.io/zone={},topology.kubernetes.io/region={REGION}", self.node.zone);
        let arguments = vec![
            "kubelet".to_owned(),
            format!("--config={}", folder.join("kubelet.json").display()),
            format!("--kubeconfig={}", self.state.join(format!("{}.kubeconfig", self.node.name)).display()),
            format!("--root-dir={}", folder.join("kubelet").display()),
            format!("--cert-dir={}", folder.join("kubelet-certificates").display()),
            format!("--hostname-override={}", self.node.name),
            format!("--node-ip={}", self.node.address()),
            format!("--node-labels={labels}"),
        ];
        self.kubelet().ensure(&Start {
            sandbox: start.sandbox,
            group: &self.daemons_group(),
            program: &start.binaries.kube,
            arguments,
        })
    }

    /// containerd's client, set to this node and to the images of pods.
    pub fn ctr(&self) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.socket()).args(["--namespace", "k8s.io"]);
        command
    }
}

/// The resolver settings for pods that use the machine's: without servers on a loopback address,
/// which a pod cannot reach. Answers whether any is left.
pub fn write_resolver(state: &Path) -> Result<bool> {
    let candidates = ["/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"];
    let servers = candidates
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .map(|text| usable_servers(&text))
        .find(|servers| !servers.is_empty())
        .unwrap_or_default();
    fs::write(state.join("resolv.conf"), &servers).context("cannot write the pods' resolver settings")?;
    Ok(!servers.is_empty())
}

fn usable_servers(resolver: &str) -> String {
    let is_usable = |line: &&str| {
        line.strip_prefix("nameserver").is_some_and(|server| {
            let server = server.trim();
            !server.starts_with("127.") && server != "::1"
        })
    };
    resolver.lines().filter(is_usable).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_on_loopback_are_left_out() {
        let text = "search x\nnameserver 127.0.0.53\nnameserver 10.0.0.2\n";
        assert_eq!(usable_servers(text), "nameserver 10.0.0.2\n");
    }
}
