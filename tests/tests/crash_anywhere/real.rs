//! A sample of the points on the cluster's API server and an emulator of AWS.
//!
//! The operator that runs there must not see these pipelines: they belong to a definition of the same form in
//! another group. No pod can start in their namespace; kubelets' part is played as in memory.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use crds::{AssetPipeline, asset_pipeline_crd};
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{ConfigMap, Namespace, ResourceQuota, Secret, Service, ServiceAccount},
        networking::v1::{Ingress, NetworkPolicy},
        policy::v1::PodDisruptionBudget,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, TypeMeta},
};
use operator::{aws::Clients, names::PIPELINE_LABEL};
use serde_json::{Value, json};
use tests::{
    control::{Control, FIELD_MANAGER},
    moto::Moto,
    patience::eventually,
};
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    endpoint::{Clock, Endpoint},
    every_point::{Victim, difference, play},
    links::{Aws, Cluster},
    scenario::Scenario,
    wire::Fault,
    world::World,
};

/// One test at a time has the namespace and the definition.
static STAGE: Mutex<()> = Mutex::const_new(());
/// In place of the operator's own group.
pub(crate) const GROUP: &str = "crash.test";
pub(crate) const NAMESPACE: &str = "crash-anywhere";
const ENDS_WITHIN: Duration = Duration::from_mins(1);
/// Points of each scenario.
const SAMPLE: usize = 10;
const SAMPLED: [Scenario; 10] = [
    Scenario::Create,
    Scenario::Adopt,
    Scenario::AdoptOrCreate,
    Scenario::Update,
    Scenario::UpdateEndpoint,
    Scenario::UpdatePolicies,
    Scenario::DeleteAndRetain,
    Scenario::DeleteAll,
    Scenario::DeleteAdopted,
    Scenario::CreateAgain,
];

#[tokio::test]
#[ignore = "long: more than fifty lives of a pipeline on the cluster"]
async fn sample_of_all_points_ends_the_same_on_the_real_api_server() -> Result<()> {
    let started = Instant::now();
    let control = Control::connect().await?;
    let moto = Moto::start()?;
    let _stage = prepare(&control.client).await?;
    let mut fresh = worlds(&control.client, &moto);
    let mut points = 0;
    for scenario in SAMPLED {
        points += sample(scenario, &mut fresh).await.with_context(|| format!("{scenario:?}"))?;
    }
    println!("{points} points on the real API server in {:.1?}", started.elapsed());
    clean(&control.client).await
}

/// Every second one is a crash, the others lose a reply.
async fn sample(scenario: Scenario, fresh: &mut impl FnMut() -> Result<World>) -> Result<usize> {
    let calm = fresh()?;
    scenario.given(&calm).await?;
    let calm = Box::pin(play(scenario, &calm, Fault::Nothing, Victim::Dies)).await?;
    scenario.check_end(&calm.state)?;
    let writes = calm.disturbed.wire.write_count();
    for number in 0..SAMPLE {
        let write = 1 + number * writes / SAMPLE;
        let fault = if number % 2 == 0 { Fault::StopAfter(write) } else { Fault::LoseReply(write) };
        let world = fresh()?;
        let point = || format!("{fault:?}, {}", calm.disturbed.wire.told(write));
        scenario.given(&world).await.with_context(point)?;
        let found = Box::pin(play(scenario, &world, fault, Victim::Dies)).await.with_context(point)?.state;
        ensure!(found == calm.state, "{}: {}", point(), difference(&calm.state, &found));
    }
    Ok(SAMPLE)
}

/// One world after the other, each with a pipeline of its own name.
pub(crate) fn worlds(client: &Client, moto: &Moto) -> impl FnMut() -> Result<World> {
    let mut made = 0;
    move || {
        made += 1;
        Ok(World {
            endpoint: Endpoint::default(),
            clock: Clock::default(),
            cluster: Cluster::Real(client.clone()),
            aws: Aws::Real(moto.endpoint().parse()?, reqwest::Client::new()),
            namespace: NAMESPACE.to_owned(),
            name: format!("front-{made:03}x"),
        })
    }
}

