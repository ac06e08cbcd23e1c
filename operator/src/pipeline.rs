//! The driver of a pipeline's reconcile: observe, validate, plan, apply, status. It reads the state as it
//! is, never why it was woken, and each step may be the last before a crash.

pub mod apply;
pub mod conditions;
pub mod finalize;
pub mod observe;
pub mod ownership;
pub mod plan;
pub mod rebalance;
mod schedule;
pub mod status;
pub mod validate;

use std::{sync::Arc, time::Duration};

use crds::AssetPipeline;
use jiff::Timestamp;
use kube::{
    ResourceExt,
    core::{DeserializeGuard, error_boundary::InvalidObject},
    runtime::controller::Action,
};
use pipeline::chain;
use tokio::time::{Instant, timeout};

use self::{
    apply::{ApplyError, apply, apply_claim, make},
    finalize::{FinalizeError, apply_removal, observe_remains, plan_removal},
    observe::{ObserveError, has_finalizer, observe, observe_inside, observe_workloads, owner_of},
    plan::{Chance, Plan, plan},
    rebalance::rebalance,
    status::{Outcome, StatusError, write_status},
    validate::validate,
};
pub use validate::validate_limits;

use crate::{
    aws::{BindingSuffix, Unwritten},
    context::Context,
    metrics::OutcomeLabels,
    names::qualified,
};

/// No round takes longer; what it did not reach is the next one's.
const ROUND_TIMEOUT: Duration = Duration::from_mins(2);
/// In one round what is on AWS is made in so many steps, of which each needs what the one before has made; whoever is held
/// up by more goes on in the next round.
const STAGES: u32 = 4;
/// After a failure in the cluster; doubled with each further one in a row.
const RETRY: Duration = Duration::from_secs(5);
/// Doublings of [`RETRY`]; 80 s at the end.
const MAX_DOUBLINGS: u32 = 4;

