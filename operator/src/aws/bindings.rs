//! All bindings of one pipeline together: what is there, what should be, and the order of the writes.
//!
//! One round of observe, plan and apply does what the round before made possible: the queues of jobs and the
//! topic need the account that the dead-letter queue's ARN tells. Rounds go on until a plan is empty.

use pipeline::Error;

use super::{
    BindingNames, Clients, Owner, Transport,
    bucket::{
        BucketStep, ObservedBucket, Written, apply_bucket, observe_bucket, plan_bucket, plan_bucket_release,
    },
    queue::{
        ObservedQueue, QueueStep, apply_queue, observe_queue, plan_queue, plan_queue_release,
        want_dead_letters, want_jobs,
    },
    subscription::{
        Subscription, SubscriptionStep, SubscriptionWant, apply_subscription, observe_subscriptions,
        plan_subscription, plan_subscription_release,
    },
    topic::{
        ObservedTopic, TopicStep, apply_topic, observe_topic, plan_topic, plan_topic_release, topic_arn,
    },
};

/// How the bindings of a pipeline should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingsWant {
    pub names: BindingNames,
    pub owner: Owner,
    pub region: String,
    pub transport: Transport,
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
}

impl BindingsPlan {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

pub async fn observe_bindings(clients: &Clients, names: &BindingNames) -> Result<ObservedBindings, Error> {
    let bucket = observe_bucket(&clients.s3, &names.bucket).await?;
    let dead_letter_queue = observe_queue(&clients.sqs, &names.dead_letter_queue).await?;
    let queue = observe_queue(&clients.sqs, &names.queue).await?;
    let refresh_queue = observe_queue(&clients.sqs, &names.refresh_queue).await?;
    let arn = dead_letter_queue.found().and_then(|found| topic_arn(&found.arn, &names.topic));
    let topic = match arn {
        Some(arn) => observe_topic(&clients.sns, &arn).await?,
        None => ObservedTopic::Missing,
    };
    let subscriptions = match &topic {
        ObservedTopic::Found(found) => observe_subscriptions(&clients.sns, &found.arn).await?,
        ObservedTopic::Missing => Vec::new(),
    };
    Ok(ObservedBindings { bucket, dead_letter_queue, queue, refresh_queue, topic, subscriptions })
}

/// The writes of this round, or which resource is somebody else's. Then nothing at all is written.
pub fn plan_bindings(observed: &ObservedBindings, want: &BindingsWant) -> Result<BindingsPlan, String> {
    let BindingsWant { names, owner, region, transport, visibility_seconds, subscription } = want;
    let transport = *transport;
    let dead_letters = want_dead_letters(names.dead_letter_queue.clone());
    let mut plan = BindingsPlan {
        bucket: plan_bucket(&observed.bucket, &names.bucket, region, transport, owner)?,
        dead_letter_queue: plan_queue(&observed.dead_letter_queue, dead_letters, transport, owner)?,
        ..BindingsPlan::default()
    };
    let Some(dead_letter_queue) = observed.dead_letter_queue.found() else { return Ok(plan) };
    let jobs = |name: &str| want_jobs(name.to_owned(), *visibility_seconds, &dead_letter_queue.arn);
    plan.queue = plan_queue(&observed.queue, jobs(&names.queue), transport, owner)?;
    plan.refresh_queue = plan_queue(&observed.refresh_queue, jobs(&names.refresh_queue), transport, owner)?;
    if let Some(arn) = topic_arn(&dead_letter_queue.arn, &names.topic) {
        plan.topic = plan_topic(&observed.topic, &names.topic, &arn, transport, owner)?;
    }
    if let Some(topic) = observed.topic.found() {
        plan.subscription = plan_subscription(&observed.subscriptions, &topic.arn, subscription);
    }
    Ok(plan)
}

/// What is left to do for a pipeline that is going. Resources of others are passed over.
pub fn plan_release(observed: &ObservedBindings, owner: &Owner) -> ReleasePlan {
    let ObservedBindings { bucket, dead_letter_queue, queue, refresh_queue, topic, subscriptions } = observed;
    let topic = plan_topic_release(topic, owner);
    ReleasePlan {
        subscription: if topic.is_some() { plan_subscription_release(subscriptions) } else { Vec::new() },
        topic,
        queue: plan_queue_release(queue, owner),
        refresh_queue: plan_queue_release(refresh_queue, owner),
        dead_letter_queue: plan_queue_release(dead_letter_queue, owner),
        bucket: plan_bucket_release(bucket, owner),
    }
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
    let ReleasePlan { subscription, topic, queue, refresh_queue, dead_letter_queue, bucket } = plan;
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
mod tests {
    use super::*;
    use crate::aws::{bucket::FoundBucket, queue::FoundQueue};

    fn want() -> BindingsWant {
        let owner = Owner { cluster: "east".into(), namespace: "shop".into(), name: "storefront".into() };
        BindingsWant {
            names: BindingNames::new("shop", "storefront", &"0123456789".parse().unwrap()),
            owner,
            region: "eu-west-1".into(),
            transport: Transport::Tls,
            visibility_seconds: 8,
            subscription: SubscriptionWant::None,
        }
    }

    fn nothing() -> ObservedBindings {
        ObservedBindings {
            bucket: ObservedBucket::Missing,
            dead_letter_queue: ObservedQueue::Missing,
            queue: ObservedQueue::Missing,
            refresh_queue: ObservedQueue::Missing,
            topic: ObservedTopic::Missing,
            subscriptions: vec![],
        }
    }

    fn dead_letters() -> ObservedQueue {
        ObservedQueue::Found(FoundQueue {
            url: "http://sqs/dead".into(),
            arn: "arn:aws:sqs:eu-west-1:1:dead".into(),
            attributes: want_dead_letters("dead".into()).attributes,
            tags: want().owner.owned_tags(),
        })
    }

    #[test]
    fn queues_and_topic_wait_for_the_dead_letter_queue() {
        let first = plan_bindings(&nothing(), &want()).unwrap();
        assert!(!first.bucket.is_empty() && !first.dead_letter_queue.is_empty());
        assert!(first.queue.is_empty() && first.refresh_queue.is_empty() && first.topic.is_empty());
        let second =
            plan_bindings(&ObservedBindings { dead_letter_queue: dead_letters(), ..nothing() }, &want());
        let second = second.unwrap();
        assert!(!second.topic.is_empty());
        let created = |steps: &[QueueStep]| match steps {
            [QueueStep::Create { want, tags }] => (want.clone(), tags.clone()),
            other => panic!("{other:?}"),
        };
        let (jobs, refreshes) = (created(&second.queue), created(&second.refresh_queue));
        assert_eq!(
            (jobs.0.name.as_str(), refreshes.0.name.as_str()),
            ("ap-shop-storefront-0123456789", "ap-shop-storefront-0123456789-refresh")
        );
        assert_eq!((jobs.0.attributes, jobs.1), (refreshes.0.attributes, refreshes.1));
    }

    #[test]
    fn queue_of_refreshes_is_ours_to_correct_and_to_delete_and_nobody_elses() {
        let refreshes = |tags| {
            ObservedQueue::Found(FoundQueue {
                url: "http://sqs/refresh".into(),
                arn: "arn:aws:sqs:eu-west-1:1:refresh".into(),
                attributes: [("VisibilityTimeout".to_owned(), "30".to_owned())].into(),
                tags,
            })
        };
        let observed = |tags| ObservedBindings {
            dead_letter_queue: dead_letters(),
            refresh_queue: refreshes(tags),
            ..nothing()
        };
        let ours = observed(want().owner.owned_tags());
        let plan = plan_bindings(&ours, &want()).unwrap();
        assert!(matches!(&plan.refresh_queue[0], QueueStep::SetAttributes { changed, .. }
            if changed["VisibilityTimeout"] == "8" && changed.contains_key("RedrivePolicy")));
        let delete = QueueStep::Delete { url: "http://sqs/refresh".into() };
        assert_eq!(plan_release(&ours, &want().owner).refresh_queue, Some(delete));
        let foreign = observed(Owner { cluster: "west".into(), ..want().owner }.owned_tags());
        assert!(plan_bindings(&foreign, &want()).is_err());
        assert_eq!(plan_release(&foreign, &want().owner).refresh_queue, None);
    }

    #[test]
    fn one_foreign_resource_stops_all_writes() {
        let bucket = ObservedBucket::Found(FoundBucket {
            tags: Owner { cluster: "west".into(), ..want().owner }.owned_tags(),
            holds_objects: true,
            blocks_public_access: true,
            is_encrypted: true,
            policy: None,
        });
        let observed = ObservedBindings { bucket, ..nothing() };
        assert!(plan_bindings(&observed, &want()).is_err());
    }

    #[test]
    fn release_of_nothing_is_nothing() {
        assert_eq!(plan_release(&nothing(), &want().owner), ReleasePlan::default());
    }
}
