//! What is to be done on AWS and in the registry, and what the pods may already know of it.

use crds::{BindingsStatus, condition_reason as reason};
use pipeline::Error;

use super::subscription::SubscriptionState;
use crate::{
    aws::{
        BindingNames, BindingSuffix, BindingsPlan, BindingsTerms, BindingsWant, ObservedBindings, Owner,
        Refusal, Unwritten,
        bucket::ObservedBucket,
        plan_bindings,
        subscription::{SubscriptionWant, ToldSubscription},
    },
    config::Config,
    pipeline::{observe::Sight, validate::ValidPipeline},
    tenants::{Identity, ObservedRegistry, TenantsPlan, owner_name, plan_tenants},
};

/// What is to be done about the AWS resources.
#[derive(Debug)]
pub enum BindingsStep {
    /// Nothing.
    Settled(BindingsStatus),
    Work {
        plan: Box<BindingsPlan>,
        names: BindingNames,
        status: BindingsStatus,
        gone: Vec<Gone>,
    },
    /// Nothing, since a resource is not there, or is not ours to use.
    Refused(Refusal),
    /// AWS did not tell what is there.
    Unknown(Error),
}

impl BindingsStep {
    /// Whether anything is made that is not there yet.
    pub fn makes_something(&self) -> bool {
        matches!(self, Self::Work { plan, .. } if plan.makes_something())
    }

    /// What stays true of what was seen while the step is done.
    pub fn leaves(&self, seen: ObservedBindings) -> Unwritten {
        match self {
            Self::Work { plan, .. } => seen.unwritten_by(plan),
            Self::Settled(_) => seen.unwritten_by(&BindingsPlan::default()),
            Self::Refused(_) | Self::Unknown(_) => Unwritten::default(),
        }
    }

    /// Tells nothing that an earlier step of the round has told, and adds what it tells.
    pub fn leave_out(&mut self, told: &mut Vec<Gone>) {
        if let Self::Work { gone, .. } = self {
            gone.retain(|gone| !told.contains(gone));
            told.extend(gone.iter().cloned());
        }
    }
}

/// What the status told to be there, and somebody removed: it is made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// One for each resource, so that each is told by itself.
    pub action: &'static str,
    /// What it was, and what is lost with it.
    pub note: String,
}

/// What is to be done about the tenants.
#[derive(Debug)]
pub enum RegistryStep {
    /// The bucket is not there yet.
    Waiting,
    /// The steps may be none.
    Planned { bucket: String, owner: String, plan: TenantsPlan },
    /// The bucket did not tell what is there.
    Unknown(Error),
}

impl RegistryStep {
    /// Whether a registration is made or taken back.
    pub fn writes(&self) -> bool {
        matches!(self, Self::Planned { plan, .. } if !plan.steps.is_empty())
    }
}

/// What the pods need to know of the bindings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownBindings {
    pub bucket: String,
    pub queue_url: String,
    pub refresh_queue_url: String,
    pub topic_arn: String,
}

/// What others may want to know of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedBindings {
    pub known: KnownBindings,
    pub bucket_arn: String,
    pub queue_arn: String,
    pub refresh_queue_arn: String,
    pub dead_letter_queue_url: String,
    pub dead_letter_queue_arn: String,
}

pub(super) struct PlannedBindings {
    pub step: BindingsStep,
    pub subscription: SubscriptionState,
    pub drift: Vec<String>,
    /// Absent until all of them exist.
    pub known: Option<KnownBindings>,
    /// Absent likewise, and while AWS does not tell.
    pub named: Option<NamedBindings>,
}

pub(super) fn build_want(
    valid: &ValidPipeline,
    suffix: &BindingSuffix,
    config: &Config,
    subscription: SubscriptionWant,
) -> BindingsWant {
    let names = BindingNames::new(&valid.namespace, &valid.name, suffix).given(&valid.bindings);
    BindingsWant {
        terms: BindingsTerms::new(&names, &valid.bindings, &valid.namespace, &config.adoptable).told(
            ToldSubscription { arn: valid.told.subscription_arn.clone(), endpoint: valid.endpoint.clone() },
        ),
        names,
        owner: Owner {
            cluster: config.cluster_name.clone(),
            namespace: valid.namespace.clone(),
            name: valid.name.clone(),
        },
        region: config.aws_region.clone(),
        transports: config.workloads.endpoints.transports(),
        visibility_seconds: valid.timeouts.visibility,
        subscription,
    }
}

