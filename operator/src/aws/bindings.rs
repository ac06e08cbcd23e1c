//! All bindings of one pipeline together: what is there, what should be, and the order of the writes.
//!
//! One step of observe, plan and apply does what the step before made possible: the queues of jobs and the
//! topic need the account that the dead-letter queue's ARN tells. A round takes some steps, and rounds go on until
//! a plan is empty.

mod look;

use crds::BindingMode;
use pipeline::Error;

pub use look::{Unwritten, observe_bindings, observe_rest};

use super::{
    BindingNames, Clients, Owner, Transports,
    bucket::{self, BucketStep, ObservedBucket, Written, apply_bucket, plan_bucket, plan_bucket_release},
    ending::{Contents, Disposal, Ending, plan_ending},
    mode::{Planned, Refusal, check},
    ownership::Standing,
    queue::{
        self, ObservedQueue, QueueStep, apply_queue, plan_queue, plan_queue_release, want_dead_letters,
        want_jobs,
    },
    subscription::{
        Own, Subscription, SubscriptionStep, SubscriptionWant, apply_subscription, plan_subscription,
        plan_subscription_release,
    },
    terms::{BindingsTerms, Terms},
    topic::{self, ObservedTopic, TopicStep, apply_topic, plan_topic, plan_topic_release, topic_arn},
};

/// How the bindings of a pipeline should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingsWant {
    pub names: BindingNames,
    pub terms: BindingsTerms,
    pub owner: Owner,
    pub region: String,
    pub transports: Transports,
    /// Seconds for which a received job stays invisible unless its worker extends it.
    pub visibility_seconds: u32,
    pub subscription: SubscriptionWant,
}

/// What the names of a pipeline's bindings resolve to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedBindings {
    pub bucket: ObservedBucket,
    pub dead_letter_queue: ObservedQueue,
    pub queue: ObservedQueue,
    pub refresh_queue: ObservedQueue,
    /// Missing also while the dead-letter queue is: only its ARN tells the topic's.
    pub topic: ObservedTopic,
    pub subscriptions: Vec<Subscription>,
}

/// The writes of one round, in the order in which they are done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BindingsPlan {
    pub bucket: Vec<BucketStep>,
    pub dead_letter_queue: Vec<QueueStep>,
    pub queue: Vec<QueueStep>,
    pub refresh_queue: Vec<QueueStep>,
    pub topic: Vec<TopicStep>,
    pub subscription: Vec<SubscriptionStep>,
}

/// The writes that remove what is ours and mark what is kept, in the order in which they are done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleasePlan {
    pub subscription: Vec<SubscriptionStep>,
    pub topic: Option<TopicStep>,
    pub queue: Option<QueueStep>,
    pub refresh_queue: Option<QueueStep>,
    pub dead_letter_queue: Option<QueueStep>,
    pub bucket: Option<BucketStep>,
    /// What stays and why; no write.
    pub kept: Vec<String>,
    /// What stays as it is and why, which is told once nothing is left to do; no write.
    pub left: Vec<String>,
}

impl ObservedBindings {
    /// Without any, nobody could look for the topic.
    pub fn has_queue(&self) -> bool {
        [&self.dead_letter_queue, &self.queue, &self.refresh_queue]
            .iter()
            .any(|queue| queue.found().is_some())
    }

    /// What the topic has subscribed, where there is a topic.
    pub fn subscriptions_of_topic(&self) -> Option<&[Subscription]> {
        self.topic.found().map(|_| self.subscriptions.as_slice())
    }
}

impl BindingsPlan {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether anything is made that is not there yet.
    pub fn makes_something(&self) -> bool {
        let Self { bucket, dead_letter_queue, queue, refresh_queue, topic, subscription: _ } = self;
        let queues = [dead_letter_queue, queue, refresh_queue];
        bucket.iter().any(|step| matches!(step, BucketStep::Create(_)))
            || queues.into_iter().flatten().any(|step| matches!(step, QueueStep::Create { .. }))
            || topic.iter().any(|step| matches!(step, TopicStep::Create { .. }))
    }
}

impl ReleasePlan {
    pub fn is_empty(&self) -> bool {
        let Self { subscription, topic, queue, refresh_queue, dead_letter_queue, bucket, kept: _, left: _ } =
            self;
        let queues = [queue, refresh_queue, dead_letter_queue];
        subscription.is_empty()
            && topic.is_none()
            && queues.iter().all(|step| step.is_none())
            && bucket.is_none()
    }
}

