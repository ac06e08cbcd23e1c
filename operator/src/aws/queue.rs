//! The queues of jobs, for visits and for refreshes, and the queue of those that failed for good.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::{Client, types::QueueAttributeName};
use pipeline::Error;
use serde_json::json;

use super::{
    error::{failed, is_missing},
    ownership::{Holder, Owner, Tags, plan_tags},
    policy::{Transport, build_policy, is_same_json},
};

/// Receives after which a message is put aside. High, since a worker that hands a job back counts too.
const MAX_RECEIVES: u32 = 100;
/// Seconds that an unread job is kept; workers drop it long before, ten minutes after it was sent.
const JOB_RETENTION_SECONDS: u32 = 3_600;
/// Seconds that a failed job is kept for somebody to look at it: two weeks, the most that SQS offers.
const FAILED_RETENTION_SECONDS: u32 = 1_209_600;
/// Seconds of SQS's long poll.
const LONG_POLL_SECONDS: u32 = 20;

/// Attributes by name, as SQS takes and gives them.
pub type Attributes = BTreeMap<String, String>;

/// What a queue's name resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObservedQueue {
    Missing,
    Found(FoundQueue),
}

/// A queue that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundQueue {
    pub url: String,
    pub arn: String,
    pub attributes: Attributes,
    pub tags: Tags,
}

/// How a queue should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueWant {
    pub name: String,
    pub attributes: Attributes,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueStep {
    /// SQS sets attributes and tags in the same call, so no crash leaves it half made.
    Create {
        want: QueueWant,
        tags: Tags,
    },
    SetAttributes {
        url: String,
        changed: Attributes,
    },
    AddTags {
        url: String,
        changed: Tags,
    },
    SetPolicy {
        url: String,
        policy: String,
    },
    Delete {
        url: String,
    },
}

impl QueueStep {
    /// As logs name it, and the queue's name or URL.
    pub(super) fn told(&self) -> (&'static str, &str) {
        match self {
            Self::Create { want, tags: _ } => ("create queue", &want.name),
            Self::SetAttributes { url, changed: _ } => ("set attributes of queue", url),
            Self::AddTags { url, changed: _ } => ("tag queue", url),
            Self::SetPolicy { url, policy: _ } => ("set policy of queue", url),
            Self::Delete { url } => ("delete queue", url),
        }
    }
}

impl ObservedQueue {
    pub fn found(&self) -> Option<&FoundQueue> {
        match self {
            Self::Missing => None,
            Self::Found(found) => Some(found),
        }
    }
}

/// A queue of jobs, whose failures go to the queue with this ARN.
pub(super) fn want_jobs(name: String, visibility_seconds: u32, dead_letter_arn: &str) -> QueueWant {
    let redrive = json!({"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": MAX_RECEIVES});
    let mut attributes = shared_attributes(JOB_RETENTION_SECONDS);
    attributes.insert("VisibilityTimeout".to_owned(), visibility_seconds.to_string());
    attributes.insert("RedrivePolicy".to_owned(), redrive.to_string());
    QueueWant { name, attributes }
}

/// The queue of failed jobs.
pub(super) fn want_dead_letters(name: String) -> QueueWant {
    QueueWant { name, attributes: shared_attributes(FAILED_RETENTION_SECONDS) }
}

