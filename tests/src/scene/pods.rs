//! The pods of a scene: found, read, changed and crashed.

use std::{fs, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use pipeline::env::{OPERATION_PORT, PUBLIC_PORT};
use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{PIPELINE, Scene};
use crate::{control::FIELD_MANAGER, metrics::Samples, visitor::Visitor};

const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Which pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    Web,
    Worker,
}

impl Tier {
    /// Also the name of the pods' container.
    fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Worker => "worker",
        }
    }

    /// The name of the tier's Deployment.
    pub fn deployment(self) -> String {
        format!("{PIPELINE}-{}", self.as_str())
    }
}

impl Scene {
    /// The tier's pods, those that are ending included.
    pub async fn pods(&self, tier: Tier) -> Result<Vec<Pod>> {
        let labels =
            format!("assetpipeline.dev/pipeline={PIPELINE},app.kubernetes.io/component={}", tier.as_str());
        let wanted = ListParams::default().labels(&labels);
        let pods = self.control.api::<Pod>(&self.namespace).list(&wanted).await;
        Ok(pods.context("cannot list pods")?.items)
    }

    pub async fn deployment(&self, tier: Tier) -> Result<Deployment> {
        let deployments = self.control.api::<Deployment>(&self.namespace);
        deployments.get(&tier.deployment()).await.context("cannot read a Deployment")
    }

    /// What the tier's pods have counted, added up.
    pub async fn metrics(&self, tier: Tier) -> Result<Samples> {
        let mut sum = Samples::default();
        for pod in self.pods(tier).await? {
            sum = sum + self.metrics_of(&pod).await?;
        }
        Ok(sum)
    }

    /// A visitor of the first tenant who comes to this web pod and no other.
    pub fn visitor_at(&self, pod: &Pod) -> Result<Visitor> {
        Visitor::at(address_of(pod, PUBLIC_PORT)?, self.visitor.host())
    }

    /// What one pod has counted.
    pub async fn metrics_of(&self, pod: &Pod) -> Result<Samples> {
        fetch_metrics(pod, OPERATION_PORT).await
    }

    /// Ends a pod's processes at once, as a crash does. The kubelet starts them anew.
    pub fn crash(&self, pod: &Pod) -> Result<()> {
        send_signal(pod, Signal::KILL)
    }

    /// Takes away the pods that were asked to end, without the time that they have for it.
    pub(super) async fn remove_ending_pods(&self) -> Result<()> {
        let pods = self.control.api::<Pod>(&self.namespace);
        let at_once = DeleteParams::default().grace_period(0);
        for pod in pods.list(&ListParams::default()).await?.items {
            if pod.metadata.deletion_timestamp.is_some() {
                // It may be gone by now.
                let _ = pods.delete(&pod.name_any(), &at_once).await;
            }
        }
        Ok(())
    }

    /// Sets environment variables of a tier's container under a field manager of the tests' own.
    pub async fn set_env(&self, tier: Tier, variables: &[(&str, &str)]) -> Result<()> {
        // Applied to a Deployment that is not there it would make one, and the operator's would be another.
        self.deployment(tier).await?;
        let env: Vec<Value> =
            variables.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let patch = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": tier.deployment()},
            "spec": {"template": {"spec": {"containers": [{"name": tier.as_str(), "env": env}]}}},
        });
        let deployments = self.control.api::<Deployment>(&self.namespace);
        let parameters = PatchParams::apply(FIELD_MANAGER);
        let applied = deployments.patch(&tier.deployment(), &parameters, &Patch::Apply(&patch)).await;
        applied.map(drop).context("cannot set the environment of a Deployment")
    }

    /// Whether these variables are still as [`Scene::set_env`] left them.
    pub async fn check_env(&self, tier: Tier, variables: &[(&str, &str)]) -> Result<()> {
        let template = self.deployment(tier).await?.spec.context("a Deployment has no spec")?.template;
        let containers = template.spec.map(|pod| pod.containers).unwrap_or_default();
        let env: Vec<_> =
            containers.into_iter().flat_map(|container| container.env.unwrap_or_default()).collect();
        for (name, value) in variables {
            let is_set = env.iter().any(|entry| entry.name == *name && entry.value.as_deref() == Some(value));
            ensure!(is_set, "{} has lost {name}={value}", tier.deployment());
        }
        Ok(())
    }
}

/// A pod whose processes stand still until this is dropped.
pub struct Paused(Pod);

impl Paused {
    pub fn stop(pod: &Pod) -> Result<Self> {
        send_signal(pod, Signal::STOP)?;
        Ok(Self(pod.clone()))
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        if let Err(error) = send_signal(&self.0, Signal::CONT) {
            eprintln!("{} stays paused: {error:#}", self.0.name_any());
        }
    }
}

/// To all processes of the pod's containers.
fn send_signal(pod: &Pod, signal: Signal) -> Result<()> {
    let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let ids = containers.into_iter().flatten().filter_map(|container| container.container_id.as_deref());
    let ids: Vec<_> = ids.collect();
    ensure!(!ids.is_empty(), "pod {} names no container yet", pod.name_any());
    for id in ids {
        // Shown as `containerd://<id>`.
        signal_container(id.rsplit('/').next().unwrap_or(id), signal)?;
    }
    Ok(())
}

/// What a pod tells at `/metrics` of that port.
pub async fn fetch_metrics(pod: &Pod, port: u16) -> Result<Samples> {
    let client = Client::builder().no_proxy().timeout(ANSWERS_WITHIN).build()?;
    let address = address_of(pod, port)?;
    let answer = client.get(format!("http://{address}/metrics")).send().await?.error_for_status()?;
    Ok(Samples::parse(&answer.text().await?))
}

fn address_of(pod: &Pod, port: u16) -> Result<SocketAddr> {
    let ip = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
    let ip = ip.with_context(|| format!("pod {} has no address", pod.name_any()))?;
    Ok(SocketAddr::new(ip.parse()?, port))
}

/// The nodes share this machine's processes.
fn signal_container(id: &str, signal: Signal) -> Result<()> {
    let mut told = 0;
    for entry in fs::read_dir("/proc").context("cannot list processes")?.flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        let groups = fs::read_to_string(entry.path().join("cgroup")).unwrap_or_default();
        if let Some(pid) = pid.filter(|_| groups.contains(id)) {
            kill_process(pid, signal).with_context(|| format!("cannot send {signal:?} to {pid:?}"))?;
            told += 1;
        }
    }
    ensure!(told > 0, "container {id} has no process");
    Ok(())
}
