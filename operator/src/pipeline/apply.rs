//! Carries a plan out, in a stated order and without a choice of its own, but for what it meets where a child is to be
//! made: only the API server knows of that.
//!
//! AWS first, since nothing in the cluster waits for it within a round. Then what pods mount, then the
//! names that they resolve, then the pods, then what leads visitors to them. A failure on AWS is an
//! outcome; a failure in the cluster ends the round, and the next one starts from what is there.

mod children;

use std::{collections::BTreeMap, mem, time::Duration};

use crds::{AssetPipeline, BindingsStatus, condition_reason as reason};
use jiff::Timestamp;
use k8s_openapi::{NamespaceResourceScope, api::networking::v1::Ingress};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
    core::Status,
    runtime::events::EventType,
};
use pipeline::{
    Error, chain,
    names::{HostName, TenantId},
};
use serde_json::json;

use self::children::{AppliedChildren, apply_children};
use super::{
    conditions::Outlook,
    observe::{MissingSecret, Workloads},
    plan::{BindingsStep, ForeignChild, Front, Gone, RegistryStep, Settle, SubscriptionState},
};
use crate::{
    aws::{BindingSuffix, Refusal, apply_bindings, bucket::Written},
    children::Child,
    context::Context,
    events::{build_event, publish},
    names::{CLAIM_MANAGER, FINALIZER, SUFFIX_ANNOTATION, qualified},
    placement::TierZones,
    purges::{AppliedPurges, CarriedOut, HintOrder, HintTarget, PurgesPlan, apply_purges},
    tenants::{TenantsPlan, apply_tenants},
};

/// The reason of the events that tell what somebody else removed on AWS.
const MADE_ANEW: &str = "MadeAnew";

/// The cluster refused a write.
#[derive(Debug, thiserror::Error)]
#[error("could not {verb} {kind} {name}")]
pub struct ApplyError {
    verb: &'static str,
    kind: String,
    name: String,
    #[source]
    source: kube::Error,
}

impl ApplyError {
    /// For the status. The library's own text of a refusal holds its whole answer, several times.
    pub fn tell(&self) -> String {
        match &self.source {
            kube::Error::Api(refusal) => format!("{self}: {}", refusal.message),
            _ => chain(self),
        }
    }

    /// Whether what is there is not what the write was for.
    fn is_conflict(&self) -> bool {
        matches!(&self.source, kube::Error::Api(refusal) if refusal.code == 409)
    }

    /// What the API server takes for wrong or forbidden it takes for that the next time, too. Webhooks and quotas may
    /// change their minds.
    pub fn outlook(&self) -> Outlook {
        match &self.source {
            kube::Error::Api(refusal) if refusal.code == 422 && !is_of_another(refusal) => Outlook::Stuck,
            _ => Outlook::Moving,
        }
    }
}

/// Whether another object stands where the one of our UID was. The API server calls that a change of a field that
/// never changes; the next look finds the other one.
fn is_of_another(refusal: &Status) -> bool {
    let causes = refusal.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.field == "metadata.uid")
}

/// What a round came to. The status is made from this and from nothing else.
#[derive(Debug)]
pub struct Applied {
    pub bindings: BindingsOutcome,
    pub registry: RegistryOutcome,
    pub purges: AppliedPurges,
    pub subscription: SubscriptionState,
    /// What is not as it should be on AWS, and may not be changed.
    pub drift: Vec<String>,
    /// Between two looks for it.
    pub drift_interval: Duration,
    pub missing_secrets: Vec<MissingSecret>,
    /// What stands in a child's place, and was left alone.
    pub foreign: Vec<ForeignChild>,
    /// Somebody else wrote to a child meanwhile, so that this may be old already.
    pub is_overtaken: bool,
    pub front: Front,
    pub workloads: Workloads,
    pub zones: TierZones,
    pub ingress: Option<Ingress>,
}

/// How it stands with the AWS resources.
#[derive(Debug)]
pub enum BindingsOutcome {
    Settled(BindingsStatus),
    /// Something was written; the next round sees what came of it.
    Worked(BindingsStatus),
    /// What is there was corrected, or the subscription changed: neither holds anything up.
    Corrected(BindingsStatus),
    /// A resource is not there, or is not ours to use.
    Refused(Refusal),
    Failed(Error),
}

/// How it stands with the tenants.
#[derive(Debug)]
pub enum RegistryOutcome {
    /// The bucket is not there yet.
    Waiting,
    Settled {
        registered: Vec<(HostName, TenantId)>,
        taken: Vec<(HostName, String)>,
    },
    /// Something was written; the next round sees what came of it.
    Worked,
    Failed(Error),
}

