//! The look at all bindings, and the one at those that a step of the same round has written to.

use pipeline::Error;

use super::{BindingsPlan, ObservedBindings};
use crate::aws::{
    BindingNames, Clients,
    bucket::{ObservedBucket, observe_bucket},
    queue::{ObservedQueue, observe_queue},
    subscription::observe_subscriptions,
    topic::{ObservedTopic, observe_topic, topic_arn},
};

/// What was seen a moment ago, but for what was written to since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unwritten {
    bucket: Option<ObservedBucket>,
    dead_letter_queue: Option<ObservedQueue>,
    queue: Option<ObservedQueue>,
    refresh_queue: Option<ObservedQueue>,
    /// Of one that was there: while no queue was, nobody could look for it.
    topic: Option<ObservedTopic>,
}

impl ObservedBindings {
    /// What stays true of this while the plan is carried out. Subscriptions come and go by others, and cost one call.
    pub fn unwritten_by(self, plan: &BindingsPlan) -> Unwritten {
        let Self { bucket, dead_letter_queue, queue, refresh_queue, topic, subscriptions: _ } = self;
        Unwritten {
            bucket: plan.bucket.is_empty().then_some(bucket),
            dead_letter_queue: plan.dead_letter_queue.is_empty().then_some(dead_letter_queue),
            queue: plan.queue.is_empty().then_some(queue),
            refresh_queue: plan.refresh_queue.is_empty().then_some(refresh_queue),
            topic: (plan.topic.is_empty() && topic.found().is_some()).then_some(topic),
        }
    }
}

pub async fn observe_bindings(clients: &Clients, names: &BindingNames) -> Result<ObservedBindings, Error> {
    observe_rest(clients, names, Unwritten::default()).await
}

/// Looks at what is not `unwritten`.
pub async fn observe_rest(
    clients: &Clients,
    names: &BindingNames,
    unwritten: Unwritten,
) -> Result<ObservedBindings, Error> {
    let queue = async |unwritten, name| match unwritten {
        Some(queue) => Ok(queue),
        None => observe_queue(&clients.sqs, name).await,
    };
    let bucket = match unwritten.bucket {
        Some(bucket) => bucket,
        None => observe_bucket(&clients.s3, &names.bucket).await?,
    };
    let dead_letter_queue = queue(unwritten.dead_letter_queue, &names.dead_letter_queue).await?;
    let queue_of_visits = queue(unwritten.queue, &names.queue).await?;
    let refresh_queue = queue(unwritten.refresh_queue, &names.refresh_queue).await?;
    // Any of the queues tells account and partition: a topic must not be lost from sight with one of them.
    let arn = [&dead_letter_queue, &queue_of_visits, &refresh_queue]
        .into_iter()
        .find_map(|queue| topic_arn(&queue.found()?.arn, &names.topic));
    let topic = match (unwritten.topic, arn) {
        (Some(topic), _) => topic,
        (None, Some(arn)) => observe_topic(&clients.sns, &arn).await?,
        (None, None) => ObservedTopic::Missing,
    };
    let subscriptions = match &topic {
        ObservedTopic::Found(found) => observe_subscriptions(&clients.sns, &found.arn).await?,
        ObservedTopic::Missing => Vec::new(),
    };
    Ok(ObservedBindings {
        bucket,
        dead_letter_queue,
        queue: queue_of_visits,
        refresh_queue,
        topic,
        subscriptions,
    })
}
