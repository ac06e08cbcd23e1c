//! The status: derived from what was applied, written only where it differs, told as events once a change.

use crds::{AssetTenant, AssetTenantStatus, condition_reason as reason};
use jiff::Timestamp;
use kube::{
    Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use pipeline::names::HostName;
use serde_json::json;

use super::{
    apply::{Applied, WriteError, namespaced},
    plan::{NOTICES, Obstacle},
    validate::OWNER_KIND,
};
use crate::{
    context::Context,
    events::publish,
    names::STATUS_MANAGER,
    pipeline::{
        conditions::{Outlook, Verdict, fails, judge_error, outlook_of},
        status::{judge_whole, plan_events, set_condition},
        validate::InvalidSpec,
    },
};

/// How a round ended, as far as the status tells it.
#[derive(Debug)]
pub enum Outcome<'a> {
    Applied(&'a Applied),
    Invalid(&'a InvalidSpec),
    /// The tenant is going; the text says what stands in the way.
    Deleting(&'a str),
}

/// Writes the status where it differs from `object`'s, and then tells what changed.
pub async fn write_status(
    context: &Context,
    object: &AssetTenant,
    outcome: &Outcome<'_>,
    now: Timestamp,
) -> Result<(), WriteError> {
    let previous = object.status.clone().unwrap_or_default();
    let next = compute_status(&previous, object, outcome, now);
    if next == previous {
        return Ok(());
    }
    let body = json!({
        "apiVersion": AssetTenant::api_version(&()),
        "kind": AssetTenant::kind(&()),
        "metadata": {"name": object.name_any()},
        "status": next,
    });
    let parameters = PatchParams::apply(STATUS_MANAGER).force();
    let api = namespaced(context, object);
    let written = api.patch_status(&object.name_any(), &parameters, &Patch::Apply(&body)).await;
    written.map_err(|source| WriteError { verb: "tell the status of", name: object.name_any(), source })?;
    let events = plan_events(&previous.conditions, &next.conditions);
    publish(context, &object.object_ref(&()), events).await;
    Ok(())
}

/// The status after this round.
pub fn compute_status(
    previous: &AssetTenantStatus,
    object: &AssetTenant,
    outcome: &Outcome<'_>,
    now: Timestamp,
) -> AssetTenantStatus {
    let generation = object.metadata.generation;
    let mut next = AssetTenantStatus { observed_generation: generation, ..previous.clone() };
    if let Outcome::Applied(applied) = outcome {
        fill_details(&mut next, applied);
    }
    let (ready, outlook) = judge(object, outcome);
    for (type_, verdict) in judge_whole(ready, outlook) {
        set_condition(&mut next.conditions, type_, verdict, generation, now);
    }
    next
}

fn fill_details(next: &mut AssetTenantStatus, applied: &Applied) {
    match applied {
        Applied::Registered { bucket, hosts, id, taken: _ } => {
            next.bucket = Some(bucket.clone());
            next.hosts = hosts.iter().map(HostName::to_string).collect();
            next.tenant_id = id.as_ref().map(ToString::to_string);
        }
        // Known before it is used, so that an outage of the pipeline's bindings does not hide it.
        Applied::Worked { bucket } => next.bucket = Some(bucket.clone()),
        // Nobody serves the hosts any more. The registrations stand in the bucket, which the next pipeline of the
        // name may take back.
        Applied::Waiting(Obstacle::PipelineNotFound) => {
            next.hosts.clear();
            next.tenant_id = None;
        }
        // What was last known is still the best that can be told.
        Applied::Waiting(
            Obstacle::PipelineGoing | Obstacle::PipelineNotReady | Obstacle::PipelineSuspended,
        )
        | Applied::Claimed
        | Applied::Failed(_) => {}
    }
}

fn judge(object: &AssetTenant, outcome: &Outcome<'_>) -> (Verdict, Outlook) {
    let pipeline = &object.spec.pipeline_ref.name;
    match outcome {
        Outcome::Invalid(error) => (fails(reason::INVALID_SPEC, error.to_string()), Outlook::Stuck),
        Outcome::Deleting(message) => (fails(reason::DELETING, *message), Outlook::Moving),
        Outcome::Applied(applied) => match applied {
            Applied::Waiting(obstacle) => (judge_obstacle(*obstacle, pipeline), Outlook::Moving),
            Applied::Claimed | Applied::Worked { .. } => {
                (fails(reason::IN_PROGRESS, "the hosts are being registered"), Outlook::Moving)
            }
            Applied::Failed(error) => (judge_error(error), outlook_of(error)),
            Applied::Registered { taken, hosts, .. } if taken.is_empty() => {
                let hosts = if hosts.len() == 1 {
                    "1 host is".to_owned()
                } else {
                    format!("{} hosts are", hosts.len())
                };
                let message = format!("{hosts} served by AssetPipeline {pipeline}");
                (Verdict { holds: true, reason: reason::REGISTERED, message }, Outlook::Moving)
            }
            Applied::Registered { taken, .. } => (judge_taken(object, taken), Outlook::Stuck),
        },
    }
}

fn judge_obstacle(obstacle: Obstacle, pipeline: &str) -> Verdict {
    match obstacle {
        Obstacle::PipelineNotFound => fails(
            reason::PIPELINE_NOT_FOUND,
            format!(
                "this namespace has no AssetPipeline {pipeline}; make it, or name another one in a new \
                 AssetTenant"
            ),
        ),
        Obstacle::PipelineGoing => fails(
            reason::PIPELINE_NOT_FOUND,
            format!("AssetPipeline {pipeline} is being deleted; nothing more is registered with it"),
        ),
        Obstacle::PipelineNotReady => fails(
            reason::PIPELINE_NOT_READY,
            format!("AssetPipeline {pipeline} has no bucket yet; its own conditions tell why"),
        ),
        Obstacle::PipelineSuspended => fails(
            reason::PIPELINE_SUSPENDED,
            format!(
                "AssetPipeline {pipeline} is suspended: what has changed here waits until its spec.suspend is \
                 false, and what was registered before is served"
            ),
        ),
    }
}

fn judge_taken(object: &AssetTenant, taken: &[(HostName, String)]) -> Verdict {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let by = |(host, owner): &(HostName, String)| format!("{host} by {}", name_owner(owner, namespace));
    let hosts: Vec<String> = taken.iter().map(by).collect();
    let message = format!(
        "claimed already: {}; drop the host here or there, it is claimed within a minute after it is free",
        hosts.join(", ")
    );
    fails(reason::HOST_TAKEN, message)
}

/// Who may read this namespace may know who else is in it, and nobody more.
fn name_owner(owner: &str, namespace: &str) -> String {
    if owner == NOTICES {
        return "the pipeline's spec.notifications.endpoint".to_owned();
    }
    let within = |kind| owner.strip_prefix(kind)?.strip_prefix(namespace)?.strip_prefix('/');
    if let Some(tenant) = within(OWNER_KIND) {
        format!("AssetTenant {tenant}")
    } else if let Some(pipeline) = within("assetpipeline/") {
        format!("spec.tenants of AssetPipeline {pipeline}")
    } else {
        "somebody else".to_owned()
    }
}