/// `told` is what the status last told, and all that there is while AWS does not answer.
pub(super) fn plan_step(
    sight: Sight<ObservedBindings>,
    told: &BindingsStatus,
    want: &BindingsWant,
    subscription: SubscriptionState,
) -> PlannedBindings {
    let unsettled = |step| PlannedBindings {
        step,
        subscription: SubscriptionState::Unknown,
        drift: Vec::new(),
        known: None,
        named: None,
    };
    let observed = match sight {
        Sight::Seen(observed) => observed,
        Sight::Failed(error) => {
            let known = recall_known(told, want);
            return PlannedBindings { known, ..unsettled(BindingsStep::Unknown(error)) };
        }
        // A claimed pipeline has names, so there was something to look at.
        Sight::Nothing => {
            let message = "the names of the bindings are unknown".to_owned();
            return unsettled(BindingsStep::Refused(Refusal { reason: reason::FOREIGN_RESOURCE, message }));
        }
    };
    let (plan, drift) = match plan_bindings(&observed, want) {
        Ok(planned) => planned,
        Err(refusal) => return unsettled(BindingsStep::Refused(refusal)),
    };
    let known = build_known(&observed, want);
    let named = known.clone().and_then(|known| name_bindings(&observed, known));
    let status = build_status(&observed, told, want);
    let step = if plan.is_empty() {
        BindingsStep::Settled(status)
    } else {
        let gone = list_gone(&observed, told, &want.names);
        BindingsStep::Work { plan: Box::new(plan), names: want.names.clone(), status, gone }
    };
    PlannedBindings { step, subscription, drift, known, named }
}

pub(super) fn plan_registry(
    valid: &ValidPipeline,
    bindings: &BindingsStep,
    registry: Sight<ObservedRegistry>,
    tenant_seed: &str,
) -> RegistryStep {
    // Only a bucket that may be used takes tenants, and only once no write on it is left. Those that it has stay.
    let (bucket, takes_tenants) = match bindings {
        BindingsStep::Settled(status) => (status.bucket.clone(), true),
        BindingsStep::Work { plan, status, .. } => (status.bucket.clone(), plan.bucket.is_empty()),
        BindingsStep::Refused(_) | BindingsStep::Unknown(_) => (None, false),
    };
    match (bucket, registry) {
        (None, _) | (_, Sight::Nothing) => RegistryStep::Waiting,
        (Some(_), Sight::Failed(error)) => RegistryStep::Unknown(error),
        (Some(bucket), Sight::Seen(observed)) => {
            let owner = owner_name(&valid.namespace, &valid.name);
            match plan_tenants(&owner, Identity::EachItsOwn, &valid.tenants, &observed, tenant_seed) {
                Ok(plan) if !takes_tenants && !plan.steps.is_empty() => RegistryStep::Waiting,
                Ok(plan) => RegistryStep::Planned { bucket, owner, plan },
                Err(error) => RegistryStep::Unknown(error),
            }
        }
    }
}

fn build_known(observed: &ObservedBindings, want: &BindingsWant) -> Option<KnownBindings> {
    let has_bucket = matches!(observed.bucket, ObservedBucket::Found(_));
    Some(KnownBindings {
        bucket: has_bucket.then(|| want.names.bucket.clone())?,
        queue_url: observed.queue.found()?.url.clone(),
        refresh_queue_url: observed.refresh_queue.found()?.url.clone(),
        topic_arn: observed.topic.found()?.arn.clone(),
    })
}

fn name_bindings(observed: &ObservedBindings, known: KnownBindings) -> Option<NamedBindings> {
    let dead_letters = observed.dead_letter_queue.found()?;
    Some(NamedBindings {
        bucket_arn: bucket_arn(&dead_letters.arn, &known.bucket)?,
        queue_arn: observed.queue.found()?.arn.clone(),
        refresh_queue_arn: observed.refresh_queue.found()?.arn.clone(),
        dead_letter_queue_url: dead_letters.url.clone(),
        dead_letter_queue_arn: dead_letters.arn.clone(),
        known,
    })
}

