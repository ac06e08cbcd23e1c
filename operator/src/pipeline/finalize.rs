//! The end of a pipeline, one stage a round: what leads visitors to it, the web pods, the workers, and then what they
//! used. What becomes of each resource on AWS is `aws::ending`'s table; where AWS lets nothing be done, `abandonment` is the way out.

mod abandonment;

use crds::AssetPipeline;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{apps::v1::Deployment, networking::v1::Ingress},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
    runtime::events::{Event, EventType},
};
use serde_json::json;

use self::abandonment::list_left;
pub(crate) use self::abandonment::{build_left_behind, is_abandoned};
use super::{
    apply::{ApplyError, delete, is_gone, namespaced, wrap},
    observe::{
        ObserveError, Workloads, binding_names, fetch, fetch_workloads, has_finalizer, owner_of, terms_of,
    },
    ownership::is_controlled_by,
};
use crate::{
    aws::{
        BindingNames, BindingsTerms, ObservedBindings, Owner, ReleasePlan, apply_release, holds_registry,
        observe_bindings, plan_release,
    },
    children::Child,
    context::Context,
    events::{build_event, publish},
    names::{FINALIZER, qualified},
    tenants::{ObservedRegistry, TenantStep, apply_tenants, observe_registry, owner_name, plan_departure},
};

/// For which the Ingress's controller may take its time. After that the pods end all the same, which answer for as long
/// as they drain.
const LOAD_BALANCER_PATIENCE: SignedDuration = SignedDuration::from_mins(2);
/// The reason of the events that tell what stays.
const KEPT: &str = "Kept";

