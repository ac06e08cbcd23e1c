//! Which cluster kubectl and Helm act on: the local one, or a context of a person's kubeconfig.
//!
//! Both come from here alone and bring the choice along, so that no call can forget it. Of a context that is its
//! name in every call, and nothing of the environment that could lead elsewhere. A kubeconfig is read and never
//! written.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::binaries::Clients;
use crate::cache::Cache;
use crate::command::feed;
use crate::lifecycle::Cluster;
use crate::progress::Progress;

/// What decides for Helm which cluster it acts on begins so, and what else a person has set for releases.
const HELM_VARIABLES: &str = "HELM_";

/// A cluster to act on.
#[derive(Debug, Clone)]
pub enum Target {
    Local(Cluster),
    Context(KubeContext),
}

/// A cluster that somebody else runs.
#[derive(Debug, Clone)]
pub struct KubeContext {
    pub cache: Cache,
    /// In the kubeconfig.
    pub name: String,
    /// Where it is not the one that kubectl finds (`KUBECONFIG`, `~/.kube/config`).
    kubeconfig: Option<PathBuf>,
    clients: Clients,
}

impl KubeContext {
    /// Builds kubectl and Helm where they are missing, which takes minutes; asks the cluster nothing.
    pub fn new(cache: Cache, name: String, kubeconfig: Option<PathBuf>, progress: &Progress) -> Result<Self> {
        let clients = Clients::ensure(&cache, progress)?;
        Ok(Self { cache, name, kubeconfig, clients })
    }

    fn kubectl(&self) -> Command {
        let mut kubectl = self.client(&self.clients.kube);
        kubectl.args(["kubectl", "--context", &self.name]);
        kubectl
    }

    fn helm(&self) -> Command {
        let mut helm = self.client(&self.clients.helm);
        helm.args(["--kube-context", &self.name]);
        helm
    }

    fn client(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with(HELM_VARIABLES) {
                command.env_remove(name);
            }
        }
        let kept = self.cache.root.join("clients");
        let folders = ["KUBECACHEDIR", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"];
        // A person's preferences could change what a call does.
        command.envs(folders.map(|name| (name, &kept))).env("KUBERC", "off");
        if let Some(kubeconfig) = &self.kubeconfig {
            command.env("KUBECONFIG", kubeconfig);
        }
        command
    }
}

impl Target {
    pub fn cache(&self) -> &Cache {
        match self {
            Self::Local(cluster) => &cluster.cache,
            Self::Context(context) => &context.cache,
        }
    }

    /// A kubectl that acts on this cluster.
    pub fn kubectl(&self) -> Command {
        match self {
            Self::Local(cluster) => cluster.kubectl(),
            Self::Context(context) => context.kubectl(),
        }
    }

    /// Helm, likewise.
    pub fn helm(&self) -> Command {
        match self {
            Self::Local(cluster) => cluster.helm(),
            Self::Context(context) => context.helm(),
        }
    }

    /// Applies manifests. On other clusters the API server merges: kubectl itself would keep all of a Secret in an
    /// annotation, and print it where it fails.
    pub fn apply(&self, manifests: &str) -> Result<()> {
        match self {
            Self::Local(cluster) => cluster.apply(manifests),
            Self::Context(context) => {
                let mut kubectl = context.kubectl();
                kubectl.args(["apply", "--server-side", "--force-conflicts", "--field-manager=xtask"]);
                feed(kubectl.arg("--filename=-"), manifests).map(drop)
            }
        }
    }
}
