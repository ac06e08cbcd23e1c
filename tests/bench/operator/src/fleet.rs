//! The pipelines, a namespace for each batch, and what nobody else does for them here: tell that pods are ready.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use crds::{AssetPipeline, asset_pipeline_crd, asset_tenant_crd, condition_type};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::Deployment,
        core::v1::{ConfigMap, Secret, Service, ServiceAccount},
        networking::v1::{Ingress, NetworkPolicy},
        policy::v1::PodDisruptionBudget,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use operator::names::ours;
use serde_json::{Value, json};

use tests::control_plane::{ControlPlane, create_namespace};

/// Pipelines of one namespace.
pub(crate) const BATCH: usize = 100;
/// What one client has under way at the same time, as many as the operator has rounds.
pub(crate) const CONCURRENCY: usize = 16;
/// For a batch, on a busy machine.
const READY_WITHIN: Duration = Duration::from_mins(5);
const POLL: Duration = Duration::from_millis(100);
/// Between two looks at a batch that becomes ready.
const LOOK: Duration = Duration::from_secs(1);

/// A kind of children, and how many a pipeline has.
pub(crate) struct Kind {
    pub(crate) resource: ApiResource,
    pub(crate) each: usize,
    /// Whether the operator watches it.
    pub(crate) is_kept: bool,
}

pub(crate) struct Fleet {
    pub(crate) client: Client,
    pub(crate) kinds: [Kind; 8],
}

/// Batches that so many pipelines make.
pub(crate) fn batches(pipelines: usize) -> usize {
    pipelines.div_ceil(BATCH)
}

pub(crate) fn namespace_of(batch: usize) -> String {
    format!("sites-{batch}")
}

/// What somebody applies: two sites behind an Ingress.
fn pipeline(batch: usize, number: usize) -> Value {
    let site = |word: &str| {
        let host = format!("{word}-{batch}-{number}.example.com");
        json!({"host": format!("assets.{host}"), "origin": format!("https://www.{host}")})
    };
    json!({
        "apiVersion": "assetpipeline.dev/v1alpha1", "kind": "AssetPipeline",
        "metadata": {"name": format!("site-{number}"), "labels": {"team": "web"}},
        "spec": {"ingress": {}, "tenants": [site("shop"), site("blog")]},
    })
}

impl Fleet {
    /// With the definitions in place.
    pub(crate) async fn open(plane: &ControlPlane) -> anyhow::Result<Self> {
        let client = plane.client.clone();
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        for definition in [asset_pipeline_crd(), asset_tenant_crd()] {
            definitions.create(&PostParams::default(), &definition).await.context("cannot define a kind")?;
        }
        let started = Instant::now();
        while let Err(error) = Api::<AssetPipeline>::all(client.clone()).list(&ListParams::default()).await {
            ensure!(started.elapsed() < READY_WITHIN, "the definitions are not there: {error}");
            tokio::time::sleep(POLL).await;
        }
        let kinds = [
            kind::<ServiceAccount>(2, true),
            kind::<Secret>(1, false),
            kind::<ConfigMap>(1, false),
            kind::<Service>(2, true),
            kind::<PodDisruptionBudget>(2, true),
            kind::<NetworkPolicy>(2, true),
            kind::<Deployment>(2, true),
            kind::<Ingress>(1, true),
        ];
        Ok(Self { client, kinds })
    }

    /// Somebody applies a batch of pipelines.
    pub(crate) async fn create_batch(&self, batch: usize) -> anyhow::Result<()> {
        let namespace = namespace_of(batch);
        create_namespace(&self.client, &namespace).await?;
        self.create_pipelines(batch).await
    }

