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
/// A web pod confirms within seconds. What waits longer than this is a matter of the network or of DNS, and
/// is looked at as seldom as what is settled.
const PENDING_PATIENCE: Duration = Duration::from_mins(2);
/// After a failure on AWS that named no time.
const FAILED: Duration = Duration::from_secs(15);
/// After the first round that wrote something on AWS; doubled with each further one in a row, so that a
/// resource which never becomes as wanted does not cost a call after the other.
const WORKED: Duration = Duration::from_millis(200);
/// Doublings of [`WORKED`]; about a minute at the end.
const MAX_DOUBLINGS: u32 = 8;
/// While objects of others stand in the children's places: nobody tells us when they go.
const FOREIGN: Duration = Duration::from_secs(30);
/// While a Secret that the spec names is missing: nobody tells us when it is made.
const MISSING: Duration = Duration::from_secs(30);
/// While a resource on AWS may not be used: nobody tells us when it may.
const REFUSED: Duration = Duration::from_mins(1);
/// Between two stages of a removal.
const STAGE: Duration = Duration::from_millis(500);

/// Whether a web pod's confirmation of the subscription is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Confirmation {
    NotNeeded,
    Expected,
    Overdue,
}

/// Also decides whether the next round may take what it saw outside the cluster for unchanged.
pub(super) fn plan_next_round(context: &Context, object: &AssetPipeline, applied: &Applied) -> Action {
    let confirmation = match applied.subscription {
        SubscriptionState::Pending if context.settled.note_pending(object) < PENDING_PATIENCE => {
            Confirmation::Expected
        }
        SubscriptionState::Pending => Confirmation::Overdue,
        SubscriptionState::NoEndpoint
        | SubscriptionState::WaitingForWeb
        | SubscriptionState::Confirmed
        | SubscriptionState::Unknown => {
            context.settled.forget_pending(object);
            Confirmation::NotNeeded
        }
    };
    if !is_settled(applied, confirmation) {
        context.settled.forget(object);
    }
    let rounds_in_a_row = if has_worked(applied) {
        context.settled.count_work(object)
    } else {
        context.settled.count_rest(object)
    };
    about(due_in(applied, confirmation, rounds_in_a_row, is_queue_busy(context, object)))
}

/// There is nothing to do; the queues' numbers are told all the same.
pub(super) fn while_suspended(context: &Context, object: &AssetPipeline) -> Action {
    about(if is_queue_busy(context, object) { BUSY } else { SETTLED })
}

/// The next try after a failure on AWS.
pub(super) fn after(error: &Error) -> Action {
    Action::requeue(error.retry_after.unwrap_or(FAILED))
}

pub(super) fn next_stage() -> Action {
    Action::requeue(STAGE)
}

/// Spread, so that many pipelines do not come at once.
fn about(delay: Duration) -> Action {
    Action::requeue(delay.mul_f64(rand::random_range(0.9..1.1)))
}

fn is_queue_busy(context: &Context, object: &AssetPipeline) -> bool {
    context.samples.latest(object).is_some_and(|queue| queue.visible + queue.in_flight > 0)
}

fn has_worked(applied: &Applied) -> bool {
    matches!(applied.bindings, BindingsOutcome::Worked(_))
        || matches!(applied.registry, RegistryOutcome::Worked)
}

fn is_settled(applied: &Applied, confirmation: Confirmation) -> bool {
    matches!(applied.bindings, BindingsOutcome::Settled(_))
        && matches!(applied.registry, RegistryOutcome::Settled { .. })
        && confirmation != Confirmation::Expected
}

fn due_in(
    applied: &Applied,
    confirmation: Confirmation,
    rounds_in_a_row: u32,
    is_queue_busy: bool,
) -> Duration {
    let failure = [bindings_failure(applied), registry_failure(applied)].into_iter().flatten().next();
    if let Some(error) = failure {
        error.retry_after.unwrap_or(FAILED)
    } else if applied.purges.left > 0 && !has_worked(applied) {
        FAILED
    } else if has_worked(applied) {
        WORKED.saturating_mul(1 << rounds_in_a_row.saturating_sub(1).min(MAX_DOUBLINGS))
    } else if confirmation == Confirmation::Expected {
        PENDING
    } else if !applied.foreign.is_empty() {
        FOREIGN
    } else if matches!(applied.bindings, BindingsOutcome::Refused(_)) {
        REFUSED
    } else if is_queue_busy {
        BUSY
    } else if !applied.missing_secrets.is_empty() {
        MISSING
    } else {
        SETTLED
    }
}

fn bindings_failure(applied: &Applied) -> Option<&Error> {
    match &applied.bindings {
        BindingsOutcome::Failed(error) => Some(error),
        BindingsOutcome::Settled(_) | BindingsOutcome::Worked(_) | BindingsOutcome::Refused(_) => None,
    }
}

fn registry_failure(applied: &Applied) -> Option<&Error> {
    match &applied.registry {
        RegistryOutcome::Failed(error) => Some(error),
        RegistryOutcome::Waiting | RegistryOutcome::Settled { .. } | RegistryOutcome::Worked => None,
    }
}

#[cfg(test)]
mod tests {
    use crds::BindingsStatus;

    use crate::purges::AppliedPurges;

    use super::*;

    fn pending() -> Applied {
        Applied {
            bindings: BindingsOutcome::Settled(BindingsStatus::default()),
            registry: RegistryOutcome::Settled { registered: vec![], taken: vec![] },
            purges: AppliedPurges::default(),
            subscription: SubscriptionState::Pending,
            drift: vec![],
            missing_secrets: vec![],
            foreign: vec![],
            web_deployment: None,
            worker_deployment: None,
        }
    }

    #[test]
    fn confirmation_that_does_not_come_is_asked_for_seldom() {
        assert_eq!(due_in(&pending(), Confirmation::Expected, 0, false), PENDING);
        assert!(!is_settled(&pending(), Confirmation::Expected));
        assert_eq!(due_in(&pending(), Confirmation::Overdue, 0, false), SETTLED);
        assert!(is_settled(&pending(), Confirmation::Overdue));
    }

    #[test]
    fn failures_and_writes_come_before_a_confirmation() {
        let denied = Error::new(pipeline::ErrorKind::Denied, "look at bucket b");
        let failed = Applied { bindings: BindingsOutcome::Failed(denied), ..pending() };
        assert_eq!(due_in(&failed, Confirmation::Overdue, 0, true), FAILED);
        let worked = Applied { registry: RegistryOutcome::Worked, ..pending() };
        assert_eq!(due_in(&worked, Confirmation::Expected, 1, true), WORKED);
    }
}
