//! etcd and the components of Kubernetes that run once, as plain processes of the host.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::binaries::Binaries;
use crate::cgroup::HOST;
use crate::command::output;
use crate::layout::{
    API_PORT, DNS_DOMAIN, ETCD_PEER_PORT, ETCD_PORT, HOST_ADDRESS, HOST_NETWORK, NODES, POD_NETWORK,
    SERVICE_NETWORK,
};
use crate::pki::Keys;
use crate::process::{Daemon, Start};
use crate::progress::Progress;
use crate::sandbox::Sandbox;

/// The component that judges nodes.
pub const CONTROLLER_MANAGER: &str = "kube-controller-manager";

/// What every component is started with.
#[derive(Debug)]
pub struct ControlPlane<'a> {
    pub state: &'a Path,
    pub sandbox: &'a Sandbox,
    pub binaries: &'a Binaries,
    pub keys: &'a Keys,
    /// After so long without a sign of life a node counts as not ready.
    pub node_grace: Duration,
}

impl ControlPlane<'_> {
    /// Starts what does not run. Answers how long the API server took to be ready, where it had to
    /// be started.
    pub fn ensure(&self, progress: &Progress) -> Result<Option<Duration>> {
        self.start("etcd", Path::new("etcd"), self.etcd())?;
        let started = self.start_kube("kube-apiserver", self.api_server())?;
        let apiserver = Daemon::new("kube-apiserver", self.state);
        let what = "the API server to answer /readyz";
        let took = apiserver.wait(progress, what, Duration::from_mins(1), || Ok(self.is_ready()))?;
        self.start_kube(CONTROLLER_MANAGER, self.controller_manager())?;
        self.start_kube("kube-scheduler", self.scheduler())?;
        self.start_kube("kube-proxy", self.proxy()?)?;
        Ok(started.then_some(took))
    }

    fn is_ready(&self) -> bool {
        let mut kubectl = Command::new(self.binaries.path.join("kubectl"));
        kubectl.env("KUBECONFIG", self.kubeconfig("admin"));
        output(kubectl.args(["get", "--raw", "/readyz", "--request-timeout", "5s"]))
            .is_ok_and(|answer| answer.status.success())
    }

    fn kubeconfig(&self, name: &str) -> PathBuf {
        self.state.join(format!("{name}.kubeconfig"))
    }

    fn start(&self, name: &str, program: &Path, arguments: Vec<String>) -> Result<bool> {
        let start = Start { sandbox: self.sandbox, group: HOST, program, arguments };
        Daemon::new(name, self.state).ensure(&start)
    }

    fn start_kube(&self, name: &str, mut arguments: Vec<String>) -> Result<bool> {
        arguments.insert(0, name.to_owned());
        self.start(name, &self.binaries.kube, arguments)
    }

    fn etcd(&self) -> Vec<String> {
        let client = format!("http://127.0.0.1:{ETCD_PORT}");
        let peer = format!("http://127.0.0.1:{ETCD_PEER_PORT}");
        vec![
            format!("--data-dir={}", self.state.join("etcd").display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            // The data lives as long as the cluster and may go with the power.
            "--unsafe-no-fsync".to_owned(),
        ]
    }

    fn api_server(&self) -> Vec<String> {
        let keys = self.keys;
        let mut arguments = vec![
            format!("--etcd-servers=http://127.0.0.1:{ETCD_PORT}"),
            format!("--bind-address={HOST_ADDRESS}"),
            format!("--advertise-address={HOST_ADDRESS}"),
            format!("--secure-port={API_PORT}"),
            format!("--service-cluster-ip-range={SERVICE_NETWORK}"),
            format!("--tls-cert-file={}", keys.certificate("apiserver")),
            format!("--tls-private-key-file={}", keys.key("apiserver")),
            format!("--client-ca-file={}", keys.certificate("ca")),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--enable-admission-plugins=NodeRestriction".to_owned(),
            "--allow-privileged=true".to_owned(),
            format!("--service-account-issuer=https://kubernetes.default.svc.{DNS_DOMAIN}"),
            format!("--service-account-key-file={}", keys.public_key("service-accounts")),
            format!("--service-account-signing-key-file={}", keys.key("service-accounts")),
            format!("--kubelet-client-certificate={}", keys.certificate("apiserver-kubelet-client")),
            format!("--kubelet-client-key={}", keys.key("apiserver-kubelet-client")),
            // Node names are not in any DNS; `kubectl logs` and `exec` need this.
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
        ];
        arguments.extend(self.aggregation());
        arguments
    }

    /// Lets API servers of others (metrics, for example) serve behind this one.
    fn aggregation(&self) -> Vec<String> {
        vec![
            format!("--requestheader-client-ca-file={}", self.keys.certificate("front-proxy-ca")),
            "--requestheader-allowed-names=front-proxy-client".to_owned(),
            "--requestheader-username-headers=X-Remote-User".to_owned(),
            "--requestheader-group-headers=X-Remote-Group".to_owned(),
            "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
            format!("--proxy-client-cert-file={}", self.keys.certificate("front-proxy")),
            format!("--proxy-client-key-file={}", self.keys.key("front-proxy")),
            "--enable-aggregator-routing=true".to_owned(),
        ]
    }

    fn controller_manager(&self) -> Vec<String> {
        let grace = self.node_grace.as_secs();
        vec![
            format!("--kubeconfig={}", self.kubeconfig("controller-manager").display()),
            "--bind-address=127.0.0.1".to_owned(),
            "--leader-elect=false".to_owned(),
            "--use-service-account-credentials=true".to_owned(),
            format!("--service-account-private-key-file={}", self.keys.key("service-accounts")),
            format!("--root-ca-file={}", self.keys.certificate("ca")),
            format!("--cert-dir={}", self.state.join("controller-manager").display()),
            format!("--flex-volume-plugin-dir={}", self.state.join("volume-plugins").display()),
            format!("--node-monitor-grace-period={grace}s"),
            format!("--node-monitor-period={}s", (grace / 5).clamp(1, 5)),
        ]
    }

    fn scheduler(&self) -> Vec<String> {
        vec![
            format!("--kubeconfig={}", self.kubeconfig("scheduler").display()),
            "--bind-address=127.0.0.1".to_owned(),
            "--leader-elect=false".to_owned(),
            format!("--cert-dir={}", self.state.join("scheduler").display()),
        ]
    }

    /// One proxy serves all nodes, since they share the host's network. It takes the first node's
    /// name, so topology hints would see that zone only.
    fn proxy(&self) -> Result<Vec<String>> {
        let node = NODES.first().context("no nodes")?.name;
        Ok(vec![
            format!("--kubeconfig={}", self.kubeconfig("proxy").display()),
            format!("--hostname-override={node}"),
            "--proxy-mode=iptables".to_owned(),
            format!("--cluster-cidr={POD_NETWORK}"),
            format!("--nodeport-addresses=127.0.0.0/8,{HOST_NETWORK}"),
            "--healthz-bind-address=127.0.0.1:10256".to_owned(),
            "--metrics-bind-address=127.0.0.1:10249".to_owned(),
            // The machine's own connection tracking stays as it is.
            "--conntrack-max-per-core=0".to_owned(),
            "--conntrack-tcp-timeout-established=0s".to_owned(),
            "--conntrack-tcp-timeout-close-wait=0s".to_owned(),
        ])
    }
}
