//! When the next round is due, should nothing wake us before.

use std::time::Duration;

use crds::{AssetPipeline, condition_type};
use jiff::Timestamp;
use kube::runtime::controller::Action;
use pipeline::Error;

use super::{
    apply::{Applied, BindingsOutcome, RegistryOutcome},
    plan::{SubscriptionState, subscription::Waiting},
};
use crate::{
    context::Context,
    pace::{FAILED, LEAST_INTERVAL},
};

/// While jobs are in the queue: its numbers are part of the status.
const BUSY: Duration = Duration::from_secs(10);
/// While SNS waits for a confirmation.
const PENDING: Duration = Duration::from_secs(10);
/// A web pod confirms within seconds. What waits longer than this is a matter of the network or of DNS, and
/// is looked at as seldom as what is settled.
const PENDING_PATIENCE: Duration = Duration::from_mins(2);
/// After the first round that wrote something on AWS; doubled with each further one in a row, so that a
/// resource which never becomes as wanted does not cost a call after the other.
const WORKED: Duration = Duration::from_millis(200);
/// Doublings of [`WORKED`]; about a minute at the end.
const MAX_DOUBLINGS: u32 = 8;
/// While objects of others stand in the children's places: nobody tells us when they go.
const FOREIGN: Duration = Duration::from_secs(30);
/// While a Secret that the spec names is missing: nobody tells us when it is made.
const MISSING: Duration = Duration::from_secs(30);
/// While a resource on AWS may not be used: nobody tells us when it may. It is looked at again when it has been like
/// that for as long again, from this on, and at last as seldom as what is settled. All longer as the interval is.
const REFUSED: Duration = Duration::from_mins(1);
/// So that the round that is to look at AWS does not come a moment too early, and finds what it saw still fresh.
const SLACK: Duration = Duration::from_secs(1);
/// Before something is looked at again that was just about to be.
const SOONEST: Duration = Duration::from_secs(1);
/// Between two stages of a removal.
const STAGE: Duration = Duration::from_millis(500);

/// Whether a web pod's confirmation of the subscription is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Confirmation {
    NotNeeded,
    Expected,
    Overdue,
}

/// What the next round's time follows from, apart from what this one came to.
#[derive(Debug, Clone, Copy)]
struct Signs {
    confirmation: Confirmation,
    /// Rounds that wrote something.
    rounds_in_a_row: u32,
    is_queue_busy: bool,
    /// For which a resource may not be used already.
    refused_for: Duration,
    /// Between two looks at bindings.
    interval: Duration,
    /// Until the next one, where what was seen is remembered.
    until_look: Option<Duration>,
}

/// When a round is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// Spread, so that many pipelines do not come at once.
    About(Duration),
    /// What it follows from is spread already.
    In(Duration),
}

/// Also decides whether the next round may take what it saw outside the cluster for unchanged. `rebalance` is when
/// pods' places are to be looked at again.
pub(super) fn plan_next_round(
    context: &Context,
    object: &AssetPipeline,
    applied: &Applied,
    rebalance: Option<Duration>,
) -> Action {
    let now = (context.clock)();
    let confirmation = note_confirmation(context, object, applied, now);
    if !is_settled(applied, confirmation) {
        context.settled.forget(object);
    }
    let interval = context.pace.interval();
    context.metrics.drift_interval_seconds.set(i64::try_from(interval.as_secs()).unwrap_or(i64::MAX));
    let rounds_in_a_row = if has_worked(applied) {
        context.settled.count_work(object)
    } else {
        context.settled.count_rest(object)
    };
    if let Some(error) = failure_of(applied) {
        return after(context, object, error);
    }
    context.pace.note_answers(object);
    let is_queue_busy = is_queue_busy(context, object);
    let until_look = context.settled.until_look(object, interval);
    let refused_for = refused_for(object, now);
    let signs = Signs { confirmation, rounds_in_a_row, is_queue_busy, refused_for, interval, until_look };
    let due = due_in(applied, &signs);
    let due = rebalance.map_or(due, |rebalance| due.at_the_latest(rebalance.max(SOONEST)));
    match applied.subscription {
        SubscriptionState::Unreachable { .. } => {
            let again = context.reached.due_in(object, now);
            again.map_or(due, |again| due.at_the_latest(again.max(SOONEST)))
        }
        SubscriptionState::Pending => {
            let turn = Waiting::of(object, None).until_turn(now);
            turn.map_or(due, |turn| due.at_the_latest(turn + SLACK))
        }
        SubscriptionState::NoEndpoint
        | SubscriptionState::WaitingForWeb
        | SubscriptionState::Confirmed
        | SubscriptionState::Unknown => due,
    }
    .action()
}

