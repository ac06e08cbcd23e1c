//! The keys of the cluster: one authority, a certificate per component, kubeconfigs. Made anew with
//! each new cluster and deleted with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{Cache, write_whole};
use crate::command::capture;
use crate::layout::{API_PORT, API_SERVICE_ADDRESS, DNS_DOMAIN, HOST_ADDRESS, NODES};
use crate::metrics_server;

/// The folder with the keys.
#[derive(Debug, Clone)]
pub struct Keys {
    folder: PathBuf,
}

/// A client of the API server: file name, user, group.
struct Client {
    name: String,
    user: String,
    group: &'static str,
}

impl Keys {
    pub fn in_state(state: &Path) -> Self {
        Self { folder: state.join("keys") }
    }

    /// Creates all keys that are not there.
    pub fn ensure(&self, state: &Path) -> Result<()> {
        self.ensure_authorities()?;
        for client in clients() {
            let kubeconfig = state.join(format!("{}.kubeconfig", client.name));
            if !kubeconfig.exists() {
                self.sign(&client.name, "ca", &format!("/O={}/CN={}", client.group, client.user), CLIENT)?;
                write_whole(&kubeconfig, self.kubeconfig(&client.name))?;
            }
        }
        Ok(())
    }

    /// What all else is signed by, and the API server's own keys.
    fn ensure_authorities(&self) -> Result<()> {
        let done = self.folder.join("done");
        if done.exists() {
            return Ok(());
        }
        Cache::ensure(self.folder.clone())?;
        self.create_authority("ca", "assetpipeline-local")?;
        self.create_authority("front-proxy-ca", "assetpipeline-local-front-proxy")?;
        self.create_key("service-accounts")?;
        let mut command = Command::new("openssl");
        command.args(["pkey", "-pubout", "-in", &self.key("service-accounts"), "-out"]);
        capture(command.arg(self.public_key("service-accounts")))?;
        self.sign("apiserver", "ca", "/CN=kube-apiserver", &server_extensions())?;
        self.sign("front-proxy", "front-proxy-ca", "/CN=front-proxy-client", CLIENT)?;
        fs::write(&done, "").with_context(|| format!("cannot write {}", done.display()))
    }

    pub fn certificate(&self, name: &str) -> String {
        self.folder.join(format!("{name}.crt")).display().to_string()
    }

    pub fn key(&self, name: &str) -> String {
        self.folder.join(format!("{name}.key")).display().to_string()
    }

    pub fn public_key(&self, name: &str) -> String {
        self.folder.join(format!("{name}.pub")).display().to_string()
    }

    fn create_key(&self, name: &str) -> Result<()> {
        let mut command = Command::new("openssl");
        command.args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"]);
        capture(command.arg(self.key(name))).map(drop)
    }

    fn create_authority(&self, name: &str, subject: &str) -> Result<()> {
        self.create_key(name)?;
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-new", "-days", "3650", "-subj", &format!("/CN={subject}")]);
        command.args(["-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"]);
        capture(command.args(["-key", &self.key(name), "-out", &self.certificate(name)])).map(drop)
    }

    fn sign(&self, name: &str, authority: &str, subject: &str, extensions: &str) -> Result<()> {
        self.create_key(name)?;
        let request = self.folder.join(format!("{name}.csr"));
        let extension_file = self.folder.join(format!("{name}.ext"));
        fs::write(&extension_file, extensions).context("cannot write the extensions of a certificate")?;
        let mut command = Command::new("openssl");
        command.args(["req", "-new", "-subj", subject, "-key", &self.key(name), "-out"]).arg(&request);
        capture(&mut command)?;
        let mut command = Command::new("openssl");
        command.args(["x509", "-req", "-days", "3650", "-CAcreateserial"]);
        command.args(["-CA", &self.certificate(authority), "-CAkey", &self.key(authority)]);
        command.arg("-extfile").arg(&extension_file).arg("-in").arg(&request);
        capture(command.args(["-out", &self.certificate(name)])).map(drop)
    }

    /// Names the key files by path: the folder lives as long as the kubeconfig.
    fn kubeconfig(&self, name: &str) -> String {
        let (authority, certificate, key) = (self.certificate("ca"), self.certificate(name), self.key(name));
        format!(
            "apiVersion: v1
kind: Config
clusters:
- name: local
  cluster: {{server: \"https://{HOST_ADDRESS}:{API_PORT}\", certificate-authority: \"{authority}\"}}
users:
- name: {name}
  user: {{client-certificate: \"{certificate}\", client-key: \"{key}\"}}
contexts:
- name: local
  context: {{cluster: local, user: {name}}}
current-context: local
"
        )
    }
}

const CLIENT: &str = "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n";

fn server_extensions() -> String {
    format!(
        "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:kubernetes,\
         DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.{DNS_DOMAIN},DNS:localhost,\
         IP:{HOST_ADDRESS},IP:{API_SERVICE_ADDRESS},IP:127.0.0.1\n"
    )
}

fn clients() -> Vec<Client> {
    let client =
        |name: &str, user: &str, group| Client { name: name.to_owned(), user: user.to_owned(), group };
    let mut clients = vec![
        client("admin", "admin", "system:masters"),
        client("apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
        client("controller-manager", "system:kube-controller-manager", "system:none"),
        client("scheduler", "system:kube-scheduler", "system:none"),
        client("proxy", "system:kube-proxy", "system:none"),
        client("metrics-server", metrics_server::USER, "system:none"),
    ];
    clients
        .extend(NODES.map(|node| client(node.name, &format!("system:node:{}", node.name), "system:nodes")));
    clients
}
