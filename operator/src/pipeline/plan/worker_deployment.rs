//! The worker pods. Their number belongs to the scaler's field manager and is never named here.

use k8s_openapi::{
    api::apps::v1::{Deployment, DeploymentSpec},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use pipeline::env;

use super::{
    KnownBindings,
    metadata::build_metadata,
    pod::{OPERATION_PORT_NAME, TierPods, build_template, container_port},
    settings::build_worker_env,
};
use crate::{config::WorkloadConfig, names::Tier, pipeline::validate::ValidPipeline};

pub(super) fn build_worker_deployment(
    valid: &ValidPipeline,
    known: &KnownBindings,
    workloads: &WorkloadConfig,
) -> Deployment {
    let pods = TierPods {
        tier: Tier::Worker,
        overlay: &valid.worker_pods,
        image: workloads.worker_image.clone(),
        env: build_worker_env(valid, known, workloads),
        ports: vec![container_port(OPERATION_PORT_NAME, env::OPERATION_PORT)],
        lifecycle: None,
        grace_seconds: valid.timeouts.worker_grace,
        origin_credentials: valid.origin_credentials.clone(),
        // A worker in a full zone's neighbour is better than none.
        when_zones_are_uneven: "ScheduleAnyway",
    };
    Deployment {
        metadata: build_metadata(
            valid,
            Tier::Worker.child_name(&valid.name),
            Tier::Worker.labels(&valid.name),
        ),
        spec: Some(DeploymentSpec {
            selector: LabelSelector {
                match_labels: Some(Tier::Worker.selector(&valid.name)),
                ..LabelSelector::default()
            },
            template: build_template(valid, workloads, pods),
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

/// The Deployment at its creation, with no replicas. A Deployment that is created without naming them gets
/// one pod, so the scaler's field manager creates it.
pub(super) fn build_newborn(desired: &Deployment) -> Deployment {
    let mut newborn = desired.clone();
    if let Some(spec) = &mut newborn.spec {
        spec.replicas = Some(0);
    }
    newborn
}