/// The writes of this round, and what is not as it should be but may not be changed. Or why a resource cannot
/// be used; then this round writes nothing. The topic is judged only once the dead-letter queue is there.
pub fn plan_bindings(
    observed: &ObservedBindings,
    want: &BindingsWant,
) -> Result<(BindingsPlan, Vec<String>), Refusal> {
    if let Some(refusal) = refuse(observed, want) {
        return Err(refusal);
    }
    let BindingsWant { names: _, terms, owner, region, transports, visibility_seconds, subscription } = want;
    let mut drift = Vec::new();
    let dead_letters = want_dead_letters(terms.dead_letter_queue.name.clone());
    let bucket =
        plan_bucket(&observed.bucket, region, transports.s3, &terms.bucket_settings, (&terms.bucket, owner))?;
    let queue = |observed, want, terms| plan_queue(observed, want, transports.sqs, (terms, owner));
    let dead = queue(&observed.dead_letter_queue, dead_letters, &terms.dead_letter_queue)?;
    let mut plan = BindingsPlan {
        bucket: split(bucket, &terms.bucket, BucketStep::lack, &mut drift),
        dead_letter_queue: split(dead, &terms.dead_letter_queue, QueueStep::lack, &mut drift),
        ..BindingsPlan::default()
    };
    let Some(dead_letter_queue) = observed.dead_letter_queue.found() else { return Ok((plan, drift)) };
    for (observed, terms, steps) in [
        (&observed.queue, &terms.queue, &mut plan.queue),
        (&observed.refresh_queue, &terms.refresh_queue, &mut plan.refresh_queue),
    ] {
        let jobs = want_jobs(terms.name.clone(), *visibility_seconds, &dead_letter_queue.arn);
        *steps = split(queue(observed, jobs, terms)?, terms, QueueStep::lack, &mut drift);
    }
    if let Some(arn) = topic_arn(&dead_letter_queue.arn, &terms.topic.name) {
        let topic = plan_topic(&observed.topic, &arn, transports.sns, (&terms.topic, owner))?;
        plan.topic = split(topic, &terms.topic, TopicStep::lack, &mut drift);
    }
    if let Some(found) = observed.topic.found() {
        let own = Own::of(&topic::stand(&observed.topic, &terms.topic, owner), &terms.subscription);
        let steps = plan_subscription(&observed.subscriptions, &found.arn, subscription, own);
        let planned = allow_by_mode(steps, terms.topic.mode);
        plan.subscription = split(planned, &terms.topic, SubscriptionStep::lack, &mut drift);
    }
    Ok((plan, drift))
}

/// A subscription has no tags: it is its topic's.
fn allow_by_mode(steps: Vec<SubscriptionStep>, mode: BindingMode) -> Planned<SubscriptionStep> {
    match mode {
        BindingMode::ReadOnly => Planned { steps: Vec::new(), forbidden: steps, told: None },
        BindingMode::Create | BindingMode::Adopt | BindingMode::AdoptOrCreate => {
            Planned { steps, forbidden: Vec::new(), told: None }
        }
    }
}

/// Everything that stands in the way, told together.
fn refuse(observed: &ObservedBindings, want: &BindingsWant) -> Option<Refusal> {
    let BindingsWant { terms, owner, region, .. } = want;
    let standings = stand(observed, terms, owner);
    let refusals = standings.iter().filter_map(|(standing, terms)| check(terms, owner, standing));
    refusals.chain(bucket::refuse_settings(&terms.bucket_settings, region)).reduce(|first, next| Refusal {
        reason: first.reason,
        message: format!("{}; {}", first.message, next.message),
    })
}

/// Whose each resource is.
fn stand<'a>(
    observed: &ObservedBindings,
    terms: &'a BindingsTerms,
    owner: &Owner,
) -> Vec<(Standing, &'a Terms)> {
    let queue = |observed, terms| (queue::stand(observed, terms, owner), terms);
    let mut standings = vec![
        (bucket::stand(&observed.bucket, &terms.bucket, owner), &terms.bucket),
        queue(&observed.dead_letter_queue, &terms.dead_letter_queue),
        queue(&observed.queue, &terms.queue),
        queue(&observed.refresh_queue, &terms.refresh_queue),
    ];
    // Before that nobody could look for the topic.
    if observed.dead_letter_queue.found().is_some() {
        standings.push((topic::stand(&observed.topic, &terms.topic, owner), &terms.topic));
    }
    standings
}

/// The steps that are done; of the others it is told what is lacking.
fn split<Step, Text: AsRef<str>>(
    planned: Planned<Step>,
    terms: &Terms,
    lack: impl Fn(&Step) -> Text,
    drift: &mut Vec<String>,
) -> Vec<Step> {
    let Planned { steps, forbidden, told } = planned;
    let resource = format!("{} {}", terms.kind.as_str(), terms.name);
    drift.extend(forbidden.iter().map(|step| format!("{resource} {}", lack(step).as_ref())));
    drift.extend(told.map(|told| format!("{resource} {told}")));
    steps
}

/// Whether the bucket holds this pipeline's registrations, or may.
pub fn holds_registry(observed: &ObservedBucket, terms: &Terms, owner: &Owner) -> bool {
    match bucket::stand(observed, terms, owner) {
        Standing::Ours(_) => true,
        Standing::Released | Standing::Foreign { consent: Some(_), .. } => {
            terms.mode == BindingMode::ReadOnly
        }
        Standing::Missing | Standing::Foreign { consent: None, .. } => false,
    }
}

