//! When the next round is due, should nothing wake us before.

use std::time::Duration;

use crds::AssetPipeline;
use kube::runtime::controller::Action;
use pipeline::Error;

use super::{
    apply::{Applied, BindingsOutcome, RegistryOutcome},
    plan::SubscriptionState,
};
use crate::context::Context;

/// The time in which drift is found that nobody tells us of.
const SETTLED: Duration = Duration::from_mins(5);
/// While jobs are in the queue: its numbers are part of the status.
const BUSY: Duration = Duration::from_secs(10);
/// While SNS waits for a confirmation.
const PENDING: Duration = Duration::from_secs(10);
/// After a failure on AWS that named no time.
const FAILED: Duration = Duration::from_secs(15);
/// After the first round that wrote something on AWS; doubled with each further one in a row, so that a
/// resource which never becomes as wanted does not cost a call after the other.
const WORKED: Duration = Duration::from_millis(200);
/// Doublings of [`WORKED`]; about a minute at the end.
const MAX_DOUBLINGS: u32 = 8;
/// While objects of others stand in the children's places: nobody tells us when they go.
const FOREIGN: Duration = Duration::from_secs(30);
/// Between two stages of a removal.
const STAGE: Duration = Duration::from_millis(500);

/// Also decides whether the next round may take what it saw outside the cluster for unchanged.
pub(super) fn plan_next_round(context: &Context, object: &AssetPipeline, applied: &Applied) -> Action {
    if !is_settled(applied) {
        context.settled.forget(object);
    }
    let rounds_in_a_row = if has_worked(applied) {
        context.settled.count_work(object)
    } else {
        context.settled.count_rest(object)
    };
    let is_queue_busy =
        context.samples.latest(object).is_some_and(|queue| queue.visible + queue.in_flight > 0);
    let delay = due_in(applied, rounds_in_a_row, is_queue_busy);
    Action::requeue(delay.mul_f64(rand::random_range(0.9..1.1)))
}

pub(super) fn next_stage() -> Action {
    Action::requeue(STAGE)
}

fn has_worked(applied: &Applied) -> bool {
    matches!(applied.bindings, BindingsOutcome::Worked(_))
        || matches!(applied.registry, RegistryOutcome::Worked)
}

fn is_settled(applied: &Applied) -> bool {
    matches!(applied.bindings, BindingsOutcome::Settled(_))
        && matches!(applied.registry, RegistryOutcome::Settled { .. })
        && applied.subscription != SubscriptionState::Pending
}

fn due_in(applied: &Applied, rounds_in_a_row: u32, is_queue_busy: bool) -> Duration {
    let failure = [bindings_failure(applied), registry_failure(applied)].into_iter().flatten().next();
    if let Some(error) = failure {
        error.retry_after.unwrap_or(FAILED)
    } else if has_worked(applied) {
        WORKED.saturating_mul(1 << rounds_in_a_row.saturating_sub(1).min(MAX_DOUBLINGS))
    } else if applied.subscription == SubscriptionState::Pending {
        PENDING
    } else if !applied.foreign.is_empty() {
        FOREIGN
    } else if is_queue_busy {
        BUSY
    } else {
        SETTLED
    }
}

fn bindings_failure(applied: &Applied) -> Option<&Error> {
    match &applied.bindings {
        BindingsOutcome::Failed(error) => Some(error),
        BindingsOutcome::Settled(_) | BindingsOutcome::Worked(_) | BindingsOutcome::Foreign(_) => None,
    }
}

fn registry_failure(applied: &Applied) -> Option<&Error> {
    match &applied.registry {
        RegistryOutcome::Failed(error) => Some(error),
        RegistryOutcome::Waiting | RegistryOutcome::Settled { .. } | RegistryOutcome::Worked => None,
    }
}
