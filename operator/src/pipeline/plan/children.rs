//! The change of every child, from what is there and what should be.

use k8s_openapi::{
    Metadata,
    api::{
        apps::v1::Deployment,
        core::v1::{ConfigMap, Secret, Service, ServiceAccount},
        networking::v1::{Ingress, NetworkPolicy},
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::Resource;
use serde::Serialize;

use super::{
    Chance, KnownBindings,
    bindings::NamedBindings,
    bindings_config_map::build_bindings_config_map,
    change::{Change, plan_absence, plan_change},
    disruption_budget::build_disruption_budget,
    ingress::build_ingress,
    network_policy::build_network_policy,
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
    pipeline::{observe::ObservedChildren, ownership::is_controlled_by, validate::ValidPipeline},
};

/// The change of every child. `apply` takes it apart without `..`, so that none is forgotten there.
#[derive(Debug)]
pub struct Children {
    pub web_service_account: Change<ServiceAccount>,
    pub worker_service_account: Change<ServiceAccount>,
    pub notice_secret: Change<Secret>,
    pub bindings_config_map: Change<ConfigMap>,
    pub peers_service: Change<Service>,
    pub service: Change<Service>,
    pub web_disruption_budget: Change<PodDisruptionBudget>,
    pub worker_disruption_budget: Change<PodDisruptionBudget>,
    pub web_network_policy: Change<NetworkPolicy>,
    pub worker_network_policy: Change<NetworkPolicy>,
    /// The worker Deployment with no replicas, for the scaler's field manager, where there is none yet.
    pub worker_birth: Change<Deployment>,
    pub worker_deployment: Change<Deployment>,
    pub web_deployment: Change<Deployment>,
    pub ingress: Change<Ingress>,
}

/// An object that stands where a child should, and that the pipeline does not control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignChild {
    pub kind: String,
    pub name: String,
}

impl Children {
    /// Everything that is in a child's place.
    pub fn foreign(&self) -> Vec<ForeignChild> {
        let Self {
            web_service_account,
            worker_service_account,
            notice_secret,
            bindings_config_map,
            peers_service,
            service,
            web_disruption_budget,
            worker_disruption_budget,
            web_network_policy,
            worker_network_policy,
            // Where a worker Deployment is there, whosever it is, none is born.
            worker_birth: _,
            worker_deployment,
            web_deployment,
            ingress,
        } = self;
        let all = [
            foreign_child(web_service_account),
            foreign_child(worker_service_account),
            foreign_child(notice_secret),
            foreign_child(bindings_config_map),
            foreign_child(peers_service),
            foreign_child(service),
            foreign_child(web_disruption_budget),
            foreign_child(worker_disruption_budget),
            foreign_child(web_network_policy),
            foreign_child(worker_network_policy),
            foreign_child(worker_deployment),
            foreign_child(web_deployment),
            foreign_child(ingress),
        ];
        all.into_iter().flatten().collect()
    }
}

fn foreign_child<K: Resource<DynamicType = ()>>(change: &Change<K>) -> Option<ForeignChild> {
    match change {
        Change::Foreign { name } => {
            Some(ForeignChild { kind: K::kind(&()).into_owned(), name: name.clone() })
        }
        Change::Keep(_) | Change::Create(_) | Change::Apply(_) | Change::Delete { .. } | Change::Nothing => {
            None
        }
    }
}

pub(super) fn plan_children(
    valid: &ValidPipeline,
    observed: ObservedChildren,
    (known, named): (Option<&KnownBindings>, Option<&NamedBindings>),
    config: &Config,
    chance: &Chance,
) -> Children {
    let ObservedChildren {
        web_service_account,
        worker_service_account,
        notice_secret,
        bindings_config_map,
        peers_service,
        service,
        web_disruption_budget,
        worker_disruption_budget,
        web_network_policy,
        worker_network_policy,
        worker_deployment,
        web_deployment,
        ingress,
    } = observed;
    let owner = &valid.owner_reference;
    let secret = build_notice_secret(valid, notice_secret.as_ref(), chance);
    let web_service_account =
        plan_change(owner, web_service_account, build_service_account(valid, Tier::Web));
    let worker_service_account =
        plan_change(owner, worker_service_account, build_service_account(valid, Tier::Worker));
    let notice_secret = plan_change(owner, notice_secret, secret);
    // No pod runs under an identity, or trusts a key, that somebody else handed out; `apply` sees to what it meets.
    let web_known = known.filter(|_| !web_service_account.is_foreign() && !notice_secret.is_foreign());
    let worker_known = known.filter(|_| !worker_service_account.is_foreign() && !notice_secret.is_foreign());
    let worker = worker_known.map(|known| build_worker_deployment(valid, known, &config.workloads));
    let web = web_known.map(|known| build_web_deployment(valid, known, &config.workloads));
    let told = named.map(|named| build_bindings_config_map(valid, named, &config.workloads));
    let budget = |tier| build_disruption_budget(valid, tier);
    let network = |tier| build_network_policy(valid, tier, config);
    Children {
        web_service_account,
        worker_service_account,
        notice_secret,
        bindings_config_map: plan_once_known(owner, bindings_config_map, told),
        peers_service: plan_change(owner, peers_service, build_peers_service(valid)),
        service: plan_change(owner, service, build_service(valid)),
        web_disruption_budget: plan_change(owner, web_disruption_budget, budget(Tier::Web)),
        worker_disruption_budget: plan_change(owner, worker_disruption_budget, budget(Tier::Worker)),
        web_network_policy: plan_optional(owner, web_network_policy, network(Tier::Web)),
        worker_network_policy: plan_optional(owner, worker_network_policy, network(Tier::Worker)),
        worker_birth: plan_birth(worker_deployment.as_ref(), worker.as_ref()),
        worker_deployment: plan_once_known(owner, worker_deployment, worker),
        web_deployment: plan_once_known(owner, web_deployment, web),
        ingress: plan_optional(owner, ingress, build_ingress(valid)),
    }
}

/// For what the spec may want none of.
fn plan_optional<K>(owner: &OwnerReference, observed: Option<K>, desired: Option<K>) -> Change<K>
where
    K: Metadata<Ty = ObjectMeta> + Serialize,
{
    match desired {
        Some(desired) => plan_change(owner, observed, desired),
        None => plan_absence(owner, observed),
    }
}

fn plan_birth(observed: Option<&Deployment>, desired: Option<&Deployment>) -> Change<Deployment> {
    match (observed, desired) {
        (None, Some(desired)) => Change::Create(Box::new(build_newborn(desired))),
        (Some(_), _) | (None, None) => Change::Nothing,
    }
}

/// For what tells the bindings' names. While those are unknown, what there is goes on as it is.
fn plan_once_known<K>(owner: &OwnerReference, observed: Option<K>, desired: Option<K>) -> Change<K>
where
    K: Metadata<Ty = ObjectMeta> + Serialize,
{
    match (observed, desired) {
        (observed, Some(desired)) => plan_change(owner, observed, desired),
        (Some(observed), None) if is_controlled_by(observed.metadata(), &owner.uid) => {
            Change::Keep(Box::new(observed))
        }
        (Some(observed), None) => {
            Change::Foreign { name: observed.metadata().name.clone().unwrap_or_default() }
        }
        (None, None) => Change::Nothing,
    }
}
