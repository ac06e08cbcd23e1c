//! The operator's program beside a control plane of a test's own: set as its Deployment says, and by its account.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::panicking,
};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{EnvVar, Secret},
};

use crate::control_plane::ControlPlane;

/// Killed when dropped.
pub struct OperatorProcess {
    process: Child,
    log: PathBuf,
}

impl OperatorProcess {
    /// `name` is that of the Deployment and of the `ServiceAccount`. Nothing of the test's own environment is passed
    /// on, as in a pod.
    pub async fn start(plane: &ControlPlane, program: &Path, namespace: &str, name: &str) -> Result<Self> {
        let listen = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let file = format!("{name}-of-{namespace}");
        let log = plane.log(&file)?;
        let process = Command::new(program)
            .env_clear()
            .envs(fetch_settings(plane, namespace, name).await?)
            .env("KUBECONFIG", plane.kubeconfig_of(namespace, name).await?)
            .env("LISTEN", listen.context("no free port")?.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start the operator")?;
        Ok(Self { process, log: plane.folder().join(format!("{file}.log")) })
    }

    /// What it has said so far.
    pub fn said(&self) -> Result<String> {
        fs::read_to_string(&self.log).context("the operator has no log")
    }
}

impl Drop for OperatorProcess {
    fn drop(&mut self) {
        // Both fail only where the process has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if panicking() {
            eprintln!("{}", self.said().unwrap_or_default());
        }
    }
}

/// The environment of the Deployment's container, as a kubelet makes it, but for what tells of the pod.
pub async fn fetch_settings(
    plane: &ControlPlane,
    namespace: &str,
    name: &str,
) -> Result<BTreeMap<String, String>> {
    let deployment: Deployment = plane.api(namespace).get(name).await?;
    let pod = deployment.spec.and_then(|spec| spec.template.spec).context("a Deployment without pods")?;
    let container = pod.containers.into_iter().next().context("a pod without containers")?;
    let mut settings = BTreeMap::new();
    for EnvVar { name, value, value_from } in container.env.into_iter().flatten() {
        let value = match value_from.and_then(|source| source.secret_key_ref) {
            Some(entry) => {
                let secret: Secret = plane.api(namespace).get(&entry.name).await?;
                let value = secret.data.and_then(|mut data| data.remove(&entry.key));
                if value.is_none() && entry.optional != Some(true) {
                    bail!("Secret {} has no {}", entry.name, entry.key);
                }
                let text = value.map(|value| String::from_utf8(value.0)).transpose();
                text.context("a Secret holds no text")?
            }
            None => value,
        };
        settings.extend(value.map(|value| (name, value)));
    }
    Ok(settings)
}