/// What could not be renewed is not noted: the next round tries again.
fn note_confirmation(
    context: &Context,
    object: &AssetPipeline,
    applied: &Applied,
    now: Timestamp,
) -> Confirmation {
    match applied.subscription {
        SubscriptionState::Pending if bindings_failure(applied).is_some() => Confirmation::Expected,
        SubscriptionState::Pending if context.settled.note_pending(object, now) < PENDING_PATIENCE => {
            Confirmation::Expected
        }
        SubscriptionState::Pending => Confirmation::Overdue,
        SubscriptionState::NoEndpoint
        | SubscriptionState::WaitingForWeb
        | SubscriptionState::Unreachable { .. }
        | SubscriptionState::Confirmed
        | SubscriptionState::Unknown => {
            context.settled.forget_pending(object);
            Confirmation::NotNeeded
        }
    }
}

/// There is nothing to do; the queues' numbers are told all the same.
pub(super) fn while_suspended(context: &Context, object: &AssetPipeline) -> Action {
    Due::About(if is_queue_busy(context, object) { BUSY } else { LEAST_INTERVAL }).action()
}

/// The next try after a failure on AWS.
pub(super) fn after(context: &Context, object: &AssetPipeline, error: &Error) -> Action {
    Action::requeue(context.back_off(object, error))
}

pub(super) fn next_stage() -> Action {
    Action::requeue(STAGE)
}

impl Due {
    fn at_the_latest(self, delay: Duration) -> Self {
        match self {
            Self::About(due) => Self::About(due.min(delay)),
            Self::In(due) => Self::In(due.min(delay)),
        }
    }

    fn action(self) -> Action {
        Action::requeue(match self {
            Self::About(delay) => delay.mul_f64(rand::random_range(0.9..1.1)),
            Self::In(delay) => delay,
        })
    }
}

/// As the status tells it: it outlasts the process.
fn refused_for(object: &AssetPipeline, now: Timestamp) -> Duration {
    let told = object.status.as_ref().and_then(|status| status.condition(condition_type::BINDINGS_READY));
    let since = told.filter(|told| told.status == "False").map(|told| told.last_transition_time.0);
    since.and_then(|since| Duration::try_from(now.duration_since(since)).ok()).unwrap_or_default()
}

fn is_queue_busy(context: &Context, object: &AssetPipeline) -> bool {
    context.samples.latest(object).is_some_and(|queue| queue.visible + queue.in_flight > 0)
}

fn has_worked(applied: &Applied) -> bool {
    matches!(applied.bindings, BindingsOutcome::Worked(_) | BindingsOutcome::Corrected(_))
        || matches!(applied.registry, RegistryOutcome::Worked)
}

fn is_settled(applied: &Applied, confirmation: Confirmation) -> bool {
    matches!(applied.bindings, BindingsOutcome::Settled(_))
        && matches!(applied.registry, RegistryOutcome::Settled { .. })
        && confirmation != Confirmation::Expected
}

/// Where nothing failed on AWS.
fn due_in(applied: &Applied, signs: &Signs) -> Due {
    let Signs { confirmation, rounds_in_a_row, is_queue_busy, refused_for, interval, until_look } = *signs;
    if applied.purges.left > 0 && !has_worked(applied) {
        Due::About(FAILED)
    } else if (applied.is_overtaken || !applied.purges.statuses.is_empty()) && !has_worked(applied) {
        // What others wrote is looked at, and purges that have been told are taken off the pipeline.
        Due::About(WORKED)
    } else if has_worked(applied) {
        Due::About(WORKED.saturating_mul(1 << rounds_in_a_row.saturating_sub(1).min(MAX_DOUBLINGS)))
    } else if confirmation == Confirmation::Expected {
        Due::About(PENDING)
    } else if !applied.foreign.is_empty() {
        Due::About(FOREIGN)
    } else if matches!(applied.bindings, BindingsOutcome::Refused(_)) {
        let stretched = interval.div_duration_f64(LEAST_INTERVAL);
        Due::About(refused_for.clamp(REFUSED, LEAST_INTERVAL).mul_f64(stretched))
    } else if is_queue_busy {
        Due::About(BUSY)
    } else if !applied.missing_secrets.is_empty() {
        Due::About(MISSING)
    } else {
        until_look.map_or(Due::About(interval), |left| Due::In(left + SLACK))
    }
}

fn failure_of(applied: &Applied) -> Option<&Error> {
    bindings_failure(applied).or_else(|| registry_failure(applied))
}

