//! The change of every child, from what is there and what should be.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Secret, Service, ServiceAccount},
    networking::v1::Ingress,
    policy::v1::PodDisruptionBudget,
};

use super::{
    KnownBindings,
    change::{Change, plan_absence, plan_change},
    disruption_budget::build_disruption_budget,
    ingress::build_ingress,
    notice_secret::build_notice_secret,
    peers_service::build_peers_service,
    service::build_service,
    service_account::build_service_account,
    web_deployment::build_web_deployment,
    worker_deployment::{build_newborn, build_worker_deployment},
};
use crate::{
    config::Config,
    names::Tier,
    pipeline::{observe::ObservedChildren, validate::ValidPipeline},
};

/// The change of every child. `apply` takes it apart without `..`, so that none is forgotten there.
#[derive(Debug)]
pub struct Children {
    pub web_service_account: Change<ServiceAccount>,
    pub worker_service_account: Change<ServiceAccount>,
    pub notice_secret: Change<Secret>,
    pub peers_service: Change<Service>,
    pub service: Change<Service>,
    pub web_disruption_budget: Change<PodDisruptionBudget>,
    pub worker_disruption_budget: Change<PodDisruptionBudget>,
    /// The worker Deployment with no replicas, for the scaler's field manager, where there is none yet.
    pub worker_birth: Change<Deployment>,
    pub worker_deployment: Change<Deployment>,
    pub web_deployment: Change<Deployment>,
    pub ingress: Change<Ingress>,
}

pub(super) fn plan_children(
    valid: &ValidPipeline,
    observed: ObservedChildren,
    known: Option<&KnownBindings>,
    config: &Config,
    fresh_key: &str,
) -> Children {
    let ObservedChildren {
        web_service_account,
        worker_service_account,
        notice_secret,
        peers_service,
        service,
        web_disruption_budget,
        worker_disruption_budget,
        worker_deployment,
        web_deployment,
        ingress,
    } = observed;
    let secret = build_notice_secret(valid, notice_secret.as_ref(), fresh_key);
    let worker = known.map(|known| build_worker_deployment(valid, known, &config.workloads));
    let web = known.map(|known| build_web_deployment(valid, known, &config.workloads));
    Children {
        web_service_account: plan_change(web_service_account, build_service_account(valid, Tier::Web)),
        worker_service_account: plan_change(
            worker_service_account,
            build_service_account(valid, Tier::Worker),
        ),
        notice_secret: plan_change(notice_secret, secret),
        peers_service: plan_change(peers_service, build_peers_service(valid)),
        service: plan_change(service, build_service(valid)),
        web_disruption_budget: plan_change(web_disruption_budget, build_disruption_budget(valid, Tier::Web)),
        worker_disruption_budget: plan_change(
            worker_disruption_budget,
            build_disruption_budget(valid, Tier::Worker),
        ),
        worker_birth: plan_birth(worker_deployment.as_ref(), worker.as_ref()),
        worker_deployment: plan_deployment(worker_deployment, worker),
        web_deployment: plan_deployment(web_deployment, web),
        ingress: match build_ingress(valid) {
            Some(desired) => plan_change(ingress, desired),
            None => plan_absence(ingress),
        },
    }
}

fn plan_birth(observed: Option<&Deployment>, desired: Option<&Deployment>) -> Change<Deployment> {
    match (observed, desired) {
        (None, Some(desired)) => Change::Apply(Box::new(build_newborn(desired))),
        (Some(_), _) | (None, None) => Change::Nothing,
    }
}

/// Pods need the bindings' names. While those are unknown the pods that there are go on as they are.
fn plan_deployment(observed: Option<Deployment>, desired: Option<Deployment>) -> Change<Deployment> {
    match (observed, desired) {
        (observed, Some(desired)) => plan_change(observed, desired),
        (Some(observed), None) => Change::Keep(Box::new(observed)),
        (None, None) => Change::Nothing,
    }
}
