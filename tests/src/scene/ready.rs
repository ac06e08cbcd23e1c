//! Until a scene is ready: the pipeline says so, and only the pods that were asked for are there.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::{AssetPipeline, condition_type};
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Condition};
use kube::ResourceExt;

use super::{READY_WITHIN, Scene, Setting, Sns, Tier};
use crate::{patience::eventually, visitor::Visitor};

/// kube-proxy writes its rules at most once a second.
const REACHED_WITHIN: Duration = Duration::from_secs(20);

impl Scene {
    pub async fn wait_until_ready(&self, setting: &Setting) -> Result<()> {
        for (tier, variables) in [(Tier::Web, setting.web_env), (Tier::Worker, setting.worker_env)] {
            if !variables.is_empty() {
                // At once, so that as few pods as possible start without it.
                eventually(READY_WITHIN, "the Deployments", async || self.set_env(tier, variables).await)
                    .await?;
            }
        }
        eventually(READY_WITHIN, "the pipeline to be ready", async || {
            let pipeline = self.pipeline().await?;
            check_condition(&pipeline, condition_type::READY)?;
            if setting.sns == Sns::Subscribed {
                check_condition(&pipeline, condition_type::SUBSCRIPTION_READY)?;
            }
            self.check_workers(setting).await?;
            self.check_web_pods(setting).await
        })
        .await?;
        eventually(REACHED_WITHIN, "visitors to reach every web pod", async || self.reach_web_pods().await)
            .await?;
        self.check_env(Tier::Web, setting.web_env).await?;
        self.check_env(Tier::Worker, setting.worker_env).await
    }

    /// Those that are there without any work.
    async fn check_workers(&self, setting: &Setting) -> Result<()> {
        let wanted = usize::try_from(setting.worker.min_replicas)?;
        let ready = self.pods(Tier::Worker).await?.iter().filter(|pod| is_ready(pod)).count();
        ensure!(ready >= wanted, "{ready} of {wanted} workers are ready");
        Ok(())
    }

    /// kube-proxy learns of new pods after the operator does. Visitors of a host that nobody has are counted
    /// by the pod that they reach, and cost no job.
    async fn reach_web_pods(&self) -> Result<()> {
        let nobody = Visitor::scout(self.visitor.node_port(), "nobody.example")?;
        let pods = self.pods(Tier::Web).await?;
        for _ in 0..2 * pods.len() {
            let answer = nobody.get("/app.css").await?;
            ensure!(answer.status == 404, "nobody got {answer:?}");
        }
        for pod in pods {
            let reached = self.metrics_of(&pod).await?.sum("assets_web_answers_total");
            ensure!(reached > 0, "pod {} was not reached", pod.name_any());
        }
        Ok(())
    }

    /// Pods of an earlier template are waited for: until they are gone, visitors may still meet them. All
    /// pods have to know each other: those that do not may name two owners of a key.
    pub async fn check_web_pods(&self, setting: &Setting) -> Result<()> {
        let deployment = self.deployment(Tier::Web).await?;
        let status = deployment.status.context("the web Deployment has no status")?;
        ensure!(status.observed_generation == deployment.metadata.generation, "the roll-out has not begun");
        ensure!(status.updated_replicas == Some(setting.web_replicas), "the roll-out is under way");
        let pods = self.pods(Tier::Web).await?;
        let wanted = usize::try_from(setting.web_replicas)?;
        ensure!(pods.len() == wanted, "there are {} web pods, not {wanted}", pods.len());
        ensure!(pods.iter().all(is_ready), "not all web pods are ready");
        for pod in pods {
            let known = self.metrics_of(&pod).await?.sum("assets_web_fleet_members");
            ensure!(known == wanted as u64, "pod {} knows {known} of {wanted} web pods", pod.name_any());
        }
        Ok(())
    }
}

/// Whether the condition holds for the spec as it is now.
pub fn check_condition(pipeline: &AssetPipeline, type_: &str) -> Result<()> {
    let condition = find_condition(pipeline, type_)?;
    ensure!(
        condition.status == "True" && condition.observed_generation == pipeline.metadata.generation,
        "{type_} is {}: {} ({})",
        condition.status,
        condition.reason,
        condition.message
    );
    Ok(())
}

/// The condition as the status tells it.
pub fn find_condition<'p>(pipeline: &'p AssetPipeline, type_: &str) -> Result<&'p Condition> {
    let status = pipeline.status.as_ref().context("there is no status")?;
    status.condition(type_).with_context(|| format!("there is no condition {type_}"))
}

/// Whether the pod is ready, and was not told to end.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let is_ready = conditions.into_iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True");
    is_ready && pod.metadata.deletion_timestamp.is_none()
}
