//! The status: derived from what was applied, written only where it differs, told as events once a change.

use crds::{
    AssetPipeline, AssetPipelineStatus, BindingsStatus, QueueStatus, TenantStatus, TierStatus, ZoneStatus,
    condition_reason as reason, condition_type as kind,
};
use jiff::Timestamp;
use k8s_openapi::{
    api::apps::v1::Deployment,
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
};
use kube::{
    Resource, ResourceExt,
    api::{Patch, PatchParams},
    runtime::events::{Event, EventType},
};
use pipeline::chain;
use serde_json::json;

use super::{
    apply::{Applied, ApplyError, BindingsOutcome, RegistryOutcome, namespaced},
    conditions::{
        Outlook, Readiness, Verdict, addresses_of, fails, judge_bindings, judge_blocked, judge_credentials,
        judge_drift, judge_error, judge_foreign, judge_ingress, judge_ready, judge_registry,
        judge_subscription, judge_suspended, judge_timeouts, judge_web, judge_workers, judge_zones,
        outlook_of, suspended,
    },
    finalize::FinalizeError,
    observe::Workloads,
    validate::InvalidSpec,
};
use crate::{
    context::Context,
    events::{build_event, publish},
    names::STATUS_MANAGER,
    placement::{TierZones, Zone},
    purges::merge_statuses,
};

/// Conditions that are there only while they hold: most pipelines never have them.
const PASSING: [&str; 2] = [kind::SUSPENDED, kind::DELETION_BLOCKED];
/// The API server refuses notes of more than 1024 bytes.
pub(super) const MAX_NOTE: usize = 1_000;

/// The status could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write the status of {name}")]
pub struct StatusError {
    name: String,
    #[source]
    source: kube::Error,
}

