//! A control plane of a test's own on loopback, gone with the test: etcd and the API server, and, unless it is bare,
//! the log of who asked for what, and of the controllers those that make pods of Deployments and collect garbage. No
//! node, and no pod runs.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use cluster::{Cache, binaries::Binaries, pki::Keys, progress::Progress};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        authentication::v1::{TokenRequest, TokenRequestSpec},
        core::v1::{Namespace, ServiceAccount},
    },
};
use kube::{
    Api, Client, Config, Resource,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::patience::eventually;

const STARTS_WITHIN: Duration = Duration::from_mins(2);
/// In the file of tokens: who may do everything.
const ADMINISTRATOR: &str = "administrator";
/// Every request, without what it says, once it is answered; a watch once it begins.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\n\
                            rules: [{level: Metadata}]\n";

pub struct ControlPlane {
    pub client: Client,
    binaries: Binaries,
    processes: Vec<Child>,
    server: String,
    folder: TempDir,
}

/// A request, as the API server's log has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    pub verb: String,
    /// Such as `deployments/status`.
    pub resource: String,
    /// Empty for what belongs to none, and for all.
    pub namespace: String,
    pub is_forbidden: bool,
}

impl ControlPlane {
    /// Takes some ten seconds.
    pub async fn start() -> Result<Self> {
        let [controllers] = free_ports()?;
        let mut plane = Self::start_server(true).await?;
        plane.start_controllers(controllers)?;
        Ok(plane)
    }

    /// Without controllers, and without a log of requests: nothing but what is asked for takes time.
    pub async fn start_bare() -> Result<Self> {
        Self::start_server(false).await
    }

    async fn start_server(is_logged: bool) -> Result<Self> {
        let cache = Cache::locate()?;
        let binaries = Binaries::ensure(&cache, &Progress::start())?;
        let folder = Cache::ensure(cache.root.join("tmp"))?;
        let folder = tempfile::tempdir_in(folder).context("cannot make a folder for the control plane")?;
        let keys = Keys::in_state(folder.path());
        keys.ensure(folder.path())?;
        let [etcd, peer, secure] = free_ports()?;
        let server = format!("https://127.0.0.1:{secure}");
        let kubeconfig = write_kubeconfig(folder.path(), &server, ADMINISTRATOR, ADMINISTRATOR)?;
        let file = Kubeconfig::read_from(kubeconfig)?;
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        let client = Client::try_from(config).context("cannot make a Kubernetes client")?;
        let mut plane = Self { client, binaries, processes: Vec::new(), server, folder };
        plane.start_etcd(etcd, peer)?;
        plane.start_api_server(&keys, etcd, secure, is_logged)?;
        eventually(STARTS_WITHIN, "the API server", async || {
            let answer = plane.client.apiserver_version().await;
            answer.map(drop).with_context(|| plane.tail_of("kube-apiserver"))
        })
        .await?;
        Ok(plane)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Objects of one kind in one namespace.
    pub fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub async fn create_namespace(&self, name: &str) -> Result<()> {
        create_namespace(&self.client, name).await
    }

    /// The kubeconfig of who may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder().join(format!("{ADMINISTRATOR}.kubeconfig"))
    }

    /// A kubeconfig by which a process is this account and nobody else.
    pub async fn kubeconfig_of(&self, namespace: &str, account: &str) -> Result<PathBuf> {
        let accounts = self.api::<ServiceAccount>(namespace);
        let wish = TokenRequest { spec: TokenRequestSpec::default(), ..TokenRequest::default() };
        let given = accounts.create_token_request(account, &PostParams::default(), &wish).await?;
        let token = given.status.context("the API server gave no token")?.token;
        write_kubeconfig(self.folder(), &self.server, &format!("{namespace}-{account}"), &token)
    }

    /// A Helm that talks to this control plane as administrator.
    pub fn helm(&self) -> Command {
        self.tool(&self.binaries.helm)
    }

    /// kubectl, likewise.
    pub fn kubectl(&self) -> Command {
        let mut kubectl = self.tool(&self.binaries.kube);
        kubectl.arg("kubectl");
        kubectl
    }