fn shared_attributes(retention_seconds: u32) -> Attributes {
    let pairs = [
        ("MessageRetentionPeriod", retention_seconds.to_string()),
        ("ReceiveMessageWaitTimeSeconds", LONG_POLL_SECONDS.to_string()),
        ("SqsManagedSseEnabled", "true".to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(super) async fn observe_queue(client: &Client, name: &str) -> Result<ObservedQueue, Error> {
    let url = match client.get_queue_url().queue_name(name).send().await {
        Ok(answer) => answer.queue_url.unwrap_or_default(),
        Err(error) if is_missing(&error) => return Ok(ObservedQueue::Missing),
        Err(error) => return Err(failed(&format!("look for queue {name}"), error)),
    };
    let all =
        client.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::All).send().await;
    let attributes: Attributes = match all {
        Ok(answer) => {
            answer.attributes.into_iter().flatten().map(|(k, v)| (k.as_str().to_owned(), v)).collect()
        }
        Err(error) if is_missing(&error) => return Ok(ObservedQueue::Missing),
        Err(error) => return Err(failed(&format!("read the attributes of queue {name}"), error)),
    };
    let tags = client.list_queue_tags().queue_url(&url).send().await;
    let tags = tags.map_err(|error| failed(&format!("read the tags of queue {name}"), error))?;
    let arn = attributes.get("QueueArn").cloned().unwrap_or_default();
    Ok(ObservedQueue::Found(FoundQueue {
        url,
        arn,
        attributes,
        tags: tags.tags.into_iter().flatten().collect(),
    }))
}

/// The writes that make the queue as it should be, or whose it is instead of ours.
pub(super) fn plan_queue(
    observed: &ObservedQueue,
    want: QueueWant,
    transport: Transport,
    owner: &Owner,
) -> Result<Vec<QueueStep>, String> {
    let found = match observed {
        ObservedQueue::Missing => return Ok(vec![QueueStep::Create { want, tags: owner.owned_tags() }]),
        ObservedQueue::Found(found) => found,
    };
    let QueueWant { name, attributes } = want;
    match owner.holder(&found.tags) {
        Holder::Ours | Holder::Released => {}
        Holder::Nobody => return Err(format!("queue {name} exists and carries none of our tags")),
        Holder::Other(other) => return Err(format!("queue {name} belongs to {other}")),
    }
    let mut steps = Vec::new();
    let url = || found.url.clone();
    if let Some(changed) = plan_tags(&found.tags, &owner.owned_tags()) {
        steps.push(QueueStep::AddTags { url: url(), changed });
    }
    let is_changed = |(name, value): &(String, String)| {
        !found.attributes.get(name).is_some_and(|observed| is_same_json(observed, value))
    };
    let changed: Attributes = attributes.into_iter().filter(is_changed).collect();
    if !changed.is_empty() {
        steps.push(QueueStep::SetAttributes { url: url(), changed });
    }
    let policy = build_policy(transport, "sqs:*", std::slice::from_ref(&found.arn));
    let observed = found.attributes.get("Policy");
    let is_drifted = |policy: &String| !observed.is_some_and(|observed| is_same_json(observed, policy));
    steps.extend(policy.filter(is_drifted).map(|policy| QueueStep::SetPolicy { url: url(), policy }));
    Ok(steps)
}

/// The queue's removal, where it is ours.
pub(super) fn plan_queue_release(observed: &ObservedQueue, owner: &Owner) -> Option<QueueStep> {
    match observed {
        ObservedQueue::Found(found) if owner.holder(&found.tags) == Holder::Ours => {
            Some(QueueStep::Delete { url: found.url.clone() })
        }
        ObservedQueue::Found(_) | ObservedQueue::Missing => None,
    }
}

pub(super) async fn apply_queue(client: &Client, step: QueueStep) -> Result<(), Error> {
    match step {
        QueueStep::Create { want: QueueWant { name, attributes }, tags } => {
            let request = client.create_queue().queue_name(&name).set_attributes(Some(to_sdk(attributes)));
            let sent = request.set_tags(Some(tags.into_iter().collect())).send().await;
            sent.map(drop).map_err(|error| failed(&format!("create queue {name}"), error))
        }
        QueueStep::SetAttributes { url, changed } => set_attributes(client, &url, changed).await,
        QueueStep::SetPolicy { url, policy } => {
            set_attributes(client, &url, Attributes::from([("Policy".to_owned(), policy)])).await
        }
        QueueStep::AddTags { url, changed } => {
            let sent =
                client.tag_queue().queue_url(&url).set_tags(Some(changed.into_iter().collect())).send().await;
            sent.map(drop).map_err(|error| failed(&format!("tag queue {url}"), error))
        }
        QueueStep::Delete { url } => match client.delete_queue().queue_url(&url).send().await {
            Err(error) if !is_missing(&error) => Err(failed(&format!("delete queue {url}"), error)),
            Ok(_) | Err(_) => Ok(()),
        },
    }
}

async fn set_attributes(client: &Client, url: &str, attributes: Attributes) -> Result<(), Error> {
    let sent =
        client.set_queue_attributes().queue_url(url).set_attributes(Some(to_sdk(attributes))).send().await;
    sent.map(drop).map_err(|error| failed(&format!("configure queue {url}"), error))
}

fn to_sdk(attributes: Attributes) -> HashMap<QueueAttributeName, String> {
    attributes.into_iter().map(|(name, value)| (QueueAttributeName::from(name.as_str()), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner { cluster: "east".into(), namespace: "shop".into(), name: "storefront".into() }
    }

    fn want() -> QueueWant {
        want_jobs("jobs".into(), 8, "arn:aws:sqs:us-east-1:1:dead")
    }

    fn settled() -> FoundQueue {
        let arn = "arn:aws:sqs:us-east-1:1:jobs".to_owned();
        let mut attributes = want().attributes;
        attributes.insert(
            "Policy".into(),
            build_policy(Transport::Tls, "sqs:*", std::slice::from_ref(&arn)).unwrap(),
        );
        attributes.insert("ApproximateNumberOfMessages".into(), "3".into());
        FoundQueue { url: "http://sqs/jobs".into(), arn, attributes, tags: owner().owned_tags() }
    }

    fn plan(found: FoundQueue) -> Result<Vec<QueueStep>, String> {
        plan_queue(&ObservedQueue::Found(found), want(), Transport::Tls, &owner())
    }

    #[test]
    fn settled_queue_needs_no_write() {
        assert_eq!(plan(settled()), Ok(vec![]));
    }

    #[test]
    fn missing_queue_is_made_with_its_tags() {
        let steps = plan_queue(&ObservedQueue::Missing, want(), Transport::Tls, &owner()).unwrap();
        assert_eq!(steps, [QueueStep::Create { want: want(), tags: owner().owned_tags() }]);
    }

    #[test]
    fn only_what_drifted_is_written() {
        let mut drifted = settled();
        drifted.attributes.insert("VisibilityTimeout".into(), "30".into());
        let changed = Attributes::from([("VisibilityTimeout".into(), "8".into())]);
        assert_eq!(
            plan(drifted),
            Ok(vec![QueueStep::SetAttributes { url: "http://sqs/jobs".into(), changed }])
        );
    }

    #[test]
    fn policy_is_compared_as_meaning() {
        let mut reordered = settled();
        let redrive = r#"{ "maxReceiveCount": 100, "deadLetterTargetArn": "arn:aws:sqs:us-east-1:1:dead" }"#;
        reordered.attributes.insert("RedrivePolicy".into(), redrive.into());
        assert_eq!(plan(reordered), Ok(vec![]));
    }

    #[test]
    fn queues_of_others_are_neither_changed_nor_deleted() {
        let other = Owner { cluster: "west".into(), ..owner() };
        for tags in [Tags::new(), other.owned_tags()] {
            let foreign = FoundQueue { tags, ..settled() };
            assert!(plan(foreign.clone()).is_err());
            assert_eq!(plan_queue_release(&ObservedQueue::Found(foreign), &owner()), None);
        }
    }
}
