//! Access to the local cluster: its API server, its tools, its AWS emulator.

use anyhow::{Context, Result, anyhow, ensure};
use aws_config::{Region, SdkConfig};
use cluster::{Cluster, layout::REGION, moto};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{apps::v1::Deployment, core::v1::Secret},
};
use kube::{
    Api, Client, Config, Resource,
    api::{Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;

/// Who writes what the tests write beside others.
pub const FIELD_MANAGER: &str = "e2e";
/// Where the operator runs.
pub const OPERATOR_NAMESPACE: &str = "assetpipeline-system";
/// The operator's Deployment: the release's name and what the chart adds.
pub const OPERATOR: &str = "assetpipeline-operator";
/// The operator's pods, and what else is the chart's own.
pub const OPERATOR_SELECTOR: &str = "app.kubernetes.io/name=assetpipeline-operator";

/// The Secret with the emulator's credentials, in each namespace whose pods call it.
pub const CREDENTIALS: &str = "aws-emulator";

const NO_CLUSTER: &str = "run `cargo xtask test`, or `cargo xtask up` once";

/// The running cluster.
pub struct Control {
    pub cluster: Cluster,
    pub client: Client,
}

impl Control {
    /// The cluster, whatever runs on it.
    pub async fn connect() -> Result<Self> {
        let cluster = Cluster::connect().map_err(|error| anyhow!("{NO_CLUSTER} ({error:#})"))?;
        let file = Kubeconfig::read_from(cluster.kubeconfig()).context(NO_CLUSTER)?;
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        let client = Client::try_from(config).context("cannot make a Kubernetes client")?;
        client.apiserver_version().await.context(NO_CLUSTER)?;
        Ok(Self { cluster, client })
    }

    /// The cluster with the operator on it.
    pub async fn with_operator() -> Result<Self> {
        let control = Self::connect().await?;
        let operator: Api<Deployment> = control.api(OPERATOR_NAMESPACE);
        let operator = operator.get_opt(OPERATOR).await?;
        let available = operator.and_then(|operator| operator.status?.available_replicas);
        ensure!(available >= Some(1), "the operator is not installed or not ready: {NO_CLUSTER}");
        Ok(control)
    }

    /// Objects of one kind in one namespace.
    pub fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// The emulator's credentials in a namespace; their values mean nothing to it.
    pub async fn ensure_credentials(&self, namespace: &str) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": CREDENTIALS},
            "stringData": {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"},
        });
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let secrets = self.api::<Secret>(namespace);
        let applied = secrets.patch(CREDENTIALS, &parameters, &Patch::Apply(&secret)).await;
        applied.map(drop).context("cannot write the emulator's credentials")
    }

    /// Settings for clients of the cluster's AWS emulator.
    pub async fn aws(&self) -> SdkConfig {
        pipeline::aws::config_loader()
            .endpoint_url(moto::endpoint())
            .region(Region::from_static(REGION))
            .test_credentials()
            .load()
            .await
    }
}
