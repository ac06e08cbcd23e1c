//! The web pods: spread over the zones, and never fewer than the spec asks for while a new version comes.

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment},
        core::v1::{Lifecycle, LifecycleHandler, SleepAction},
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use pipeline::env;

use super::{
    KnownBindings,
    metadata::build_metadata,
    pod::{
        INTERNAL_PORT_NAME, OPERATION_PORT_NAME, PUBLIC_PORT_NAME, TierPods, build_template, container_port,
    },
    settings::build_web_env,
};
use crate::{config::WorkloadConfig, names::Tier, pipeline::validate::ValidPipeline};

pub(super) fn build_web_deployment(
    valid: &ValidPipeline,
    known: &KnownBindings,
    workloads: &WorkloadConfig,
) -> Deployment {
    Deployment {
        metadata: build_metadata(valid, Tier::Web.child_name(&valid.name), Tier::Web.labels(&valid.name)),
        spec: Some(DeploymentSpec {
            replicas: Some(valid.web_replicas),
            selector: LabelSelector {
                match_labels: Some(Tier::Web.selector(&valid.name)),
                ..LabelSelector::default()
            },
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_unavailable: Some(IntOrString::Int(0)),
                    max_surge: Some(IntOrString::Int(1)),
                }),
            }),
            template: build_template(valid, workloads, build_pods(valid, known, workloads)),
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn build_pods<'a>(
    valid: &'a ValidPipeline,
    known: &KnownBindings,
    workloads: &WorkloadConfig,
) -> TierPods<'a> {
    TierPods {
        tier: Tier::Web,
        overlay: &valid.web_pods,
        image: workloads.web_image.clone(),
        env: build_web_env(valid, known, workloads),
        ports: vec![
            container_port(PUBLIC_PORT_NAME, env::PUBLIC_PORT),
            container_port(INTERNAL_PORT_NAME, env::INTERNAL_PORT),
            container_port(OPERATION_PORT_NAME, env::OPERATION_PORT),
        ],
        // Visitors still arrive for a while after the pod left the endpoints.
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                sleep: Some(SleepAction { seconds: valid.timeouts.pre_stop.into() }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        grace_seconds: valid.timeouts.web_grace,
        origin_credentials: None,
        when_zones_are_uneven: "DoNotSchedule",
    }
}