    fn tool(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let home = self.folder().join("home");
        command.env("KUBECONFIG", self.kubeconfig());
        command.envs(
            ["HOME", "KUBECACHEDIR", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"]
                .map(|name| (name, &home)),
        );
        command
    }

    /// All that this account has asked for so far, or begun to watch.
    pub fn requests_of(&self, namespace: &str, account: &str) -> Result<Vec<Request>> {
        let user = format!("system:serviceaccount:{namespace}:{account}");
        let log =
            fs::read_to_string(self.folder().join("audit.log")).context("there is no log of requests")?;
        let entries = log.lines().map(serde_json::from_str::<Entry>);
        let entries = entries.collect::<Result<Vec<_>, _>>().context("a log line is no request")?;
        let own = entries.into_iter().filter(|entry| entry.user.username == user);
        Ok(own.filter_map(Entry::into_request).collect())
    }

    fn start_etcd(&mut self, port: u16, peer: u16) -> Result<()> {
        let (client, peer) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peer}"));
        let mut etcd = Command::new("etcd");
        etcd.arg(format!("--data-dir={}", self.folder().join("etcd").display()))
            .args([format!("--listen-client-urls={client}"), format!("--advertise-client-urls={client}")])
            .args([format!("--listen-peer-urls={peer}"), format!("--initial-advertise-peer-urls={peer}")])
            .arg(format!("--initial-cluster=default={peer}"))
            .args(["--unsafe-no-fsync", "--quota-backend-bytes=8589934592", "--log-level=error"]);
        self.start_process(etcd, "etcd")
    }

    fn start_api_server(&mut self, keys: &Keys, etcd: u16, port: u16, is_logged: bool) -> Result<()> {
        let folder = self.folder();
        let (tokens, policy) = (folder.join("tokens.csv"), folder.join("audit.yaml"));
        fs::write(&tokens, format!("{ADMINISTRATOR},{ADMINISTRATOR},1,system:masters\n"))
            .context("cannot write the administrator's token")?;
        fs::write(&policy, AUDIT_POLICY).context("cannot write the policy of the log of requests")?;
        let mut server = Command::new(&self.binaries.kube);
        server
            .arg("kube-apiserver")
            .arg(format!("--etcd-servers=http://127.0.0.1:{etcd}"))
            .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
            .arg(format!("--secure-port={port}"))
            .arg(format!("--cert-dir={}", folder.join("certificates").display()))
            .arg(format!("--token-auth-file={}", tokens.display()))
            .args(["--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/16"])
            // No pod runs: what its token would be is not there.
            .arg("--disable-admission-plugins=ServiceAccount")
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg(format!("--service-account-key-file={}", keys.public_key("service-accounts")))
            .arg(format!("--service-account-signing-key-file={}", keys.key("service-accounts")));
        if is_logged {
            server
                .arg(format!("--audit-policy-file={}", policy.display()))
                .arg(format!("--audit-log-path={}", folder.join("audit.log").display()));
        }
        self.start_process(server, "kube-apiserver")
    }

    fn start_controllers(&mut self, port: u16) -> Result<()> {
        let kubeconfig = self.kubeconfig();
        let mut controllers = Command::new(&self.binaries.kube);
        controllers
            .arg("kube-controller-manager")
            .arg(format!("--kubeconfig={}", kubeconfig.display()))
            .arg(format!("--cert-dir={}", self.folder().join("certificates").display()))
            .args(["--bind-address=127.0.0.1", "--leader-elect=false"])
            .arg(format!("--secure-port={port}"))
            .arg("--controllers=deployment,replicaset,garbagecollector");
        self.start_process(controllers, "kube-controller-manager")
    }

    fn start_process(&mut self, mut command: Command, name: &str) -> Result<()> {
        let log = self.log(name)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.processes.push(command.spawn().with_context(|| format!("cannot start {name}"))?);
        Ok(())
    }

    /// For what a process says.
    pub fn log(&self, name: &str) -> Result<File> {
        let path = self.folder().join(format!("{name}.log"));
        File::create(&path).with_context(|| format!("cannot write {}", path.display()))
    }

    fn tail_of(&self, name: &str) -> String {
        let log = fs::read_to_string(self.folder().join(format!("{name}.log"))).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        lines.join("\n")
    }
}

impl Drop for ControlPlane {
    /// What they hold goes with their folder.
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            // Both fail only where the process has ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

pub async fn create_namespace(client: &Client, name: &str) -> Result<()> {
    let namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let created = namespaces.create(&PostParams::default(), &namespace).await;
    created.map(drop).with_context(|| format!("cannot create namespace {name}"))
}

/// A line of the API server's log.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    verb: String,
    user: User,
    object_ref: Option<Value>,
    response_status: Option<Value>,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

impl Entry {
    /// `None` for what asks for no object, such as the server's version.
    fn into_request(self) -> Option<Request> {
        let object = self.object_ref?;
        let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
        let parts = [text("resource"), text("subresource")];
        Some(Request {
            verb: self.verb,
            resource: parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/"),
            namespace: text("namespace").to_owned(),
            is_forbidden: self.response_status.is_some_and(|status| status.get("code") == Some(&json!(403))),
        })
    }
}

fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut listeners = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// The API server makes its certificate when it starts, by nobody whom a client could ask.
fn write_kubeconfig(folder: &Path, server: &str, name: &str, token: &str) -> Result<PathBuf> {
    let path = folder.join(format!("{name}.kubeconfig"));
    let file = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server, "insecure-skip-tls-verify": true}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
    });
    if path.exists() {
        bail!("{} is there already", path.display());
    }
    fs::write(&path, file.to_string()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
