//! The pods of a scene: found, read, changed and killed.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use pipeline::env::OPERATION_PORT;
use reqwest::Client;
use serde_json::{Value, json};

use super::{PIPELINE, Scene};
use crate::{control::FIELD_MANAGER, metrics::Samples};

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

    /// What one pod has counted.
    pub async fn metrics_of(&self, pod: &Pod) -> Result<Samples> {
        let client = Client::builder().no_proxy().timeout(ANSWERS_WITHIN).build()?;
        let ip = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
        let ip = ip.with_context(|| format!("pod {} has no address", pod.name_any()))?;
        let address = SocketAddr::new(ip.parse()?, OPERATION_PORT);
        let answer = client.get(format!("http://{address}/metrics")).send().await?.error_for_status()?;
        Ok(Samples::parse(&answer.text().await?))
    }

    /// Ends a pod as if it had crashed: its object is gone at once, its process a second later.
    pub async fn kill(&self, pod: &Pod) -> Result<()> {
        let at_once = DeleteParams::default().grace_period(0);
        let killed = self.control.api::<Pod>(&self.namespace).delete(&pod.name_any(), &at_once).await;
        killed.map(drop).with_context(|| format!("cannot kill pod {}", pod.name_any()))
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
