//! From what a round came to, to the conditions that tell it. Pure.

mod serving;
mod zones;

use crds::{condition_reason as reason, condition_type as kind};
use k8s_openapi::{api::apps::v1::Deployment, apimachinery::pkg::apis::meta::v1::Condition};
use pipeline::{ErrorKind, chain};

use super::{
    apply::{Applied, BindingsOutcome, RegistryOutcome},
    finalize::FinalizeError,
    observe::MissingSecret,
    plan::{ForeignChild, SubscriptionState},
};
pub(super) use serving::{
    Readiness, addresses_of, is_complete, judge_ingress, judge_timeouts, judge_web, judge_workers,
};
pub(super) use zones::{MAX_SKEW, judge_zones};

use crate::{
    aws::Refusal,
    names::{LET_GO_ANNOTATION, LET_GO_WISH},
};

/// What is told of every suspended pipeline.
const SUSPENDED: &str = "spec.suspend is true: nothing of the pipeline is changed, on AWS or in the cluster, \
                         but the number of workers; its pods run on. Set it to false to go on";

/// Whether something holds, and why or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub holds: bool,
    pub reason: &'static str,
    pub message: String,
}

/// Whether time alone may mend what does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// The operator goes on, and comes to an end by itself.
    Moving,
    /// A person must act.
    Stuck,
}

pub(super) fn holds(message: impl Into<String>) -> Verdict {
    Verdict { holds: true, reason: reason::AS_SPECIFIED, message: message.into() }
}

pub(crate) fn fails(reason: &'static str, message: impl Into<String>) -> Verdict {
    Verdict { holds: false, reason, message: message.into() }
}

pub(super) fn judge_bindings(outcome: &BindingsOutcome) -> (Verdict, Outlook) {
    match outcome {
        BindingsOutcome::Settled(_) | BindingsOutcome::Corrected(_) => {
            (holds("bucket, queues and topic exist and may be used"), Outlook::Moving)
        }
        BindingsOutcome::Worked(_) => (
            fails(reason::IN_PROGRESS, "bucket, queues and topic are being made or configured"),
            Outlook::Moving,
        ),
        BindingsOutcome::Refused(Refusal { reason, message }) => (fails(reason, message), Outlook::Stuck),
        BindingsOutcome::Failed(error) => (judge_error(error), outlook_of(error)),
    }
}

/// What is told of all that is not as it should be and is not ours to change.
const LEFT_SO: &str = "mode ReadOnly and tags of others are left so: correct it there, or set mode Adopt, or take such \
                       a key out of spec.bindings.tags";

/// What we may change is corrected and no news; this tells of what we may not.
pub(super) fn judge_drift(bindings: &Verdict, drift: &[String]) -> Verdict {
    if !drift.is_empty() {
        let message = format!("{}; {LEFT_SO}", drift.join("; "));
        fails(reason::DRIFTED, message)
    } else if bindings.holds {
        holds("bucket, queues and topic are set as they should be")
    } else {
        fails(reason::BINDINGS_NOT_READY, "bucket, queues and topic are not all there yet")
    }
}

pub(super) fn judge_registry(outcome: &RegistryOutcome) -> (Verdict, Outlook) {
    match outcome {
        RegistryOutcome::Waiting => {
            (fails(reason::BINDINGS_NOT_READY, "the registry waits for the bucket"), Outlook::Moving)
        }
        RegistryOutcome::Worked => {
            (fails(reason::IN_PROGRESS, "tenants are being registered"), Outlook::Moving)
        }
        RegistryOutcome::Failed(error) => (judge_error(error), outlook_of(error)),
        RegistryOutcome::Settled { taken, registered } if taken.is_empty() => (
            holds(format!("every host of spec.tenants ({}) is registered", registered.len())),
            Outlook::Moving,
        ),
        RegistryOutcome::Settled { taken, .. } => {
            let hosts: Vec<String> = taken.iter().map(|(host, owner)| format!("{host} by {owner}")).collect();
            let message = format!("claimed already: {}; drop the host here or there", hosts.join(", "));
            (fails(reason::HOST_TAKEN, message), Outlook::Stuck)
        }
    }
}

pub(super) fn judge_subscription(state: &SubscriptionState) -> Verdict {
    match state {
        SubscriptionState::Confirmed => holds("SNS posts notices to the endpoint"),
        SubscriptionState::NoEndpoint => fails(
            reason::NO_ENDPOINT,
            "spec.notifications.endpoint is not set; notices go directly from pod to pod",
        ),
        SubscriptionState::WaitingForWeb => {
            fails(reason::WAITING_FOR_WEB, "no web pod is ready to confirm a subscription")
        }
        SubscriptionState::Unreachable { endpoint, why } => fails(
            reason::UNREACHABLE,
            format!(
                "SNS is not asked to post to {endpoint}, since it does not lead to the web pods: {why}. Have the DNS \
                 name of its host, and the load balancer's rule for it, lead to the pipeline's Service, from the \
                 operator's pod, too; it is asked again within 5 minutes. Notices go directly from pod to pod until \
                 then"
            ),
        ),
        SubscriptionState::Pending => {
            fails(reason::PENDING_CONFIRMATION, "SNS has not seen the endpoint's confirmation")
        }
        SubscriptionState::Unknown => fails(reason::BINDINGS_NOT_READY, "the topic is not there yet"),
    }
}

