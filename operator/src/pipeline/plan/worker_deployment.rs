//! The worker pods. Their number belongs to the scaler's field manager and is never named here.

use k8s_openapi::{
    api::apps::v1::{Deployment, DeploymentSpec},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use pipeline::env;

use super::{
    KnownBindings,
    metadata::build_metadata,
    pod::{OPERATION_PORT_NAME, TierPods, build_template, container_port, resources},
    settings::build_worker_env,
};
use crate::{
    config::WorkloadConfig,
    names::Tier,
    pipeline::validate::{Mebibytes, ValidPipeline},
};

/// Memory of the process that fetches and stores, in MiB.
const PARENT_MEBIBYTES: u64 = 256;
/// Memory of one job at its limits, in MiB: of its child, and of its sources, 16 MiB that are kept and 48 of 4 MiB
/// that are on their way. Where a pod passes its own limit the kernel kills the whole container, so that limit
/// leaves room for every job's.
const JOB_MEBIBYTES: u64 = 768 + 16 + 48 * 4;

pub(super) fn build_worker_deployment(
    valid: &ValidPipeline,
    known: &KnownBindings,
    workloads: &WorkloadConfig,
) -> Deployment {
    let memory_limit = Mebibytes(PARENT_MEBIBYTES + JOB_MEBIBYTES * u64::from(valid.concurrency.get()));
    let pods = TierPods {
        tier: Tier::Worker,
        overlay: &valid.worker_pods,
        image: workloads.worker_image.clone(),
        env: build_worker_env(valid, known, workloads),
        ports: vec![container_port(OPERATION_PORT_NAME, env::OPERATION_PORT)],
        resources: resources("100m", "128Mi", &memory_limit.to_string()),
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