fn bindings_failure(applied: &Applied) -> Option<&Error> {
    match &applied.bindings {
        BindingsOutcome::Failed(error) => Some(error),
        BindingsOutcome::Settled(_)
        | BindingsOutcome::Worked(_)
        | BindingsOutcome::Corrected(_)
        | BindingsOutcome::Refused(_) => None,
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

    use crate::{
        pipeline::{observe::Workloads, plan::Front, validate::Timeouts},
        placement::TierZones,
        purges::AppliedPurges,
    };

    use super::*;

    fn pending() -> Applied {
        Applied {
            bindings: BindingsOutcome::Settled(BindingsStatus::default()),
            registry: RegistryOutcome::Settled { registered: vec![], taken: vec![] },
            purges: AppliedPurges::default(),
            subscription: SubscriptionState::Pending,
            drift: vec![],
            drift_interval: LEAST_INTERVAL,
            missing_secrets: vec![],
            foreign: vec![],
            is_overtaken: false,
            front: Front {
                url: None,
                ingress_class: None,
                timeouts: Timeouts::from_hold_seconds(25).unwrap(),
            },
            workloads: Workloads::default(),
            zones: TierZones::default(),
            ingress: None,
        }
    }

    fn signs(confirmation: Confirmation) -> Signs {
        Signs {
            confirmation,
            rounds_in_a_row: 0,
            is_queue_busy: false,
            refused_for: Duration::ZERO,
            interval: LEAST_INTERVAL,
            until_look: Some(Duration::from_secs(280)),
        }
    }

    #[test]
    fn confirmation_that_does_not_come_is_asked_for_seldom() {
        assert_eq!(due_in(&pending(), &signs(Confirmation::Expected)), Due::About(PENDING));
        assert!(!is_settled(&pending(), Confirmation::Expected));
        let look = Due::In(Duration::from_secs(281));
        assert_eq!(due_in(&pending(), &signs(Confirmation::Overdue)), look);
        assert!(is_settled(&pending(), Confirmation::Overdue));
    }

    #[test]
    fn writes_come_before_a_confirmation() {
        let worked = Applied { registry: RegistryOutcome::Worked, ..pending() };
        let signs = Signs { rounds_in_a_row: 3, is_queue_busy: true, ..signs(Confirmation::Expected) };
        assert_eq!(due_in(&worked, &signs), Due::About(WORKED * 4));
    }

    #[test]
    fn purge_that_was_told_is_taken_off_soon() {
        let statuses = vec![crds::PurgeStatus::default()];
        let told = Applied { purges: AppliedPurges { statuses, left: 0 }, ..pending() };
        assert_eq!(due_in(&told, &signs(Confirmation::NotNeeded)), Due::About(WORKED));
    }

    #[test]
    fn looks_are_as_far_apart_as_the_interval_says() {
        let far = Duration::from_mins(20);
        let signs = Signs { interval: far, until_look: None, ..signs(Confirmation::NotNeeded) };
        assert_eq!(due_in(&pending(), &signs), Due::About(far));
        let refusal = crate::aws::Refusal { reason: "ForeignResource", message: String::new() };
        let refused = Applied { bindings: BindingsOutcome::Refused(refusal), ..pending() };
        assert_eq!(due_in(&refused, &signs), Due::About(REFUSED * 4));
    }

    #[test]
    fn what_stays_refused_is_looked_at_as_seldom_as_what_is_settled() {
        let refusal = crate::aws::Refusal { reason: "AdoptionNotAllowed", message: String::new() };
        let refused = Applied { bindings: BindingsOutcome::Refused(refusal), ..pending() };
        for (refused_for, due) in [(0, 60), (59, 60), (150, 150), (300, 300), (86_400, 300)] {
            let refused_for = Duration::from_secs(refused_for);
            let signs = Signs { refused_for, ..signs(Confirmation::NotNeeded) };
            assert_eq!(due_in(&refused, &signs), Due::About(Duration::from_secs(due)), "{refused_for:?}");
        }
        let object = |status: &str| {
            let since = "2026-01-01T00:00:00Z";
            let condition = serde_json::json!({
                "type": "BindingsReady", "status": status, "reason": "R", "message": "", "lastTransitionTime": since,
            });
            serde_json::from_value::<AssetPipeline>(serde_json::json!({
                "metadata": {"name": "storefront"}, "spec": {}, "status": {"conditions": [condition]},
            }))
            .unwrap()
        };
        let now = "2026-01-01T00:02:30Z".parse().unwrap();
        assert_eq!(refused_for(&object("False"), now), Duration::from_secs(150));
        assert_eq!(refused_for(&object("True"), now), Duration::ZERO);
    }

    #[test]
    fn failure_of_the_bindings_comes_before_that_of_the_registry() {
        let failed = |name: &str| Error::new(pipeline::ErrorKind::Denied, format!("look at {name}"));
        let both = Applied {
            bindings: BindingsOutcome::Failed(failed("queue q")),
            registry: RegistryOutcome::Failed(failed("bucket b")),
            ..pending()
        };
        assert!(failure_of(&both).unwrap().to_string().contains("queue q"));
        assert!(failure_of(&pending()).is_none());
    }
}