/// Pods that need a Secret to start say so by not being ready; those that run go on.
pub(super) fn judge_credentials(missing: &[MissingSecret]) -> Verdict {
    if missing.is_empty() {
        return holds("every Secret that the spec names is there");
    }
    let tell = |secret: &MissingSecret| {
        let MissingSecret { field, name } = secret;
        format!("this namespace has no Secret {name}, which {field} names: make it, or name another one")
    };
    fails(reason::SECRET_MISSING, missing.iter().map(tell).collect::<Vec<_>>().join("; "))
}

/// What is wrong where objects of others stand in the children's places; `None` where there are none.
pub(super) fn judge_foreign(foreign: &[ForeignChild]) -> Option<Verdict> {
    if foreign.is_empty() {
        return None;
    }
    let objects: Vec<String> = foreign.iter().map(|child| format!("{} {}", child.kind, child.name)).collect();
    let message = format!(
        "not this pipeline's, and left alone: {}; rename the pipeline or remove the object",
        objects.join(", ")
    );
    Some(fails(reason::FOREIGN_RESOURCE, message))
}

/// Ready needs all children in their places, the bindings, the tenants and enough web pods. The subscription is
/// not needed: without it notices go directly, and the web pods look for themselves.
pub(super) fn judge_ready(bindings: &Verdict, tenants: &Verdict, applied: &Applied) -> Readiness {
    let unready = if let Some(foreign) = judge_foreign(&applied.foreign) {
        foreign
    } else if !bindings.holds {
        fails(reason::BINDINGS_NOT_READY, bindings.message.clone())
    } else if !tenants.holds {
        fails(reason::TENANTS_NOT_READY, tenants.message.clone())
    } else {
        return judge_web(applied.workloads.web.as_ref());
    };
    Readiness { serving: unready.clone(), complete: unready }
}

/// Whether a suspended pipeline serves. What is not looked at is taken for as it was last told.
pub(super) fn judge_suspended(told: &[Condition], web: Option<&Deployment>) -> Verdict {
    let was = |type_: &str, status: &str| {
        told.iter().any(|condition| condition.type_ == type_ && condition.status == status)
    };
    let (holds, message) = if !was(kind::BINDINGS_READY, "True") || !was(kind::TENANTS_READY, "True") {
        (false, "bucket, queues, topic and tenants were not all there before".to_owned())
    } else if was(kind::STALLED, "True") {
        (false, "the pipeline was stalled before".to_owned())
    } else {
        let Verdict { holds, reason: _, message } = judge_web(web).serving;
        (holds, message)
    };
    Verdict { holds, reason: reason::SUSPENDED, message: format!("{message}; {SUSPENDED}") }
}

pub(super) fn suspended() -> Verdict {
    Verdict { holds: true, reason: reason::SUSPENDED, message: SUSPENDED.to_owned() }
}

/// What keeps a pipeline from going, and the way out. `None` for what is the cluster's matter, and for too many
/// calls, which pass.
pub(super) fn judge_blocked(error: &FinalizeError) -> Option<Verdict> {
    let error = error.on_aws().filter(|error| error.kind != ErrorKind::Throttled)?;
    let Verdict { holds: _, reason, message } = judge_error(error);
    let message = format!(
        "{message}; mend that, and the deletion goes on, or give up what the pipeline has on AWS and annotate it \
         {LET_GO_ANNOTATION}={LET_GO_WISH}: then it goes, and events name what stays"
    );
    Some(Verdict { holds: true, reason, message })
}

pub(crate) fn judge_error(error: &pipeline::Error) -> Verdict {
    let reason = match error.kind {
        // What is missing was there a moment ago, or is there in a moment: the next round looks anew.
        ErrorKind::Unavailable | ErrorKind::Missing => reason::AWS_UNAVAILABLE,
        ErrorKind::Throttled => reason::AWS_THROTTLED,
        ErrorKind::Denied => reason::AWS_DENIED,
        ErrorKind::Invalid => reason::AWS_REFUSED,
    };
    fails(reason, chain(error))
}

/// It is tried again in either case: a person may act elsewhere, such as in IAM.
pub(crate) fn outlook_of(error: &pipeline::Error) -> Outlook {
    match error.kind {
        ErrorKind::Unavailable | ErrorKind::Throttled | ErrorKind::Missing => Outlook::Moving,
        ErrorKind::Denied | ErrorKind::Invalid => Outlook::Stuck,
    }
}