/// The ARN of a bucket in the partition of that queue.
fn bucket_arn(queue_arn: &str, bucket: &str) -> Option<String> {
    let partition = queue_arn.split(':').nth(1)?;
    Some(format!("arn:{partition}:s3:::{bucket}"))
}

/// What was known when the status was written, where it speaks of the bindings that are wanted.
fn recall_known(told: &BindingsStatus, want: &BindingsWant) -> Option<KnownBindings> {
    Some(KnownBindings {
        bucket: told.bucket.clone().filter(|bucket| *bucket == want.names.bucket)?,
        queue_url: told.queue_url.clone()?,
        refresh_queue_url: told.refresh_queue_url.clone()?,
        topic_arn: told.topic_arn.clone()?,
    })
}

/// What the status told to be there, is not, and is made anew, in this round or in one of the next.
fn list_gone(observed: &ObservedBindings, told: &BindingsStatus, names: &BindingNames) -> Vec<Gone> {
    let ObservedBindings { bucket, dead_letter_queue, queue, refresh_queue, topic, subscriptions: _ } =
        observed;
    let BindingsStatus { dead_letter_queue_url, queue_url, refresh_queue_url, .. } = told;
    let queues = [
        ("MakeDeadLetterQueue", dead_letter_queue, dead_letter_queue_url, &names.dead_letter_queue),
        ("MakeQueue", queue, queue_url, &names.queue),
        ("MakeRefreshQueue", refresh_queue, refresh_queue_url, &names.refresh_queue),
    ];
    let is_told = |told: &Option<String>, name: &str| told.as_ref().is_some_and(|told| told.ends_with(name));
    let gone = |action, is_missing: bool, told, (kind, name): (&str, &String), lost: &str| {
        (is_missing && is_told(told, name))
            .then(|| Gone { action, note: format!("{kind} {name} was gone and is made anew; {lost}") })
    };
    let files = "every file is compiled again at its next visit";
    let bucket = gone("MakeBucket", bucket.found().is_none(), &told.bucket, ("bucket", &names.bucket), files);
    let queues = queues.into_iter().filter_map(|(action, observed, told, name)| {
        gone(action, observed.found().is_none(), told, ("queue", name), "what was in it is lost")
    });
    let is_topic_missing = observed.has_queue() && topic.found().is_none();
    let others = "others who subscribed must do so again";
    let topic = gone("MakeTopic", is_topic_missing, &told.topic_arn, ("topic", &names.topic), others);
    bucket.into_iter().chain(queues).chain(topic).collect()
}

fn build_status(observed: &ObservedBindings, told: &BindingsStatus, want: &BindingsWant) -> BindingsStatus {
    let ObservedBindings { bucket, dead_letter_queue, queue, refresh_queue, topic, subscriptions } = observed;
    // One that stands still, for now or since its removal failed: nothing else says that it is ours.
    let still = || {
        let mut arns = subscriptions.iter().filter_map(|subscription| subscription.arn.clone());
        arns.find(|arn| told.subscription_arn.as_ref() == Some(arn))
    };
    let unseen = || told.topic_arn.clone().filter(|_| !observed.has_queue());
    BindingsStatus {
        bucket: matches!(bucket, ObservedBucket::Found(_)).then(|| want.names.bucket.clone()),
        queue_url: queue.found().map(|found| found.url.clone()),
        refresh_queue_url: refresh_queue.found().map(|found| found.url.clone()),
        dead_letter_queue_url: dead_letter_queue.found().map(|found| found.url.clone()),
        topic_arn: topic.found().map(|found| found.arn.clone()).or_else(unseen),
        subscription_arn: find_subscription_arn(observed, want).or_else(still),
        // The pace's matter.
        drift_interval_seconds: None,
    }
}

fn find_subscription_arn(observed: &ObservedBindings, want: &BindingsWant) -> Option<String> {
    match &want.subscription {
        SubscriptionWant::Endpoint(endpoint) | SubscriptionWant::Again(endpoint) => {
            let mut all = observed.subscriptions.iter();
            all.find(|subscription| subscription.endpoint == endpoint.as_str())?.arn.clone()
        }
        SubscriptionWant::None | SubscriptionWant::Later => None,
    }
}
