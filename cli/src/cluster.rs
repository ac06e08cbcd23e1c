//! The cluster that the user's kubeconfig leads to, and the pipelines in it.

use anyhow::{Context, anyhow};
use crds::AssetPipeline;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};

/// Where a pipeline is looked for.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl Cluster {
    /// As kubectl finds it; without a namespace it is that of the kubeconfig's context.
    pub(crate) async fn open(namespace: Option<String>) -> anyhow::Result<Self> {
        let client = Client::try_default().await;
        let client =
            client.context("cannot find a cluster; is there a kubeconfig, and does kubectl work?")?;
        let namespace = namespace.unwrap_or_else(|| client.default_namespace().to_owned());
        Ok(Self { client, namespace })
    }

    pub(crate) fn pipelines(&self) -> Api<AssetPipeline> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) async fn pipeline(&self, name: &str) -> anyhow::Result<AssetPipeline> {
        let found = self.pipelines().get_opt(name).await;
        let found = found
            .with_context(|| format!("cannot read AssetPipeline {name} in namespace {}", self.namespace))?;
        found.ok_or_else(|| absent(name, &self.namespace))
    }
}

fn absent(name: &str, namespace: &str) -> anyhow::Error {
    anyhow!(
        "there is no AssetPipeline {name} in namespace {namespace}; \
         `kubectl get assetpipelines --all-namespaces` lists all, and -n names another namespace"
    )
}

/// Whether the pod serves.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
