//! The worker pods. Their number belongs to the scaler's field manager and is never named here.

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec},
        core::v1::{Container, PodSpec, PodTemplateSpec},
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
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
/// one pod, so the scaler's field manager creates it. It names nothing else that a spec may take back: what two
/// managers have set stays when one of them lets go of it.
pub(super) fn build_newborn(desired: &Deployment) -> Deployment {
    let ObjectMeta { name, namespace, labels, owner_references, .. } = desired.metadata.clone();
    let spec = desired.spec.as_ref().map(|spec| {
        let containers = spec.template.spec.iter().flat_map(|pod| &pod.containers);
        let containers = containers.map(|container| Container {
            name: container.name.clone(),
            image: container.image.clone(),
            ..Container::default()
        });
        let selected = ObjectMeta { labels: spec.selector.match_labels.clone(), ..ObjectMeta::default() };
        DeploymentSpec {
            replicas: Some(0),
            selector: spec.selector.clone(),
            template: PodTemplateSpec {
                metadata: Some(selected),
                spec: Some(PodSpec { containers: containers.collect(), ..PodSpec::default() }),
            },
            ..DeploymentSpec::default()
        }
    });
    let metadata = ObjectMeta { name, namespace, labels, owner_references, ..ObjectMeta::default() };
    Deployment { metadata, spec, status: None }
}
