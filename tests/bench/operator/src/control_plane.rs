//! etcd and an API server of the bench's own, on loopback, gone with the bench. Nothing else of Kubernetes runs.

use std::{
    fs::File,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use cluster::{
    Cache,
    packages::{self, Package, Shown},
    pki::Keys,
    progress::Progress,
};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use tempfile::TempDir;

const STARTS_WITHIN: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(200);
const ETCD: Package = Package { name: "etcd-server", shown_by: Shown::Program("etcd") };

pub(crate) struct ControlPlane {
    folder: TempDir,
    processes: Vec<Child>,
    pub(crate) client: Client,
}

impl ControlPlane {
    pub(crate) async fn start(cache: &Cache, kube: &Path, progress: &Progress) -> anyhow::Result<Self> {
        packages::ensure(&[ETCD], cache, progress)?;
        let folder = Cache::ensure(cache.root.join("tmp"))?;
        let folder = tempfile::tempdir_in(folder).context("cannot make a folder for the control plane")?;
        let keys = Keys::in_state(folder.path());
        keys.ensure(folder.path())?;
        let [etcd, peer, secure] = free_ports()?;
        let mut processes = vec![start_etcd(folder.path(), etcd, peer)?];
        processes.push(start_api_server(kube, folder.path(), &keys, etcd, secure)?);
        let client = connect(folder.path(), secure).await?;
        let plane = Self { folder, processes, client };
        plane.await_readiness().await?;
        Ok(plane)
    }

    pub(crate) fn kubeconfig(&self) -> String {
        self.folder.path().join("kubeconfig").display().to_string()
    }

    pub(crate) fn log(&self, name: &str) -> anyhow::Result<File> {
        log(self.folder.path(), name)
    }

    async fn await_readiness(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        while started.elapsed() < STARTS_WITHIN {
            if self.client.apiserver_version().await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        let log = std::fs::read_to_string(self.folder.path().join("kube-apiserver.log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(5).collect();
        bail!("the API server does not answer: {}", tail.join("\n"))
    }
}

impl Drop for ControlPlane {
    /// What they hold goes with their folder.
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let mut listeners = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

fn log(folder: &Path, name: &str) -> anyhow::Result<File> {
    let path = folder.join(format!("{name}.log"));
    File::create(&path).with_context(|| format!("cannot write {}", path.display()))
}

fn start(mut command: Command, folder: &Path, name: &str) -> anyhow::Result<Child> {
    let log = log(folder, name)?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.spawn().with_context(|| format!("cannot start {name}"))
}

fn start_etcd(folder: &Path, port: u16, peer: u16) -> anyhow::Result<Child> {
    let (client, peer) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peer}"));
    let mut etcd = Command::new("etcd");
    etcd.arg(format!("--data-dir={}", folder.join("etcd").display()))
        .args([format!("--listen-client-urls={client}"), format!("--advertise-client-urls={client}")])
        .args([format!("--listen-peer-urls={peer}"), format!("--initial-advertise-peer-urls={peer}")])
        .arg(format!("--initial-cluster=default={peer}"))
        .args(["--unsafe-no-fsync", "--quota-backend-bytes=8589934592", "--log-level=error"]);
    start(etcd, folder, "etcd")
}

fn start_api_server(kube: &Path, folder: &Path, keys: &Keys, etcd: u16, port: u16) -> anyhow::Result<Child> {
    let tokens = folder.join("tokens.csv");
    std::fs::write(&tokens, "bench,bench,bench,system:masters\n").context("cannot write the token")?;
    let mut server = Command::new(kube);
    server
        .arg("kube-apiserver")
        .arg(format!("--etcd-servers=http://127.0.0.1:{etcd}"))
        .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
        .arg(format!("--secure-port={port}"))
        .arg(format!("--cert-dir={}", folder.join("certificates").display()))
        .arg(format!("--token-auth-file={}", tokens.display()))
        .args(["--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/15"])
        // No pod is made: what its tokens would need is not there.
        .arg("--disable-admission-plugins=ServiceAccount")
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(format!("--service-account-key-file={}", keys.public_key("service-accounts")))
        .arg(format!("--service-account-signing-key-file={}", keys.key("service-accounts")));
    start(server, folder, "kube-apiserver")
}

async fn connect(folder: &Path, port: u16) -> anyhow::Result<Client> {
    let path = folder.join("kubeconfig");
    // Its certificate is made at its start, by nobody whom a client could ask.
    let cluster = json!({"server": format!("https://127.0.0.1:{port}"), "insecure-skip-tls-verify": true});
    let file = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "bench",
        "clusters": [{"name": "bench", "cluster": cluster}],
        "users": [{"name": "bench", "user": {"token": "bench"}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench", "namespace": "default"}}],
    });
    std::fs::write(&path, file.to_string()).context("cannot write the kubeconfig")?;
    let file = Kubeconfig::read_from(&path)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}