/// A stage of the removal failed; the next round tries it again.
#[derive(Debug, thiserror::Error)]
pub enum FinalizeError {
    #[error("could not see what is left of the pipeline")]
    Observe(#[source] ObserveError),
    #[error("could not see what is left of the bindings")]
    ObserveBindings(#[source] pipeline::Error),
    #[error("could not remove pods or finalizer")]
    Apply(#[source] ApplyError),
    #[error("could not remove the bindings")]
    ApplyBindings(#[source] pipeline::Error),
}

impl FinalizeError {
    /// What AWS answered, or did not, where that was it.
    pub fn on_aws(&self) -> Option<&pipeline::Error> {
        match self {
            Self::ObserveBindings(error) | Self::ApplyBindings(error) => Some(error),
            Self::Observe(_) | Self::Apply(_) => None,
        }
    }
}

/// What is left of a pipeline that is going, as far as it matters for the next stage.
#[derive(Debug)]
pub enum Remains {
    /// Pods use all the rest. While there are any nothing else is looked at, so that they end whatever AWS says.
    Serving(Box<Serving>),
    Outside {
        bindings: Box<RemainingBindings>,
        registry: ObservedRegistry,
    },
    /// A person has ordered that these are left on AWS, where nobody has looked for them.
    Abandoned(Vec<String>),
    /// The pipeline never had names for any bindings, so that there are none.
    Nothing,
}

/// What still serves visitors.
#[derive(Debug, Default)]
pub struct Serving {
    /// Absent, too, where its controller has had its time.
    pub ingress: Option<Ingress>,
    pub workloads: Workloads,
}

/// What is left on AWS, and on which terms the pipeline had it.
#[derive(Debug)]
pub struct RemainingBindings {
    pub names: BindingNames,
    pub terms: BindingsTerms,
    pub observed: ObservedBindings,
}

/// The next stage of the removal.
#[derive(Debug, PartialEq, Eq)]
pub enum Removal {
    /// Delete the Ingress: load balancers send no visitor any more.
    DeleteIngress(Target),
    WaitForLoadBalancer,
    /// Delete this Deployment and wait until its pods are gone. Held visitors still need the workers, and pods all the
    /// rest.
    DeleteWorkload(Target),
    WaitForPods,
    Release {
        names: BindingNames,
        owner: String,
        tenants: Vec<TenantStep>,
        bindings: Box<ReleasePlan>,
    },
    /// Nothing is left but what stays as it is, for these reasons.
    Leave(Vec<String>),
    /// Nothing is done about these any more.
    Abandon(Vec<String>),
    /// Nothing is left but what stays.
    LetGo,
}

/// What is to be deleted, and nothing that has taken its name meanwhile.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    name: String,
    uid: Option<String>,
}

impl Target {
    fn of(found: &impl ResourceExt) -> Self {
        Self { name: found.name_any(), uid: found.uid() }
    }

    /// What stands in its place by now is the next round's to see.
    async fn delete<K: Child>(
        self,
        context: &Context,
        object: &AssetPipeline,
        how: DeleteParams,
    ) -> Result<(), FinalizeError> {
        let deleted = delete::<K>(&namespaced(context, object), &self.name, self.uid, how).await;
        deleted.map(drop).map_err(FinalizeError::Apply)
    }
}

pub async fn observe_remains(context: &Context, object: &AssetPipeline) -> Result<Remains, FinalizeError> {
    // What a watch tells may be old, and what pods use goes once they are gone.
    let workloads = fetch_workloads(context, object).await.map_err(FinalizeError::Observe)?;
    let uid = object.uid().unwrap_or_default();
    let ingress =
        fetch::<Ingress>(context, object, &object.name_any()).await.map_err(FinalizeError::Observe)?;
    let ingress = ingress.filter(|ingress| is_controlled_by(&ingress.metadata, &uid));
    let ingress = ingress.filter(|ingress| !is_given_up(ingress, (context.clock)()));
    if ingress.is_some() || workloads.web.is_some() || workloads.worker.is_some() {
        return Ok(Remains::Serving(Box::new(Serving { ingress, workloads })));
    }
    let Some(names) = binding_names(object) else { return Ok(Remains::Nothing) };
    if is_abandoned(object) {
        let told = object.status.as_ref().and_then(|status| status.bindings.clone()).unwrap_or_default();
        return Ok(Remains::Abandoned(list_left(&names, &told, &context.clients.region)));
    }
    let bindings =
        observe_bindings(&context.clients, &names).await.map_err(FinalizeError::ObserveBindings)?;
    let (owner, terms) = (owner_of(context, object), terms_of(context, object, &names));
    // A bucket that is not ours any more, such as one marked as kept, holds nothing for us to remove.
    let registry = if holds_registry(&bindings.bucket, &terms.bucket, &owner) {
        let store = context.open_store(&names.bucket);
        let owner = owner_name(&owner.namespace, &owner.name);
        observe_registry(&*store, &owner, []).await.map_err(FinalizeError::ObserveBindings)?
    } else {
        ObservedRegistry::default()
    };
    let bindings = Box::new(RemainingBindings { names, terms, observed: bindings });
    Ok(Remains::Outside { bindings, registry })
}

/// Pure.
pub fn plan_removal(owner: &Owner, remains: Remains) -> Removal {
    let (bindings, registry) = match remains {
        Remains::Serving(serving) => return plan_end_of_service(*serving),
        Remains::Outside { bindings, registry } => (bindings, registry),
        Remains::Abandoned(left) => return Removal::Abandon(left),
        Remains::Nothing => return Removal::LetGo,
    };
    let RemainingBindings { names, terms, observed } = *bindings;
    let registrant = owner_name(&owner.namespace, &owner.name);
    let tenants = plan_departure(&registrant, &registry);
    // Whether a bucket holds anything else is seen once our registrations are gone from it.
    let bindings =
        if tenants.is_empty() { plan_release(&observed, &terms, owner) } else { ReleasePlan::default() };
    if tenants.is_empty() && bindings.is_empty() {
        if bindings.left.is_empty() { Removal::LetGo } else { Removal::Leave(bindings.left) }
    } else {
        Removal::Release { names, owner: registrant, tenants, bindings: Box::new(bindings) }
    }
}

/// One after the other: who is held by a web pod waits for a worker.
fn plan_end_of_service(serving: Serving) -> Removal {
    let Serving { ingress, workloads: Workloads { web, worker } } = serving;
    let is_asked = |metadata: &ObjectMeta| metadata.deletion_timestamp.is_some();
    match (ingress, web.or(worker)) {
        (Some(ingress), _) if is_asked(&ingress.metadata) => Removal::WaitForLoadBalancer,
        (Some(ingress), _) => Removal::DeleteIngress(Target::of(&ingress)),
        (None, Some(workload)) if !is_asked(&workload.metadata) => {
            Removal::DeleteWorkload(Target::of(&workload))
        }
        (None, Some(_) | None) => Removal::WaitForPods,
    }
}

/// Its controller lets it go once the targets have left the load balancer. One that is gone itself would keep it for
/// ever.
fn is_given_up(ingress: &Ingress, now: Timestamp) -> bool {
    let asked = ingress.metadata.deletion_timestamp.as_ref();
    asked.is_some_and(|asked| now.duration_since(asked.0) >= LOAD_BALANCER_PATIENCE)
}

/// Carries the stage out, and says what the next round waits for; `None` once the pipeline may go.
pub async fn apply_removal(
    context: &Context,
    object: &AssetPipeline,
    removal: Removal,
) -> Result<Option<&'static str>, FinalizeError> {
    match removal {
        Removal::DeleteIngress(target) => {
            target.delete::<Ingress>(context, object, DeleteParams::background()).await?;
            Ok(Some("waiting for the load balancer to let go of the pods"))
        }
        Removal::WaitForLoadBalancer => Ok(Some("waiting for the load balancer to let go of the pods")),
        // In the foreground: the Deployment stays visible until its pods are gone.
        Removal::DeleteWorkload(target) => {
            target.delete::<Deployment>(context, object, DeleteParams::foreground()).await?;
            Ok(Some("waiting for the pods to end"))
        }
        Removal::WaitForPods => Ok(Some("waiting for the pods to end")),
        Removal::Release { names, owner, tenants, bindings } => {
            let store = context.open_store(&names.bucket);
            apply_tenants(&*store, &owner, tenants).await.map_err(FinalizeError::ApplyBindings)?;
            let kept = bindings.kept.clone();
            apply_release(&context.clients, &names, *bindings).await.map_err(FinalizeError::ApplyBindings)?;
            let kept = kept.into_iter().enumerate().map(build_kept).collect();
            publish(context, &object.object_ref(&()), kept).await;
            Ok(Some("removing what goes with the pipeline on AWS, and marking what stays"))
        }
        Removal::Leave(left) => {
            let left = left.into_iter().enumerate().map(build_left).collect();
            publish(context, &object.object_ref(&()), left).await;
            remove_finalizer(context, object).await.map_err(FinalizeError::Apply)?;
            Ok(None)
        }
        Removal::Abandon(left) => {
            tracing::warn!(
                pipeline.name = qualified(&object.namespace().unwrap_or_default(), &object.name_any()),
                aws.left = left.join("; "),
                "let the pipeline go by a person's order, and looked after nothing on AWS"
            );
            publish(context, &object.object_ref(&()), build_left_behind(&left)).await;
            remove_finalizer(context, object).await.map_err(FinalizeError::Apply)?;
            Ok(None)
        }
        Removal::LetGo => {
            remove_finalizer(context, object).await.map_err(FinalizeError::Apply)?;
            Ok(None)
        }
    }
}

fn build_kept((number, note): (usize, String)) -> Event {
    build_event(EventType::Normal, KEPT, format!("Keep{number}"), note)
}

fn build_left((number, note): (usize, String)) -> Event {
    build_event(EventType::Normal, KEPT, format!("Leave{number}"), note)
}

/// A merge under the object's version: whoever wrote our finalizer, a restored backup included, it goes.
async fn remove_finalizer(context: &Context, object: &AssetPipeline) -> Result<(), ApplyError> {
    if !has_finalizer(object) {
        return Ok(());
    }
    let others: Vec<&String> =
        object.finalizers().iter().filter(|finalizer| *finalizer != FINALIZER).collect();
    let patch = json!({"metadata": {"finalizers": others, "resourceVersion": object.resource_version()}});
    let name = object.name_any();
    let api = namespaced::<AssetPipeline>(context, object);
    match api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Err(source) if !is_gone(&source) => Err(wrap::<AssetPipeline>("let go of", &name, source)),
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