/// The definition, and a namespace in which no pod starts.
pub(crate) async fn prepare(client: &Client) -> Result<MutexGuard<'static, ()>> {
    let stage = STAGE.lock().await;
    let mut definition = serde_json::to_value(asset_pipeline_crd())?;
    definition["metadata"] = json!({"name": format!("assetpipelines.{GROUP}")});
    definition["spec"]["group"] = json!(GROUP);
    let force = PatchParams::apply(FIELD_MANAGER).force();
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = format!("assetpipelines.{GROUP}");
    definitions.patch(&name, &force, &Patch::Apply(&definition)).await?;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    Api::<Namespace>::all(client.clone()).patch(NAMESPACE, &force, &Patch::Apply(&namespace)).await?;
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "no-pods"},
        "spec": {"hard": {"pods": "0"}},
    });
    let quotas: Api<ResourceQuota> = Api::namespaced(client.clone(), NAMESPACE);
    quotas.patch("no-pods", &force, &Patch::Apply(&quota)).await?;
    eventually(ENDS_WITHIN, "the definition", async || {
        let pipelines = objects_of(client, &resource::<AssetPipeline>());
        pipelines.list(&ListParams::default()).await.map(drop).map_err(anyhow::Error::from)
    })
    .await?;
    Ok(stage)
}

/// The pipelines' finalizers would keep namespace and definition for ever.
pub(crate) async fn clean(client: &Client) -> Result<()> {
    let pipelines = objects_of(client, &resource::<AssetPipeline>());
    let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    for pipeline in pipelines.list(&ListParams::default()).await? {
        pipelines.patch(&pipeline.name_any(), &PatchParams::default(), &free).await?;
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.delete(NAMESPACE, &DeleteParams::default()).await?;
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definition = format!("assetpipelines.{GROUP}");
    definitions.delete(&definition, &DeleteParams::default()).await?;
    eventually(ENDS_WITHIN, "the namespace and the definition to go", async || {
        let are_gone = namespaces.get_opt(NAMESPACE).await?.is_none()
            && definitions.get_opt(&definition).await?.is_none();
        ensure!(are_gone, "they are still there");
        Ok(())
    })
    .await
}

/// The operator's own kind is one of our group here.
fn resource<K: Resource<DynamicType = ()>>() -> ApiResource {
    let mut resource = ApiResource::erase::<K>(&());
    resource.api_version = resource.api_version.replace("assetpipeline.dev", GROUP);
    resource.group = resource.group.replace("assetpipeline.dev", GROUP);
    resource
}

fn objects_of(client: &Client, resource: &ApiResource) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), NAMESPACE, resource)
}

/// Waits for what is deleted in the foreground. Whether there was any.
pub(crate) async fn until_deployments_are_gone(client: &Client, world: &World) -> Result<bool> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &world.namespace);
    let ours = ListParams::default().labels(&format!("{PIPELINE_LABEL}={}", world.name));
    let are_going = async || -> Result<bool> {
        let all = deployments.list(&ours).await?;
        Ok(all.iter().any(|deployment| deployment.metadata.deletion_timestamp.is_some()))
    };
    if !are_going().await? {
        return Ok(false);
    }
    let gone = async || if are_going().await? { Err(anyhow!("they are still there")) } else { Ok(()) };
    eventually(ENDS_WITHIN, "Deployments to end", gone).await.map(|()| true)
}

/// What bears the world's name. What a pipeline leaves to the garbage collector counts as gone with it.
pub(crate) async fn objects(client: &Client, world: &World) -> Result<Vec<Value>> {
    let kinds = [
        resource::<AssetPipeline>(),
        resource::<ConfigMap>(),
        resource::<Deployment>(),
        resource::<Ingress>(),
        resource::<NetworkPolicy>(),
        resource::<PodDisruptionBudget>(),
        resource::<Secret>(),
        resource::<Service>(),
        resource::<ServiceAccount>(),
    ];
    let mut found = Vec::new();
    for resource in kinds {
        let all = objects_of(client, &resource).list(&ListParams::default()).await?;
        let ours = all.into_iter().filter(|object| object.name_any().contains(&world.name));
        // The API server leaves the kind out of what it lists.
        let (api_version, kind) = (resource.api_version, resource.kind);
        let types = Some(TypeMeta { api_version, kind });
        found.extend(ours.map(|object| DynamicObject { types: types.clone(), ..object }));
    }
    let uids: Vec<String> = found.iter().filter_map(ResourceExt::uid).collect();
    let is_left = |object: &DynamicObject| {
        object.owner_references().is_empty()
            || object.owner_references().iter().any(|owner| uids.contains(&owner.uid))
    };
    let left = found.iter().filter(|object| is_left(object));
    left.map(|object| serde_json::to_value(object).map_err(anyhow::Error::from)).collect()
}