/// Writes the finalizer and the end of the names. The resource version makes sure that nobody, such as an
/// operator that was replaced a moment ago, has written another one meanwhile.
pub async fn apply_claim(
    context: &Context,
    object: &AssetPipeline,
    suffix: &BindingSuffix,
) -> Result<AssetPipeline, ApplyError> {
    let claim = json!({
        "apiVersion": AssetPipeline::api_version(&()),
        "kind": AssetPipeline::kind(&()),
        "metadata": {
            "name": object.name_any(),
            "resourceVersion": object.resource_version(),
            "annotations": {SUFFIX_ANNOTATION: suffix.to_string()},
            "finalizers": [FINALIZER],
        }
    });
    let api: Api<AssetPipeline> = namespaced(context, object);
    let parameters = PatchParams::apply(CLAIM_MANAGER).force();
    let written = api.patch(&object.name_any(), &parameters, &Patch::Apply(&claim)).await;
    written.map_err(|source| wrap::<AssetPipeline>("claim", &object.name_any(), source))
}

pub async fn apply(context: &Context, object: &AssetPipeline, settle: Settle) -> Result<Applied, ApplyError> {
    if settle.writes_outside() {
        // Before the first write: whatever becomes of this round, the next one looks at what it did.
        context.settled.forget(object);
    }
    let Settle { bindings, registry, purges, hints, subscription, drift, missing_secrets, front, children } =
        settle;
    let bindings = do_bindings(context, object, bindings).await;
    let bucket = match &registry {
        RegistryStep::Planned { bucket, owner: _, plan: _ } => Some(bucket.clone()),
        RegistryStep::Waiting | RegistryStep::Unknown(_) => None,
    };
    let registry = do_registry(context, registry).await;
    let purges = do_purges(context, object, bucket.as_deref(), (purges, hints)).await?;
    let applied = Box::pin(apply_children(context, object, children)).await?;
    let AppliedChildren { workloads, ingress, foreign, is_overtaken } = applied;
    Ok(Applied {
        bindings,
        registry,
        purges,
        subscription,
        drift,
        drift_interval: context.pace.usual_interval(),
        missing_secrets,
        foreign,
        is_overtaken,
        front,
        zones: context.placement.zones(object, &workloads),
        workloads,
        ingress,
    })
}

/// Makes what is missing outside of the cluster, and does nothing else of the plan. Whether a next step can follow; where
/// not, the plan goes on with what was met.
pub async fn make(context: &Context, object: &AssetPipeline, settle: &mut Settle) -> bool {
    context.settled.forget(object);
    let bindings = mem::replace(&mut settle.bindings, BindingsStep::Settled(BindingsStatus::default()));
    let (bindings, has_gone_on) = match do_bindings(context, object, bindings).await {
        BindingsOutcome::Worked(status)
        | BindingsOutcome::Corrected(status)
        | BindingsOutcome::Settled(status) => (BindingsStep::Settled(status), true),
        BindingsOutcome::Refused(refusal) => (BindingsStep::Refused(refusal), false),
        BindingsOutcome::Failed(error) => (BindingsStep::Unknown(error), false),
    };
    settle.bindings = bindings;
    if !has_gone_on {
        return false;
    }
    let registry = mem::replace(&mut settle.registry, RegistryStep::Waiting);
    if let RegistryOutcome::Failed(error) = do_registry(context, registry).await {
        settle.registry = RegistryStep::Unknown(error);
        return false;
    }
    true
}

async fn do_bindings(context: &Context, object: &AssetPipeline, step: BindingsStep) -> BindingsOutcome {
    match step {
        BindingsStep::Settled(status) => BindingsOutcome::Settled(status),
        BindingsStep::Work { plan, names, status, gone } => {
            let makes_something = plan.makes_something();
            match apply_bindings(&context.clients, &names, *plan).await {
                Ok(Written::Done) => {
                    let tell = |Gone { action, note }| {
                        build_event(EventType::Warning, MADE_ANEW, action.to_owned(), note)
                    };
                    let events = gone.into_iter().map(tell).collect();
                    publish(context, &object.object_ref(&()), events).await;
                    if makes_something {
                        BindingsOutcome::Worked(status)
                    } else {
                        BindingsOutcome::Corrected(status)
                    }
                }
                Ok(Written::Foreign(message)) => {
                    BindingsOutcome::Refused(Refusal { reason: reason::FOREIGN_RESOURCE, message })
                }
                Err(error) => BindingsOutcome::Failed(error),
            }
        }
        BindingsStep::Refused(refusal) => BindingsOutcome::Refused(refusal),
        BindingsStep::Unknown(error) => BindingsOutcome::Failed(error),
    }
}