    pub(crate) async fn create_pipelines(&self, batch: usize) -> anyhow::Result<()> {
        let resource = ApiResource::erase::<AssetPipeline>(&());
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &namespace_of(batch), &resource);
        let created = stream::iter(0..BATCH).map(|number| {
            let api = api.clone();
            async move {
                let object: DynamicObject = serde_json::from_value(pipeline(batch, number))?;
                api.create(&PostParams::default(), &object).await.context("cannot make a pipeline")?;
                anyhow::Ok(())
            }
        });
        created.buffer_unordered(CONCURRENCY).try_collect().await
    }

    /// Waits until every child of a batch is there.
    pub(crate) async fn await_children(&self, batch: usize) -> anyhow::Result<()> {
        let started = Instant::now();
        for kind in &self.kinds {
            while self.count(kind, Some(&namespace_of(batch))).await? < kind.each * BATCH {
                if started.elapsed() > READY_WITHIN {
                    bail!("{} are missing: {}", kind.resource.plural, self.tell_unready(batch).await?);
                }
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(())
    }

    /// All that the operator keeps of children.
    pub(crate) async fn count_children(&self) -> anyhow::Result<usize> {
        let mut all = 0;
        for kind in self.kinds.iter().filter(|kind| kind.is_kept) {
            all += self.count(kind, None).await?;
        }
        Ok(all)
    }

    /// Those that are the operator's, without reading them: of a list of one the server says how many are left.
    async fn count(&self, kind: &Kind, namespace: Option<&str>) -> anyhow::Result<usize> {
        let (api, one) = if let Some(namespace) = namespace {
            // A label would have the server read them all.
            (self.api(kind, namespace), ListParams::default().limit(1))
        } else {
            let ours = ListParams::default().labels(&ours());
            (Api::all_with(self.client.clone(), &kind.resource), ours)
        };
        let listed =
            api.list_metadata(&one).await.with_context(|| format!("cannot list {}", kind.resource.plural))?;
        let left = listed.metadata.remaining_item_count.unwrap_or_default();
        Ok(listed.items.len() + usize::try_from(left).unwrap_or_default())
    }

    pub(crate) fn api(&self, kind: &Kind, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &kind.resource)
    }

    /// Tells that all pods of a batch are ready, and waits until its pipelines are.
    pub(crate) async fn settle_batch(&self, batch: usize) -> anyhow::Result<()> {
        self.await_children(batch).await?;
        let namespace = namespace_of(batch);
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), &namespace);
        let pipelines: Api<AssetPipeline> = Api::namespaced(self.client.clone(), &namespace);
        let started = Instant::now();
        while started.elapsed() < READY_WITHIN {
            let unready: Vec<Deployment> = deployments
                .list(&ListParams::default())
                .await?
                .into_iter()
                .filter(|one| !has_pods(one))
                .collect();
            let told = stream::iter(&unready).map(|deployment| tell_pods(&deployments, deployment));
            told.buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
            let all = pipelines.list(&ListParams::default()).await?;
            if unready.is_empty() && all.iter().all(is_ready) {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("its pipelines are not ready: {}", self.tell_unready(batch).await?)
    }

    /// What the first pipeline of a batch that is not ready says of it.
    async fn tell_unready(&self, batch: usize) -> anyhow::Result<String> {
        let pipelines: Api<AssetPipeline> = Api::namespaced(self.client.clone(), &namespace_of(batch));
        let all = pipelines.list(&ListParams::default()).await?;
        let told = all.iter().find(|pipeline| !is_ready(pipeline)).and_then(ready_condition);
        Ok(told.map_or_else(|| "they say nothing".to_owned(), |condition| condition.message.clone()))
    }
}

fn kind<K>(each: usize, is_kept: bool) -> Kind
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    Kind { resource: ApiResource::erase::<K>(&()), each, is_kept }
}

fn has_pods(deployment: &Deployment) -> bool {
    let status = deployment.status.as_ref();
    status.and_then(|status| status.observed_generation) == deployment.metadata.generation
}

/// As the Deployment's controller would.
async fn tell_pods(deployments: &Api<Deployment>, deployment: &Deployment) -> anyhow::Result<()> {
    let replicas = deployment.spec.as_ref().and_then(|spec| spec.replicas);
    let status = json!({"status": {
        "observedGeneration": deployment.metadata.generation, "replicas": replicas, "readyReplicas": replicas,
        "updatedReplicas": replicas, "availableReplicas": replicas,
    }});
    let name = deployment.name_any();
    deployments.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}

fn is_ready(pipeline: &AssetPipeline) -> bool {
    ready_condition(pipeline).is_some_and(|condition| condition.status == "True")
}

fn ready_condition(pipeline: &AssetPipeline) -> Option<&Condition> {
    pipeline.status.as_ref()?.condition(condition_type::READY)
}