/// What bears the world's name on AWS.
pub(crate) async fn dump(aws: &Clients, world: &World) -> Result<Value> {
    let mut found = json!({"buckets": {}, "queues": {}, "topics": {}});
    for bucket in aws.s3.list_buckets().send().await?.buckets() {
        let name = bucket.name().unwrap_or_default();
        if name.contains(&world.name) {
            found["buckets"][name] = dump_bucket(aws, name).await?;
        }
    }
    for url in aws.sqs.list_queues().send().await?.queue_urls() {
        let name = url.rsplit('/').next().unwrap_or_default();
        if name.contains(&world.name) {
            found["queues"][name] = dump_queue(aws, url).await?;
        }
    }
    let mut pages = aws.sns.list_topics().into_paginator().send();
    while let Some(page) = pages.next().await {
        for arn in page?.topics().iter().filter_map(|topic| topic.topic_arn()) {
            let name = arn.rsplit(':').next().unwrap_or_default();
            if name.contains(&world.name) {
                found["topics"][name] = dump_topic(aws, arn).await?;
            }
        }
    }
    Ok(found)
}

/// What is not set is answered with an error, which says so.
async fn dump_bucket(aws: &Clients, name: &str) -> Result<Value> {
    let s3 = &aws.s3;
    let tags = s3.get_bucket_tagging().bucket(name).send().await.map(|told| told.tag_set).unwrap_or_default();
    let tags: BTreeMap<&str, &str> = tags.iter().map(|tag| (tag.key(), tag.value())).collect();
    let policy = s3.get_bucket_policy().bucket(name).send().await.ok().and_then(|told| told.policy);
    let block = s3.get_public_access_block().bucket(name).send().await.ok();
    let block = block.map(|told| format!("{:?}", told.public_access_block_configuration));
    let encryption = s3.get_bucket_encryption().bucket(name).send().await.ok();
    let encryption = encryption.map(|told| format!("{:?}", told.server_side_encryption_configuration));
    let versioning = s3.get_bucket_versioning().bucket(name).send().await.ok();
    let versioning = versioning.and_then(|told| told.status).map(|status| format!("{status:?}"));
    let lifecycle = s3.get_bucket_lifecycle_configuration().bucket(name).send().await.ok();
    let lifecycle = lifecycle.map(|told| format!("{:?}", told.rules));
    let mut objects = json!({});
    for object in s3.list_objects_v2().bucket(name).send().await?.contents() {
        let key = object.key().unwrap_or_default();
        let body = s3.get_object().bucket(name).key(key).send().await?.body.collect().await?;
        objects[key] = json!(String::from_utf8_lossy(&body.into_bytes()));
    }
    Ok(json!({
        "tags": tags, "policy": policy, "block": block, "encryption": encryption, "versioning": versioning,
        "lifecycle": lifecycle, "objects": objects,
    }))
}

async fn dump_queue(aws: &Clients, url: &str) -> Result<Value> {
    let request = aws.sqs.get_queue_attributes().queue_url(url);
    let told = request.attribute_names(aws_sdk_sqs::types::QueueAttributeName::All).send().await?;
    let attributes = told.attributes.unwrap_or_default().into_iter();
    let attributes: BTreeMap<String, String> = attributes
        .map(|(name, value)| (name.as_str().to_owned(), value))
        .filter(|(name, _)| !name.ends_with("Timestamp"))
        .collect();
    let tags = aws.sqs.list_queue_tags().queue_url(url).send().await?.tags;
    let tags: BTreeMap<String, String> = tags.unwrap_or_default().into_iter().collect();
    Ok(json!({"attributes": attributes, "tags": tags}))
}

async fn dump_topic(aws: &Clients, arn: &str) -> Result<Value> {
    let attributes = aws.sns.get_topic_attributes().topic_arn(arn).send().await?.attributes;
    let attributes: BTreeMap<String, String> = attributes.unwrap_or_default().into_iter().collect();
    let tags = aws.sns.list_tags_for_resource().resource_arn(arn).send().await?;
    let tags: BTreeMap<&str, &str> = tags.tags().iter().map(|tag| (tag.key(), tag.value())).collect();
    let listed = aws.sns.list_subscriptions_by_topic().topic_arn(arn).send().await?;
    let listed: Vec<_> =
        listed.subscriptions().iter().map(|told| (told.protocol(), told.endpoint())).collect();
    Ok(json!({"attributes": attributes, "tags": tags, "subscriptions": listed}))
}