/// What is left to do for a pipeline that is going. Resources of others are passed over.
pub fn plan_release(observed: &ObservedBindings, terms: &BindingsTerms, owner: &Owner) -> ReleasePlan {
    let left = list_left(observed, terms, owner);
    let ObservedBindings { bucket, dead_letter_queue, queue, refresh_queue, topic, subscriptions } = observed;
    let mut kept = Vec::new();
    let own = Own::of(&topic::stand(topic, &terms.topic, owner), &terms.subscription);
    let topic = plan_topic_release(topic, &terms.topic, owner);
    let topic = note_kept(topic, &terms.topic, &mut kept);
    let [queue, refresh_queue, dead_letter_queue] = [
        (queue, &terms.queue),
        (refresh_queue, &terms.refresh_queue),
        (dead_letter_queue, &terms.dead_letter_queue),
    ]
    .map(|(queue, terms)| note_kept(plan_queue_release(queue, terms, owner), terms, &mut kept));
    let bucket = plan_bucket_release(bucket, &terms.bucket, owner);
    ReleasePlan {
        subscription: if topic.is_some() {
            plan_subscription_release(subscriptions, own)
        } else {
            Vec::new()
        },
        topic,
        queue,
        refresh_queue,
        dead_letter_queue,
        bucket: note_kept(bucket, &terms.bucket, &mut kept),
        kept,
        left,
    }
}

fn list_left(observed: &ObservedBindings, terms: &BindingsTerms, owner: &Owner) -> Vec<String> {
    let standings = stand(observed, terms, owner).into_iter();
    let left = standings
        .filter(|(standing, terms)| plan_ending(terms, standing, Contents::Something) == Some(Ending::Leave));
    left.map(|(_, terms)| build_kept(terms, &tell_read_only(terms))).collect()
}

fn build_kept(terms: &Terms, why: &str) -> String {
    format!("{} {} stays: {why}", terms.kind.as_str(), terms.name)
}

fn tell_read_only(terms: &Terms) -> String {
    format!("{}.mode is ReadOnly", terms.kind.field())
}

fn note_kept<Step>(ending: Option<(Ending, Step)>, terms: &Terms, kept: &mut Vec<String>) -> Option<Step> {
    let (ending, step) = ending?;
    let field = terms.kind.field();
    let why = match (ending, terms.disposal) {
        (Ending::Release | Ending::GiveBack, _) if terms.mode == BindingMode::ReadOnly => {
            tell_read_only(terms)
        }
        (Ending::Release, Disposal::Retain) => format!("{field}.deletionPolicy is Retain"),
        (Ending::Release, Disposal::Delete | Disposal::EmptyAndDelete) => {
            format!("it is not empty, and {field}.whenNotEmpty is Keep")
        }
        (Ending::GiveBack, _) => "it was adopted".to_owned(),
        (Ending::Delete | Ending::Empty | Ending::Leave, _) => return Some(step),
    };
    kept.push(build_kept(terms, &why));
    Some(step)
}

pub async fn apply_bindings(
    clients: &Clients,
    names: &BindingNames,
    plan: BindingsPlan,
) -> Result<Written, Error> {
    let BindingsPlan { bucket, dead_letter_queue, queue, refresh_queue, topic, subscription } = plan;
    for step in bucket {
        tell(names, (step.kind(), &names.bucket));
        match apply_bucket(&clients.s3, &names.bucket, &clients.region, step).await? {
            Written::Done => {}
            foreign @ Written::Foreign(_) => return Ok(foreign),
        }
    }
    for step in dead_letter_queue.into_iter().chain(queue).chain(refresh_queue) {
        tell(names, step.told());
        apply_queue(&clients.sqs, step).await?;
    }
    for step in topic {
        tell(names, step.told());
        apply_topic(&clients.sns, step).await?;
    }
    for step in subscription {
        tell(names, step.told());
        apply_subscription(&clients.sns, step).await?;
    }
    Ok(Written::Done)
}

/// No notice is sent into the void, no job is left without its queue's topic, and the bucket's tag comes
/// last: it is what says that the rest is done.
pub async fn apply_release(clients: &Clients, names: &BindingNames, plan: ReleasePlan) -> Result<(), Error> {
    let ReleasePlan {
        subscription,
        topic,
        queue,
        refresh_queue,
        dead_letter_queue,
        bucket,
        kept: _,
        left: _,
    } = plan;
    for step in subscription {
        tell(names, step.told());
        apply_subscription(&clients.sns, step).await?;
    }
    if let Some(step) = topic {
        tell(names, step.told());
        apply_topic(&clients.sns, step).await?;
    }
    for step in queue.into_iter().chain(refresh_queue).chain(dead_letter_queue) {
        tell(names, step.told());
        apply_queue(&clients.sqs, step).await?;
    }
    if let Some(step) = bucket {
        tell(names, (step.kind(), &names.bucket));
        match apply_bucket(&clients.s3, &names.bucket, &clients.region, step).await? {
            // Only a creation meets another's bucket, and a release creates none.
            Written::Done | Written::Foreign(_) => {}
        }
    }
    Ok(())
}

/// Every write on AWS leaves one line.
fn tell(names: &BindingNames, (step, resource): (&str, &str)) {
    tracing::info!(bindings = names.bucket, step, resource, "writing on AWS");
}

#[cfg(test)]
mod tests;
