//! The operator that leads is paused until another one leads, and then goes on where it was.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::types::QueueAttributeName;
use k8s_openapi::api::{
    apps::v1::Deployment,
    coordination::v1::Lease,
    core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Resource, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use pipeline::aws::sqs_client;
use serde::de::DeserializeOwned;
use serde_json::json;
use tests::{
    control::{Control, OPERATOR, OPERATOR_NAMESPACE, OPERATOR_SELECTOR},
    patience::eventually,
    sass,
    scene::{PIPELINE, Paused, Scene, Setting, Tier, fetch_metrics, play},
};
use tokio::time::sleep;

const SASS: &str = ".led { width: 1px + 2px; }\n";
const OPERATOR_PORT: u16 = 8080;
const LEADS: &str = "assets_operator_leads";
/// The lease's 15 s, a look each 2 s, and what a busy machine adds.
const TAKEN_WITHIN: Duration = Duration::from_secs(25);
const SOON: Duration = Duration::from_secs(15);
/// In which the one that goes on would have written what it had in mind.
const WATCHED: Duration = Duration::from_secs(8);

#[tokio::test]
async fn paused_leader_is_followed_and_writes_nothing_when_it_goes_on() -> Result<()> {
    let setting = Setting { web_replicas: 2, ..Setting::default() };
    play("leaders", setting, async |scene| {
        let pods = list_operators(&scene.control).await?;
        ensure!(pods.len() == 2, "{} operators run", pods.len());
        let first = find_leader(&scene.control, &pods).await?;
        let second = pods.iter().find(|pod| pod.name_any() != first.name_any()).context("one alone runs")?;

        let paused = Paused::stop(&first)?;
        // Its watch has told it of this by the time that it goes on.
        set_replicas(scene, 3).await?;
        eventually(TAKEN_WITHIN, "the other one to lead", async || {
            let leader = find_leader(&scene.control, &pods).await?;
            ensure!(leader.name_any() == second.name_any(), "{} still leads", leader.name_any());
            Ok(())
        })
        .await?;
        eventually(SOON, "the third web pod", async || {
            let replicas = scene.deployment(Tier::Web).await?.spec.and_then(|spec| spec.replicas);
            ensure!(replicas == Some(3), "{replicas:?} are asked for");
            Ok(())
        })
        .await?;
        eventually(SOON, "three web pods that are ready", async || {
            let ready = scene.deployment(Tier::Web).await?.status.and_then(|status| status.ready_replicas);
            ensure!(ready == Some(3), "{ready:?} are ready");
            Ok(())
        })
        .await?;

        // Found by the one that leads within minutes, and by the other one as soon as it goes on.
        let jobs = Jobs::of(scene).await?;
        jobs.set_wait("1").await?;
        let before = list_versions(scene).await?;
        drop(paused);
        eventually(SOON, "the first one to notice", async || {
            let leads = fetch_metrics(&first, OPERATOR_PORT).await?.sum(LEADS);
            ensure!(leads == 0, "it takes itself for the leader");
            Ok(())
        })
        .await?;
        sleep(WATCHED).await;
        assert_eq!(list_versions(scene).await?, before);
        assert_eq!(jobs.wait().await?, "1", "the queue was corrected");
        assert_eq!(fetch_metrics(second, OPERATOR_PORT).await?.sum(LEADS), 1);
        assert_eq!(find_leader(&scene.control, &pods).await?.name_any(), second.name_any());
        scene.origin.put("/app.scss", SASS);
        let answer = scene.visitor.get("/app.css").await?;
        assert_eq!((answer.status, answer.body), (200, sass::compile(SASS)?));
        Ok(())
    })
    .await
}

async fn list_operators(control: &Control) -> Result<Vec<Pod>> {
    let wanted = ListParams::default().labels(OPERATOR_SELECTOR).fields("status.phase=Running");
    let pods = control.api::<Pod>(OPERATOR_NAMESPACE).list(&wanted).await?;
    Ok(pods.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect())
}

/// The pod that the Lease names.
async fn find_leader(control: &Control, pods: &[Pod]) -> Result<Pod> {
    let lease = control.api::<Lease>(OPERATOR_NAMESPACE).get(OPERATOR).await?;
    let holder = lease.spec.and_then(|spec| spec.holder_identity).context("nobody has the lease")?;
    let leads = |pod: &&Pod| holder.starts_with(&format!("{}_", pod.name_any()));
    pods.iter().find(leads).cloned().with_context(|| format!("{holder} has the lease"))
}

async fn set_replicas(scene: &Scene, replicas: i32) -> Result<()> {
    let patch = Patch::Merge(json!({"spec": {"web": {"replicas": replicas}}}));
    scene.pipelines().patch(PIPELINE, &PatchParams::default(), &patch).await?;
    Ok(())
}

/// The pipeline's queue of visits.
struct Jobs {
    sqs: aws_sdk_sqs::Client,
    url: String,
}

impl Jobs {
    async fn of(scene: &Scene) -> Result<Self> {
        let object = scene.pipelines().get(PIPELINE).await?;
        let bindings = object.status.and_then(|status| status.bindings);
        let url = bindings.and_then(|bindings| bindings.queue_url).context("there is no queue")?;
        Ok(Self { sqs: sqs_client(&scene.control.aws().await), url })
    }

    /// For how many seconds who receives waits; the operator sets 20.
    async fn set_wait(&self, seconds: &str) -> Result<()> {
        // The emulator forgets a policy that does not come along.
        let policy = self.fetch(QueueAttributeName::Policy).await?;
        let request = self.sqs.set_queue_attributes().queue_url(&self.url);
        let request = request.attributes(QueueAttributeName::ReceiveMessageWaitTimeSeconds, seconds);
        let request = policy
            .into_iter()
            .fold(request, |request, policy| request.attributes(QueueAttributeName::Policy, policy));
        request.send().await?;
        Ok(())
    }

    async fn wait(&self) -> Result<String> {
        self.fetch(QueueAttributeName::ReceiveMessageWaitTimeSeconds)
            .await?
            .context("it has no such attribute")
    }

    async fn fetch(&self, name: QueueAttributeName) -> Result<Option<String>> {
        let request = self.sqs.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone());
        Ok(request.send().await?.attributes.unwrap_or_default().remove(&name))
    }
}

/// The generation of all that the operator applies: it counts what is asked for, and no status.
async fn list_versions(scene: &Scene) -> Result<BTreeMap<String, Option<i64>>> {
    let mut versions = BTreeMap::new();
    add_versions::<ConfigMap>(scene, &mut versions).await?;
    add_versions::<Deployment>(scene, &mut versions).await?;
    add_versions::<Ingress>(scene, &mut versions).await?;
    add_versions::<NetworkPolicy>(scene, &mut versions).await?;
    add_versions::<PodDisruptionBudget>(scene, &mut versions).await?;
    add_versions::<Secret>(scene, &mut versions).await?;
    add_versions::<Service>(scene, &mut versions).await?;
    add_versions::<ServiceAccount>(scene, &mut versions).await?;
    Ok(versions)
}

async fn add_versions<K>(scene: &Scene, versions: &mut BTreeMap<String, Option<i64>>) -> Result<()>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned,
{
    for object in scene.control.api::<K>(&scene.namespace).list(&ListParams::default()).await?.items {
        // What has no status counts no generations, and Services do not.
        let version = object.resource_version().and_then(|version| version.parse().ok());
        let version = object.meta().generation.or(version);
        versions.insert(format!("{} {}", K::kind(&()), object.name_any()), version);
    }
    Ok(())
}