/// How a round ended, as far as the status tells it.
#[derive(Debug)]
pub enum Outcome<'a> {
    Applied(&'a Applied),
    Invalid(&'a InvalidSpec),
    Refused(&'a ApplyError),
    /// AWS did not tell what there is before anything was made.
    Unknown(&'a pipeline::Error),
    /// The spec says that nothing is changed; these pods run on.
    Suspended {
        workloads: &'a Workloads,
        zones: &'a TierZones,
    },
    /// The pipeline is going; the text says what it waits for.
    Deleting(&'a str),
    DeletionFailed(&'a FinalizeError),
}

/// Writes the status where it differs from `object`'s, and then tells what changed.
pub async fn write_status(
    context: &Context,
    object: &AssetPipeline,
    outcome: &Outcome<'_>,
    now: Timestamp,
) -> Result<(), StatusError> {
    let queue = context.samples.latest(object);
    let previous = object.status.clone().unwrap_or_default();
    let next = compute_status(&previous, object.metadata.generation, outcome, queue, now);
    if next == previous {
        return Ok(());
    }
    let body = json!({
        "apiVersion": AssetPipeline::api_version(&()),
        "kind": AssetPipeline::kind(&()),
        "metadata": {"name": object.name_any()},
        "status": next,
    });
    let parameters = PatchParams::apply(STATUS_MANAGER).force();
    context.statuses.note_begun(object, &next);
    let written = namespaced::<AssetPipeline>(context, object)
        .patch_status(&object.name_any(), &parameters, &Patch::Apply(&body))
        .await;
    let written = written.map_err(|source| StatusError { name: object.name_any(), source })?;
    context.statuses.note_written(&written);
    let events = plan_events(&previous.conditions, &next.conditions);
    publish(context, &object.object_ref(&()), events).await;
    Ok(())
}

/// The status after this round. Conditions keep their time of transition while their status stays, and
/// `SubscriptionReady` while its reason does, too.
pub fn compute_status(
    previous: &AssetPipelineStatus,
    generation: Option<i64>,
    outcome: &Outcome<'_>,
    queue: Option<QueueStatus>,
    now: Timestamp,
) -> AssetPipelineStatus {
    let mut next = AssetPipelineStatus {
        observed_generation: generation,
        queue: queue.or(previous.queue),
        ..previous.clone()
    };
    let verdicts = match outcome {
        Outcome::Applied(applied) => {
            fill_details(&mut next, applied);
            judge_applied(applied)
        }
        Outcome::Invalid(error) => judge_invalid(error),
        Outcome::Refused(error) => judge_stopped(reason::APPLY_FAILED, error.tell(), error.outlook()),
        Outcome::Unknown(error) => judge_whole(judge_error(error), outlook_of(error)),
        Outcome::Suspended { workloads, zones } => {
            fill_tiers(&mut next, workloads, zones);
            judge_rest(judge_suspended(&previous.conditions, workloads.web.as_ref()), workloads, zones)
        }
        Outcome::Deleting(message) => judge_stopped(reason::DELETING, (*message).to_owned(), Outlook::Moving),
        Outcome::DeletionFailed(error) => {
            let outlook = error.on_aws().map_or(Outlook::Moving, outlook_of);
            let going = judge_stopped(reason::DELETING, chain(*error), outlook);
            let blocked = judge_blocked(error).map(|blocked| (kind::DELETION_BLOCKED, blocked));
            going.into_iter().chain(blocked).collect()
        }
    };
    next.conditions.retain(|condition| {
        let is_told = || verdicts.iter().any(|(type_, _)| *type_ == condition.type_);
        !PASSING.contains(&condition.type_.as_str()) || is_told()
    });
    for (type_, verdict) in verdicts {
        set_condition(&mut next.conditions, type_, verdict, generation, now);
    }
    next
}

pub(crate) type Verdicts = Vec<(&'static str, Verdict)>;

fn judge_applied(applied: &Applied) -> Verdicts {
    let (bindings, bindings_outlook) = judge_bindings(&applied.bindings);
    let (tenants, tenants_outlook) = judge_registry(&applied.registry);
    let Readiness { serving, complete } = judge_ready(&bindings, &tenants, applied);
    let stuck = [(&bindings, bindings_outlook), (&tenants, tenants_outlook)];
    let stuck =
        stuck.into_iter().find(|(_, outlook)| *outlook == Outlook::Stuck).map(|(verdict, _)| verdict.clone());
    let stuck = judge_foreign(&applied.foreign).or(stuck);
    let mut verdicts = judge_progress(&complete, stuck.as_ref());
    let drift = judge_drift(&bindings, &applied.drift);
    let Workloads { web, worker } = &applied.workloads;
    verdicts.extend([
        (kind::READY, serving),
        (kind::BINDINGS_READY, bindings),
        (kind::DRIFT_FREE, drift),
        (kind::TENANTS_READY, tenants),
        (kind::SUBSCRIPTION_READY, judge_subscription(&applied.subscription)),
        (kind::CREDENTIALS_READY, judge_credentials(&applied.missing_secrets)),
        (kind::WEB_AVAILABLE, judge_web(web.as_ref()).serving),
        (kind::WORKERS_AVAILABLE, judge_workers(worker.as_ref())),
        (kind::TIMEOUTS_COHERENT, judge_timeouts(&applied.front.timeouts)),
    ]);
    let ingress = judge_ingress(&applied.front, applied.ingress.as_ref(), &applied.foreign);
    verdicts.extend(judge_zones(&applied.zones).map(|spread| (kind::ZONES_SPREAD, spread)));
    verdicts.extend(ingress.map(|ingress| (kind::INGRESS_READY, ingress)));
    verdicts
}

fn judge_invalid(error: &InvalidSpec) -> Verdicts {
    let mut verdicts = judge_stopped(reason::INVALID_SPEC, error.to_string(), Outlook::Stuck);
    if error.is_of_timeouts() {
        verdicts.push((kind::TIMEOUTS_COHERENT, fails(reason::INVALID_SPEC, error.to_string())));
    }
    verdicts
}

fn judge_stopped(reason: &'static str, message: String, outlook: Outlook) -> Verdicts {
    judge_whole(fails(reason, message), outlook)
}

/// The other conditions stand as they were last told, with the generation that they speak of.
fn judge_rest(ready: Verdict, workloads: &Workloads, zones: &TierZones) -> Verdicts {
    let Workloads { web, worker } = workloads;
    let mut verdicts = vec![
        (kind::RECONCILING, Verdict { holds: false, ..ready.clone() }),
        (kind::READY, ready),
        (kind::SUSPENDED, suspended()),
        (kind::WEB_AVAILABLE, judge_web(web.as_ref()).serving),
        (kind::WORKERS_AVAILABLE, judge_workers(worker.as_ref())),
    ];
    verdicts.extend(judge_zones(zones).map(|spread| (kind::ZONES_SPREAD, spread)));
    verdicts
}

/// All that can be said where there are no details.
pub(crate) fn judge_whole(ready: Verdict, outlook: Outlook) -> Verdicts {
    let stuck = (outlook == Outlook::Stuck).then(|| ready.clone());
    let mut verdicts = judge_progress(&ready, stuck.as_ref());
    verdicts.push((kind::READY, ready));
    verdicts
}

/// Reconciling and Stalled are true when something is wrong; kstatus reads them that way.
fn judge_progress(complete: &Verdict, stuck: Option<&Verdict>) -> Verdicts {
    let is_moving = !complete.holds && stuck.is_none();
    let reconciling = Verdict { holds: is_moving, ..complete.clone() };
    let stalled = match stuck {
        Some(stuck) => Verdict { holds: true, ..stuck.clone() },
        None => fails(reason::NOT_STALLED, "nothing waits for a person"),
    };
    vec![(kind::RECONCILING, reconciling), (kind::STALLED, stalled)]
}

fn fill_details(next: &mut AssetPipelineStatus, applied: &Applied) {
    let Applied {
        bindings,
        registry,
        purges,
        subscription: _,
        drift: _,
        drift_interval,
        missing_secrets: _,
        foreign: _,
        is_overtaken: _,
        front,
        workloads,
        zones,
        ingress,
    } = applied;
    next.purges = merge_statuses(&next.purges, &purges.statuses);
    next.url.clone_from(&front.url);
    if front.ingress_class.is_none() {
        next.conditions.retain(|condition| condition.type_ != kind::INGRESS_READY);
    }
    next.load_balancer = ingress.as_ref().map(addresses_of).unwrap_or_default();
    fill_tiers(next, workloads, zones);
    match bindings {
        BindingsOutcome::Settled(status)
        | BindingsOutcome::Worked(status)
        | BindingsOutcome::Corrected(status) => {
            next.bindings = (*status != BindingsStatus::default()).then(|| BindingsStatus {
                drift_interval_seconds: i64::try_from(drift_interval.as_secs()).ok(),
                ..status.clone()
            });
        }
        // What was last known is still the best that can be told.
        BindingsOutcome::Refused(_) | BindingsOutcome::Failed(_) => {}
    }
    match registry {
        RegistryOutcome::Settled { registered, taken: _ } => {
            let tenants = registered.iter();
            next.tenants = tenants
                .map(|(host, id)| TenantStatus { host: host.to_string(), id: id.to_string() })
                .collect();
        }
        RegistryOutcome::Waiting | RegistryOutcome::Worked | RegistryOutcome::Failed(_) => {}
    }
}

/// Zones that are not known yet stand as they were last told.
fn fill_tiers(next: &mut AssetPipelineStatus, workloads: &Workloads, zones: &TierZones) {
    let Workloads { web, worker } = workloads;
    let are_unseen = zones.are_unseen;
    let tier = |deployment: &Option<Deployment>, zones: &Option<Vec<Zone>>, told: Option<TierStatus>| {
        let told = || told.filter(|_| !are_unseen).map(|told| told.zones).unwrap_or_default();
        let zones = zones.as_ref().map_or_else(told, |zones| zones.iter().map(tell_zone).collect());
        deployment.as_ref().map(|deployment| TierStatus { zones, ..count_pods(deployment) })
    };
    next.web = tier(web, &zones.web, next.web.take());
    next.worker = tier(worker, &zones.worker, next.worker.take());
}

fn tell_zone(zone: &Zone) -> ZoneStatus {
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    ZoneStatus {
        name: zone.name.clone(),
        replicas: count(zone.pods.len()),
        ready_replicas: count(zone.ready()),
    }
}

fn count_pods(deployment: &Deployment) -> TierStatus {
    let status = deployment.status.as_ref();
    let selector = deployment.spec.as_ref().and_then(|spec| spec.selector.match_labels.as_ref());
    let pairs = selector.map(|labels| labels.iter().map(|(label, value)| format!("{label}={value}")));
    TierStatus {
        zones: Vec::new(),
        selector: pairs.map(|pairs| pairs.collect::<Vec<_>>().join(",")),
        replicas: status.and_then(|status| status.replicas).unwrap_or_default(),
        ready_replicas: status.and_then(|status| status.ready_replicas).unwrap_or_default(),
    }
}

pub(crate) fn set_condition(
    conditions: &mut Vec<Condition>,
    type_: &str,
    verdict: Verdict,
    generation: Option<i64>,
    now: Timestamp,
) {
    let Verdict { holds, reason, message } = verdict;
    let status = if holds { "True" } else { "False" };
    let position = conditions.iter().position(|condition| condition.type_ == type_);
    let previous = position.map(|position| conditions.remove(position));
    // Whoever waits for a confirmation counts from here, also after a restart.
    let is_same = |previous: &Condition| {
        previous.status == status && (type_ != kind::SUBSCRIPTION_READY || previous.reason == reason)
    };
    let unchanged_since = previous.filter(is_same);
    let condition = Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: generation,
        last_transition_time: unchanged_since.map_or(Time(now), |previous| previous.last_transition_time),
    };
    conditions.insert(position.unwrap_or(conditions.len()), condition);
}

/// One event for each condition whose status or reason changed. Of a beginning only what is wrong is told, that all is
/// ready, and what is seldom. Three are left out: they say what Ready says, or that pods come and go.
pub(crate) fn plan_events(previous: &[Condition], next: &[Condition]) -> Vec<Event> {
    let is_news = |condition: &&Condition| {
        let before = previous.iter().find(|previous| previous.type_ == condition.type_);
        ![kind::RECONCILING, kind::WEB_AVAILABLE, kind::WORKERS_AVAILABLE].contains(&condition.type_.as_str())
            && before.map_or_else(
                || !previous.is_empty() || is_told_first(condition),
                |before| (&before.status, &before.reason) != (&condition.status, &condition.reason),
            )
    };
    // A suspension is told by its own condition alone.
    let is_repeated =
        |condition: &Condition| condition.reason == reason::SUSPENDED && condition.type_ != kind::SUSPENDED;
    next.iter()
        .filter(is_news)
        .filter(|condition| condition.reason != reason::NOT_STALLED && !is_repeated(condition))
        .map(tell_condition)
        .collect()
}

fn is_told_first(condition: &Condition) -> bool {
    is_wrong(condition)
        || PASSING.contains(&condition.type_.as_str())
        || (condition.type_ == kind::READY && condition.status == "True")
}

/// Neither good news nor what belongs to a beginning or an end.
fn is_wrong(condition: &Condition) -> bool {
    let is_bad_news = [kind::STALLED, kind::DELETION_BLOCKED].contains(&condition.type_.as_str());
    let is_good = (condition.status == "True") != is_bad_news;
    let is_expected = [reason::IN_PROGRESS, reason::WEB_NOT_READY, reason::BINDINGS_NOT_READY]
        .into_iter()
        .chain([reason::TENANTS_NOT_READY, reason::NO_ENDPOINT, reason::WAITING_FOR_WEB])
        .chain([reason::PENDING_CONFIRMATION, reason::DELETING, reason::PIPELINE_NOT_READY])
        .chain([reason::PIPELINE_SUSPENDED, reason::WAITING_FOR_LOAD_BALANCER])
        .chain([reason::SINGLE_ZONE, reason::NO_ZONES, reason::UNEVEN, reason::NODES_UNSEEN])
        .any(|expected| condition.reason == expected);
    !is_good && !is_expected
}

fn tell_condition(condition: &Condition) -> Event {
    let note = format!("{} is {}: {}", condition.type_, condition.status, condition.message);
    let type_ = if is_wrong(condition) { EventType::Warning } else { EventType::Normal };
    build_event(type_, &condition.reason, condition.type_.clone(), note.chars().take(MAX_NOTE).collect())
}

#[cfg(test)]
mod tests;
