//! The queues of jobs, for visits and for refreshes, and the queue of those that failed for good.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::{Client, types::QueueAttributeName};
use pipeline::Error;
use serde_json::json;

use super::{
    cost_tags::{TagChange, build_first_tags, list_ours},
    ending::{Contents, Ending, plan_ending},
    error::{failed, is_missing},
    mode::{AtHand, Planned, Refusal, plan_by_mode},
    ownership::{Owner, Standing, Tags},
    policy::{Rest, Transport, build_policy, is_same_setting, plan_policy},
    terms::Terms,
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
    RemoveTags {
        url: String,
        keys: Vec<String>,
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
            Self::RemoveTags { url, keys: _ } => ("untag queue", url),
            Self::Delete { url } => ("delete queue", url),
        }
    }

    /// What is not as it should be while the write is not done; follows the queue's name.
    pub(super) fn lack(&self) -> String {
        match self {
            Self::SetAttributes { url: _, changed } => {
                let wanted: Vec<String> =
                    changed.iter().map(|(name, value)| format!("{name} {value}")).collect();
                format!("should have {}", wanted.join(", "))
            }
            Self::SetPolicy { .. } => "should have a policy that denies access without TLS".to_owned(),
            Self::AddTags { .. } | Self::RemoveTags { .. } => "should have other tags".to_owned(),
            Self::Create { .. } | Self::Delete { .. } => "should not be there as it is".to_owned(),
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
    let tags = fetch_queue_tags(client, &url).await?;
    let arn = attributes.get("QueueArn").cloned().unwrap_or_default();
    Ok(ObservedQueue::Found(FoundQueue { url, arn, attributes, tags }))
}

pub(super) async fn fetch_queue_tags(client: &Client, url: &str) -> Result<Tags, Error> {
    let sent = client.list_queue_tags().queue_url(url).send().await;
    let answer = sent.map_err(|error| failed(&format!("read the tags of queue {url}"), error))?;
    Ok(answer.tags.into_iter().flatten().collect())
}

/// Whose the queue is.
pub(super) fn stand(observed: &ObservedQueue, terms: &Terms, owner: &Owner) -> Standing {
    observed.found().map_or(Standing::Missing, |found| owner.standing(&found.tags, terms))
}

/// The writes that make the queue as it should be and its mode allows, or why it cannot be used.
pub(super) fn plan_queue(
    observed: &ObservedQueue,
    want: QueueWant,
    transport: Transport,
    (terms, owner): (&Terms, &Owner),
) -> Result<Planned<QueueStep>, Refusal> {
    let standing = stand(observed, terms, owner);
    let found = observed.found();
    let url = found.map(|found| found.url.clone()).unwrap_or_default();
    let corrections = found.map_or_else(Vec::new, |found| {
        plan_corrections(found, &want, transport, Rest::of(terms.mode, &standing))
    });
    let none = Tags::new();
    let at_hand = AtHand {
        standing,
        tags: found.map_or(&none, |found| &found.tags),
        create: vec![QueueStep::Create { want, tags: build_first_tags(&owner.owned_tags(), &terms.tags) }],
        tag: &|change| plan_tagging(&url, change),
        corrections,
    };
    plan_by_mode(terms, owner, at_hand)
}

fn plan_tagging(url: &str, change: TagChange) -> Vec<QueueStep> {
    let url = || url.to_owned();
    change.steps(
        |keys| QueueStep::RemoveTags { url: url(), keys },
        |changed| QueueStep::AddTags { url: url(), changed },
    )
}

fn plan_corrections(
    found: &FoundQueue,
    want: &QueueWant,
    transport: Transport,
    rest: Rest,
) -> Vec<QueueStep> {
    // A key of somebody's own encrypts at least as well as SQS's.
    let has_key = found.attributes.get("KmsMasterKeyId").is_some_and(|key| !key.is_empty());
    let is_settled = |name: &String, value: &String| {
        (has_key && name == "SqsManagedSseEnabled")
            || found.attributes.get(name).is_some_and(|observed| is_same_setting(observed, value))
    };
    let changed: Attributes = want
        .attributes
        .iter()
        .filter(|(name, value)| !is_settled(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let url = || found.url.clone();
    let attributes = (!changed.is_empty()).then(|| QueueStep::SetAttributes { url: url(), changed });
    let policy = build_policy(transport, "sqs:*", std::slice::from_ref(&found.arn));
    let policy = plan_policy(policy, found.attributes.get("Policy").map(String::as_str), rest);
    let policy = policy.map(|policy| QueueStep::SetPolicy { url: url(), policy });
    attributes.into_iter().chain(policy).collect()
}

/// What becomes of the queue when its pipeline goes, and the write for it.
pub(super) fn plan_queue_release(
    observed: &ObservedQueue,
    terms: &Terms,
    owner: &Owner,
) -> Option<(Ending, QueueStep)> {
    let found = observed.found()?;
    let url = found.url.clone();
    let ending = plan_ending(terms, &owner.standing(&found.tags, terms), Contents::Empty)?;
    let step = match ending {
        Ending::Delete => QueueStep::Delete { url },
        Ending::Release => QueueStep::AddTags { url, changed: owner.released_tags() },
        Ending::GiveBack => QueueStep::RemoveTags { url, keys: list_ours(&found.tags) },
        Ending::Leave | Ending::Empty => return None,
    };
    Some((ending, step))
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
        QueueStep::RemoveTags { url, keys } => {
            let sent = client.untag_queue().queue_url(&url).set_tag_keys(Some(keys)).send().await;
            sent.map(drop).map_err(|error| failed(&format!("untag queue {url}"), error))
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
mod tests;