async fn do_registry(context: &Context, step: RegistryStep) -> RegistryOutcome {
    match step {
        RegistryStep::Waiting => RegistryOutcome::Waiting,
        RegistryStep::Unknown(error) => RegistryOutcome::Failed(error),
        RegistryStep::Planned { bucket, owner, plan } => {
            let TenantsPlan { steps, taken, registered } = plan;
            if steps.is_empty() {
                return RegistryOutcome::Settled { registered, taken };
            }
            match apply_tenants(&*context.open_store(&bucket), &owner, steps).await {
                Ok(()) => RegistryOutcome::Worked,
                Err(error) => RegistryOutcome::Failed(error),
            }
        }
    }
}

/// The requests whose outcome is told go first: their ids may be dropped from the status after that. Web pods
/// are told before the status is: whoever waits for it finds them informed.
async fn do_purges(
    context: &Context,
    object: &AssetPipeline,
    bucket: Option<&str>,
    (plan, target): (PurgesPlan, Option<HintTarget>),
) -> Result<AppliedPurges, ApplyError> {
    let PurgesPlan { todo, done } = plan;
    if !done.is_empty() {
        let gone: BTreeMap<String, Option<String>> = done.into_iter().map(|name| (name, None)).collect();
        let patch = Patch::Merge(json!({"metadata": {"annotations": gone}}));
        let api: Api<AssetPipeline> = namespaced(context, object);
        let written = api.patch(&object.name_any(), &PatchParams::default(), &patch).await;
        written.map_err(|source| wrap::<AssetPipeline>("patch", &object.name_any(), source))?;
    }
    let asked = todo.len();
    let Some(bucket) = bucket.filter(|_| asked > 0) else {
        return Ok(AppliedPurges { statuses: Vec::new(), left: asked });
    };
    let pipeline = qualified(&object.namespace().unwrap_or_default(), &object.name_any());
    let store = context.open_store(bucket);
    let CarriedOut { statuses, hints } = apply_purges(&*store, &pipeline, todo, Timestamp::now()).await;
    if let Some(target) = target.filter(|_| !hints.is_empty()) {
        (context.hints)(HintOrder { target, hints }).await;
    }
    let left = asked - statuses.len();
    Ok(AppliedPurges { statuses, left })
}

/// What a deletion came to.
pub(super) enum Deletion<K> {
    /// Something holds it, such as a finalizer.
    Going(Box<K>),
    Gone,
    /// Another one stands there, which is left alone.
    Replaced,
}

/// Deletes the object of that name and UID. What is gone already is no error.
pub(super) async fn delete<K: Child>(
    api: &Api<K>,
    name: &str,
    uid: Option<String>,
    how: DeleteParams,
) -> Result<Deletion<K>, ApplyError> {
    let only = uid.map(|uid| Preconditions { uid: Some(uid), resource_version: None });
    match api.delete(name, &DeleteParams { preconditions: only, ..how }).await {
        Ok(answer) => {
            let left = answer.left().filter(|left| left.meta().deletion_timestamp.is_some());
            Ok(left.map_or(Deletion::Gone, |left| Deletion::Going(Box::new(left))))
        }
        Err(source) if is_gone(&source) => Ok(Deletion::Gone),
        Err(kube::Error::Api(refusal)) if refusal.code == 409 => Ok(Deletion::Replaced),
        Err(source) => Err(wrap::<K>("delete", name, source)),
    }
}

pub(super) fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

pub(super) fn namespaced<K>(context: &Context, object: &AssetPipeline) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default())
}

pub(super) fn wrap<K: Resource<DynamicType = ()>>(
    verb: &'static str,
    name: &str,
    source: kube::Error,
) -> ApplyError {
    ApplyError { verb, kind: K::kind(&()).into_owned(), name: name.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlook_where_wrong(field: &str) -> Outlook {
        let refusal = json!({
            "status": "Failure", "code": 422, "reason": "Invalid", "message": "wrong",
            "details": {"causes": [{"field": field, "reason": "FieldValueInvalid", "message": "wrong"}]},
        });
        let refusal: Status = serde_json::from_value(refusal).unwrap();
        let source = kube::Error::Api(refusal.boxed());
        ApplyError { verb: "apply", kind: "Service".into(), name: "shop".into(), source }.outlook()
    }

    #[test]
    fn only_a_person_mends_what_is_invalid_but_for_what_has_a_new_uid() {
        assert_eq!(outlook_where_wrong("spec.ports[0].port"), Outlook::Stuck);
        assert_eq!(outlook_where_wrong("metadata.uid"), Outlook::Moving);
    }
}
