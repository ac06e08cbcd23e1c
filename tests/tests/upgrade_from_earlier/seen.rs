//! What a pipeline consists of, by what tells it from another one of the same name.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::types::QueueAttributeName;
use cluster::command::capture;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use pipeline::aws::{s3_client, sns_client, sqs_client};
use tests::scene::{PIPELINE, Scene, Tier};
use tokio::time::sleep;

use super::TIERS;

/// Pods live longer.
const POLL: Duration = Duration::from_millis(250);
const REVISION: &str = "deployment.kubernetes.io/revision";
/// The kinds of a pipeline's children.
const CHILDREN: &str =
    "deployments,services,serviceaccounts,secrets,configmaps,poddisruptionbudgets,networkpolicies,ingresses";
const IDENTITIES: &str = r#"jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid}{"\n"}{end}"#;

/// At one time.
pub(crate) struct Seen {
    web: SeenTier,
    worker: SeenTier,
    /// Kinds, names and UIDs.
    pub(crate) children: BTreeSet<String>,
    /// Names with what AWS gives anew to who is made anew.
    pub(crate) aws: Vec<String>,
}

struct SeenTier {
    pods: BTreeSet<String>,
    revision: u64,
}

impl Seen {
    pub(crate) async fn of(scene: &Scene) -> Result<Self> {
        let selector = format!("--selector=assetpipeline.dev/pipeline={PIPELINE}");
        let mut kubectl = scene.control.cluster.kubectl();
        kubectl.args(["get", CHILDREN, "--namespace", &scene.namespace, &selector, "--output", IDENTITIES]);
        let children: BTreeSet<String> = capture(&mut kubectl)?.lines().map(str::to_owned).collect();
        ensure!(children.len() >= 8, "only {children:?} are there");
        let (web, worker) = (SeenTier::of(scene, Tier::Web).await?, SeenTier::of(scene, Tier::Worker).await?);
        Ok(Self { web, worker, children, aws: resources(scene).await? })
    }

    pub(crate) fn pods(&self, tier: Tier) -> &BTreeSet<String> {
        &self.tier(tier).pods
    }

    /// Rises with each change of the pods' template.
    pub(crate) fn revision(&self, tier: Tier) -> u64 {
        self.tier(tier).revision
    }

    fn tier(&self, tier: Tier) -> &SeenTier {
        match tier {
            Tier::Web => &self.web,
            Tier::Worker => &self.worker,
        }
    }
}

impl SeenTier {
    async fn of(scene: &Scene, tier: Tier) -> Result<Self> {
        let revision = scene.deployment(tier).await?.annotations().get(REVISION).cloned();
        let revision = revision.context("a Deployment without revision")?.parse()?;
        let pods = scene.pods(tier).await?;
        Ok(Self { pods: uids(pods.iter().filter(|pod| stays(pod))).collect(), revision })
    }
}

async fn resources(scene: &Scene) -> Result<Vec<String>> {
    let (bindings, aws) = (scene.bindings().await?, scene.control.aws().await);
    let bucket = bindings.bucket.context("the status names no bucket")?;
    let buckets = s3_client(&aws).list_buckets().send().await?;
    let listed = buckets.buckets().iter().find(|listed| listed.name() == Some(&bucket));
    let made = listed.and_then(|listed| listed.creation_date()).context("the bucket is not there")?;
    let mut all = vec![format!("{bucket} of {made:?}")];
    let sqs = sqs_client(&aws);
    for url in [bindings.queue_url, bindings.refresh_queue_url, bindings.dead_letter_queue_url] {
        let url = url.context("the status lacks a queue")?;
        let asked =
            sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::CreatedTimestamp);
        all.push(format!("{url} of {:?}", asked.send().await?.attributes));
    }
    let topic = bindings.topic_arn.context("the status names no topic")?;
    // A topic that is made anew has none of them.
    let listed = sns_client(&aws).list_subscriptions_by_topic().topic_arn(&topic).send().await?;
    all.extend(listed.subscriptions().iter().map(|listed| format!("{:?}", listed.subscription_arn())));
    all.push(topic);
    Ok(all)
}

/// All pods that there ever were while it was noted.
#[derive(Default)]
pub(crate) struct Watch(Mutex<BTreeMap<String, BTreeSet<String>>>);

impl Watch {
    /// Ends with a failure only.
    pub(crate) async fn note(&self, scene: &Scene) -> Result<Infallible> {
        loop {
            for tier in TIERS {
                let pods = scene.pods(tier).await?;
                self.lock().entry(tier.deployment()).or_default().extend(uids(&pods));
            }
            sleep(POLL).await;
        }
    }

    pub(crate) fn seen(&self, tier: Tier) -> BTreeSet<String> {
        self.lock().get(&tier.deployment()).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, BTreeSet<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn uids<'p>(pods: impl IntoIterator<Item = &'p Pod>) -> impl Iterator<Item = String> {
    pods.into_iter().filter_map(|pod| pod.metadata.uid.clone())
}

/// Whether nobody has told it to end.
pub(crate) fn stays(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
}