/// A round that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error("the stored object cannot be read")]
    Unreadable(#[source] Box<InvalidObject>),
    #[error("could not observe the pipeline")]
    Observe(#[source] ObserveError),
    #[error("could not apply the plan")]
    Apply(#[source] ApplyError),
    #[error("could not tell the status")]
    Status(#[source] StatusError),
    #[error("could not remove the pipeline")]
    Finalize(#[source] FinalizeError),
    #[error("the round took more than {} s", ROUND_TIMEOUT.as_secs())]
    TimedOut,
}

impl ReconcileError {
    /// The failed step as metrics name it.
    fn step(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Observe(_) => "observe",
            Self::Apply(_) => "apply",
            Self::Status(_) => "status",
            Self::Finalize(_) => "finalize",
            Self::TimedOut => "timed_out",
        }
    }
}

pub async fn reconcile(
    object: Arc<DeserializeGuard<AssetPipeline>>,
    context: Arc<Context>,
) -> Result<Action, ReconcileError> {
    let started = Instant::now();
    let round = async {
        let object =
            object.0.as_ref().map_err(|error| ReconcileError::Unreadable(Box::new(error.clone())))?;
        let object = &*context.statuses.freshen(object);
        if object.metadata.deletion_timestamp.is_some() {
            Box::pin(remove(&context, object)).await
        } else if object.spec.suspend {
            Box::pin(rest(&context, object)).await
        } else {
            Box::pin(settle(&context, object)).await
        }
    };
    let result = timeout(ROUND_TIMEOUT, round).await.unwrap_or(Err(ReconcileError::TimedOut));
    if result.is_ok() {
        context.settled.forget_failures(&*object);
    } else if let (Err(ReconcileError::TimedOut), Ok(object)) = (&result, &object.0) {
        // Nobody knows how far it came.
        context.settled.forget(object);
    }
    let outcome = result.as_ref().map_or_else(ReconcileError::step, |_| "ok");
    context.metrics.rounds.get_or_create(&OutcomeLabels { outcome }).inc();
    context.metrics.round_seconds.observe(started.elapsed().as_secs_f64());
    result
}

pub fn error_policy(
    context: &Context,
    object: &DeserializeGuard<AssetPipeline>,
    error: &ReconcileError,
) -> Action {
    let name = qualified(&object.namespace().unwrap_or_default(), &object.name_any());
    tracing::warn!(pipeline.name = name, error = chain(error), "reconcile failed");
    match error {
        ReconcileError::Unreadable(_) => Action::await_change(),
        ReconcileError::Observe(_)
        | ReconcileError::Apply(_)
        | ReconcileError::Status(_)
        | ReconcileError::TimedOut => retry(context, object),
        ReconcileError::Finalize(error) => {
            let on_aws = error.on_aws().zip(object.0.as_ref().ok());
            on_aws.map_or_else(
                || retry(context, object),
                |(error, object)| schedule::after(context, object, error),
            )
        }
    }
}

/// What the API server or a webhook refuses again and again is tried ever more seldom.
fn retry(context: &Context, object: &DeserializeGuard<AssetPipeline>) -> Action {
    let before = context.settled.count_failure(object);
    Action::requeue(RETRY.saturating_mul(1 << before.min(MAX_DOUBLINGS)))
}

async fn settle(context: &Context, object: &AssetPipeline) -> Result<Action, ReconcileError> {
    let valid = match validate(object) {
        Ok(valid) => valid,
        Err(error) => {
            tell(context, object, &Outcome::Invalid(&error)).await?;
            return Ok(Action::await_change());
        }
    };
    let inside = Box::pin(observe_inside(context, object)).await.map_err(ReconcileError::Observe)?;
    let (mut stages, mut told, mut unwritten) = (STAGES, Vec::new(), Unwritten::default());
    let settle = loop {
        let observed = Box::pin(observe(context, object, inside.clone(), unwritten)).await;
        let seen = observed.bindings.seen().cloned();
        let mut settle = match plan(&valid, observed, &context.config, &draw_chance((context.clock)())) {
            Plan::Claim(suffix) => {
                apply_claim(context, object, &suffix).await.map_err(ReconcileError::Apply)?;
                // The claim is a change of the object, which starts the next round.
                return Ok(Action::await_change());
            }
            Plan::Unknown(error) => {
                tell(context, object, &Outcome::Unknown(&error)).await?;
                return Ok(schedule::after(context, object, &error));
            }
            Plan::Settle(settle) => *settle,
        };
        settle.bindings.leave_out(&mut told);
        unwritten = seen.map(|seen| settle.bindings.leaves(seen)).unwrap_or_default();
        stages -= 1;
        if stages == 0 || !settle.makes_something() || !make(context, object, &mut settle).await {
            break settle;
        }
        // What comes next follows from what there is now.
    };
    match apply(context, object, settle).await {
        Ok(applied) => {
            tell(context, object, &Outcome::Applied(&applied)).await?;
            let rebalanced = rebalance(context, object, &applied).await;
            Ok(schedule::plan_next_round(context, object, &applied, rebalanced))
        }
        Err(error) => {
            tell(context, object, &Outcome::Refused(&error)).await?;
            Err(ReconcileError::Apply(error))
        }
    }
}

/// A suspended pipeline is looked at in the cluster alone, and left as it is. The scaler goes on: without
/// it a pipeline that had no workers a moment ago would serve no new file.
async fn rest(context: &Context, object: &AssetPipeline) -> Result<Action, ReconcileError> {
    let workloads = observe_workloads(context, object).await.map_err(ReconcileError::Observe)?;
    let zones = context.placement.zones(object, &workloads);
    tell(context, object, &Outcome::Suspended { workloads: &workloads, zones: &zones }).await?;
    Ok(schedule::while_suspended(context, object))
}

async fn remove(context: &Context, object: &AssetPipeline) -> Result<Action, ReconcileError> {
    context.settled.forget_all(object);
    context.reached.forget(object);
    context.moves.forget(object);
    context.samples.forget(object);
    if !has_finalizer(object) {
        return Ok(Action::await_change());
    }
    let stage = async {
        let removal = plan_removal(&owner_of(context, object), observe_remains(context, object).await?);
        apply_removal(context, object, removal).await
    };
    match stage.await {
        Ok(Some(waits_for)) => {
            context.pace.note_answers(object);
            tell(context, object, &Outcome::Deleting(waits_for)).await?;
            Ok(schedule::next_stage())
        }
        Ok(None) => {
            context.pace.note_answers(object);
            context.statuses.forget(object);
            Ok(Action::await_change())
        }
        Err(error) => {
            tell(context, object, &Outcome::DeletionFailed(&error)).await?;
            Err(ReconcileError::Finalize(error))
        }
    }
}

async fn tell(
    context: &Context,
    object: &AssetPipeline,
    outcome: &Outcome<'_>,
) -> Result<(), ReconcileError> {
    write_status(context, object, outcome, (context.clock)()).await.map_err(ReconcileError::Status)
}

fn draw_chance(now: Timestamp) -> Chance {
    let hex128 = || format!("{:032x}", rand::random::<u128>());
    Chance {
        suffix: BindingSuffix::from_random(rand::random()),
        notice_key: format!("{}{}", hex128(), hex128()),
        tenant_seed: hex128(),
        now,
    }
}

#[cfg(test)]
pub(crate) mod tests;
