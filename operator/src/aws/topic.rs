//! The topic `work_complete`, on which workers tell that a manifest was written.

use std::collections::BTreeMap;

use aws_sdk_sns::{Client, types::Tag};
use pipeline::{Error, ErrorKind};

use super::{
    error::{failed, is_missing},
    ownership::{Holder, Owner, Tags, plan_tags},
    policy::{Transport, build_policy, is_same_json},
};

/// What the topic's name resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObservedTopic {
    Missing,
    Found(FoundTopic),
}

/// A topic that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTopic {
    pub arn: String,
    pub attributes: BTreeMap<String, String>,
    pub tags: Tags,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicStep {
    /// SNS sets attributes and tags in the same call, so no crash leaves it half made.
    Create {
        name: String,
        attributes: BTreeMap<String, String>,
        tags: Tags,
    },
    SetAttribute {
        arn: String,
        name: String,
        value: String,
    },
    AddTags {
        arn: String,
        changed: Tags,
    },
    Delete {
        arn: String,
    },
}

impl TopicStep {
    /// As logs name it, and the topic's name or ARN.
    pub(super) fn told(&self) -> (&'static str, &str) {
        match self {
            Self::Create { name, attributes: _, tags: _ } => ("create topic", name),
            Self::SetAttribute { arn, name: _, value: _ } => ("set attribute of topic", arn),
            Self::AddTags { arn, changed: _ } => ("tag topic", arn),
            Self::Delete { arn } => ("delete topic", arn),
        }
    }
}

impl ObservedTopic {
    pub fn found(&self) -> Option<&FoundTopic> {
        match self {
            Self::Missing => None,
            Self::Found(found) => Some(found),
        }
    }
}

/// The ARN of the topic with this name in the account and region of that queue: SNS has no look-up by name.
pub(super) fn topic_arn(queue_arn: &str, topic: &str) -> Option<String> {
    let mut parts = queue_arn.split(':');
    let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account) = (parts.next()?, parts.next()?);
    (arn == "arn" && service == "sqs").then(|| format!("arn:{partition}:sns:{region}:{account}:{topic}"))
}

pub(super) async fn observe_topic(client: &Client, arn: &str) -> Result<ObservedTopic, Error> {
    let attributes = match client.get_topic_attributes().topic_arn(arn).send().await {
        Ok(answer) => answer.attributes.into_iter().flatten().collect(),
        Err(error) if is_missing(&error) => return Ok(ObservedTopic::Missing),
        Err(error) => return Err(failed(&format!("look at topic {arn}"), error)),
    };
    let tags = match client.list_tags_for_resource().resource_arn(arn).send().await {
        Ok(answer) => answer.tags.into_iter().flatten().map(|tag| (tag.key, tag.value)).collect(),
        Err(error) if is_missing(&error) => return Ok(ObservedTopic::Missing),
        Err(error) => return Err(failed(&format!("read the tags of topic {arn}"), error)),
    };
    Ok(ObservedTopic::Found(FoundTopic { arn: arn.to_owned(), attributes, tags }))
}

/// The writes that make the topic as it should be, or whose it is instead of ours.
pub(super) fn plan_topic(
    observed: &ObservedTopic,
    name: &str,
    arn: &str,
    transport: Transport,
    owner: &Owner,
) -> Result<Vec<TopicStep>, String> {
    let wanted = want_attributes(transport, arn);
    let found = match observed {
        ObservedTopic::Missing => {
            let create =
                TopicStep::Create { name: name.to_owned(), attributes: wanted, tags: owner.owned_tags() };
            return Ok(vec![create]);
        }
        ObservedTopic::Found(found) => found,
    };
    match owner.holder(&found.tags) {
        Holder::Ours | Holder::Released => {}
        Holder::Nobody => return Err(format!("topic {name} exists and carries none of our tags")),
        Holder::Other(other) => return Err(format!("topic {name} belongs to {other}")),
    }
    let tags = plan_tags(&found.tags, &owner.owned_tags());
    let tags = tags.map(|changed| TopicStep::AddTags { arn: found.arn.clone(), changed });
    // SNS need not tell an attribute that has its value since the topic's creation: only another value is drift.
    let drifted = wanted.into_iter().filter(|(name, value)| {
        found.attributes.get(name).is_some_and(|observed| !is_same_json(observed, value))
    });
    let attributes =
        drifted.map(|(name, value)| TopicStep::SetAttribute { arn: found.arn.clone(), name, value });
    Ok(tags.into_iter().chain(attributes).collect())
}

/// The topic's removal, where it is ours.
pub(super) fn plan_topic_release(observed: &ObservedTopic, owner: &Owner) -> Option<TopicStep> {
    match observed {
        ObservedTopic::Found(found) if owner.holder(&found.tags) == Holder::Ours => {
            Some(TopicStep::Delete { arn: found.arn.clone() })
        }
        ObservedTopic::Found(_) | ObservedTopic::Missing => None,
    }
}

/// Version 2 signs with SHA-256; a topic's default is version 1, SHA-1.
fn want_attributes(transport: Transport, arn: &str) -> BTreeMap<String, String> {
    let policy = build_policy(transport, "sns:Publish", &[arn.to_owned()]);
    let policy = policy.map(|policy| ("Policy".to_owned(), policy));
    policy.into_iter().chain([("SignatureVersion".to_owned(), "2".to_owned())]).collect()
}

pub(super) async fn apply_topic(client: &Client, step: TopicStep) -> Result<(), Error> {
    match step {
        TopicStep::Create { name, attributes, tags } => {
            let attempted = format!("create topic {name}");
            let tags = to_sdk(&attempted, tags)?;
            let request = client.create_topic().name(name).set_tags(Some(tags));
            let sent = request.set_attributes(Some(attributes.into_iter().collect())).send().await;
            sent.map(drop).map_err(|error| failed(&attempted, error))
        }
        TopicStep::SetAttribute { arn, name, value } => {
            let request =
                client.set_topic_attributes().topic_arn(&arn).attribute_name(&name).attribute_value(value);
            let sent = request.send().await;
            sent.map(drop).map_err(|error| failed(&format!("set {name} of topic {arn}"), error))
        }
        TopicStep::AddTags { arn, changed } => {
            let attempted = format!("tag topic {arn}");
            let tags = to_sdk(&attempted, changed)?;
            let sent = client.tag_resource().resource_arn(arn).set_tags(Some(tags)).send().await;
            sent.map(drop).map_err(|error| failed(&attempted, error))
        }
        // Deleting a topic that is gone succeeds.
        TopicStep::Delete { arn } => {
            let sent = client.delete_topic().topic_arn(&arn).send().await;
            sent.map(drop).map_err(|error| failed(&format!("delete topic {arn}"), error))
        }
    }
}

fn to_sdk(attempted: &str, tags: Tags) -> Result<Vec<Tag>, Error> {
    let tags = tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.collect::<Result<_, _>>()
        .map_err(|source| Error::new(ErrorKind::Invalid, attempted).with_source(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:sns:us-east-1:1:storefront";

    fn owner() -> Owner {
        Owner { cluster: "east".into(), namespace: "shop".into(), name: "storefront".into() }
    }

    fn settled() -> FoundTopic {
        FoundTopic {
            arn: ARN.into(),
            attributes: want_attributes(Transport::Tls, ARN),
            tags: owner().owned_tags(),
        }
    }

    fn plan(found: FoundTopic) -> Result<Vec<TopicStep>, String> {
        plan_topic(&ObservedTopic::Found(found), "storefront", ARN, Transport::Tls, &owner())
    }

    #[test]
    fn arn_follows_the_queues_account_region_and_partition() {
        let arn = topic_arn("arn:aws-cn:sqs:cn-north-1:123456789012:jobs-dead", "jobs");
        assert_eq!(arn.as_deref(), Some("arn:aws-cn:sns:cn-north-1:123456789012:jobs"));
        assert_eq!(topic_arn("", "jobs"), None);
    }

    #[test]
    fn settled_topic_needs_no_write() {
        assert_eq!(plan(settled()), Ok(vec![]));
    }

    #[test]
    fn weaker_signatures_are_corrected() {
        let mut drifted = settled();
        drifted.attributes.insert("SignatureVersion".into(), "1".into());
        let step =
            TopicStep::SetAttribute { arn: ARN.into(), name: "SignatureVersion".into(), value: "2".into() };
        assert_eq!(plan(drifted), Ok(vec![step]));
    }

    #[test]
    fn topics_of_others_are_neither_changed_nor_deleted() {
        let foreign = FoundTopic { tags: Tags::new(), ..settled() };
        assert!(plan(foreign.clone()).is_err());
        assert_eq!(plan_topic_release(&ObservedTopic::Found(foreign), &owner()), None);
    }
}
