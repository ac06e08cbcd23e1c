//! The topic `work_complete`, on which workers tell that a manifest was written.

use std::collections::BTreeMap;

use aws_sdk_sns::{Client, types::Tag};
use crds::BindingMode;
use pipeline::{Error, ErrorKind};

use super::{
    cost_tags::{TagChange, build_first_tags, list_ours},
    ending::{Contents, Ending, plan_ending},
    error::{failed, is_missing},
    mode::{AtHand, Planned, Refusal, plan_by_mode},
    ownership::{Owner, Standing, Tags},
    policy::{Rest, Transport, build_policy, plan_policy},
    terms::Terms,
};

/// The attribute that is compared as meaning.
const POLICY: &str = "Policy";

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
    RemoveTags {
        arn: String,
        keys: Vec<String>,
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
            Self::RemoveTags { arn, keys: _ } => ("untag topic", arn),
            Self::Delete { arn } => ("delete topic", arn),
        }
    }

    /// What is not as it should be while the write is not done; follows the topic's name.
    pub(super) fn lack(&self) -> String {
        match self {
            Self::SetAttribute { name, .. } if name == POLICY => {
                "should have a policy that denies access without TLS".to_owned()
            }
            Self::SetAttribute { arn: _, name, value } => format!("should have {name} {value}"),
            Self::AddTags { .. } | Self::RemoveTags { .. } => "should have other tags".to_owned(),
            Self::Create { .. } | Self::Delete { .. } => "should not be there as it is".to_owned(),
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

/// Whose the topic is.
pub(super) fn stand(observed: &ObservedTopic, terms: &Terms, owner: &Owner) -> Standing {
    observed.found().map_or(Standing::Missing, |found| owner.standing(&found.tags, terms))
}

/// The writes that make the topic as it should be and its mode allows, or why it cannot be used.
pub(super) fn plan_topic(
    observed: &ObservedTopic,
    arn: &str,
    transport: Transport,
    (terms, owner): (&Terms, &Owner),
) -> Result<Planned<TopicStep>, Refusal> {
    let standing = stand(observed, terms, owner);
    let wanted = want_attributes(transport, arn);
    let found = observed.found();
    let corrections =
        found.map_or_else(Vec::new, |found| plan_corrections(found, wanted.clone(), terms.mode, &standing));
    let tags = build_first_tags(&owner.owned_tags(), &terms.tags);
    let create = TopicStep::Create { name: terms.name.clone(), attributes: wanted, tags };
    let none = Tags::new();
    let at_hand = AtHand {
        standing,
        tags: found.map_or(&none, |found| &found.tags),
        create: vec![create],
        tag: &|change| plan_tagging(arn, change),
        corrections,
    };
    let mut planned = plan_by_mode(terms, owner, at_hand)?;
    // Once a topic has our tags, what SNS does not tell of it counts as set by us.
    planned.steps.sort_by_key(|step| matches!(step, TopicStep::AddTags { .. }));
    Ok(planned)
}

fn plan_tagging(arn: &str, change: TagChange) -> Vec<TopicStep> {
    let arn = || arn.to_owned();
    change.steps(
        |keys| TopicStep::RemoveTags { arn: arn(), keys },
        |changed| TopicStep::AddTags { arn: arn(), changed },
    )
}

/// SNS need not tell an attribute that has its value since the topic's creation. In a topic that we made only
/// another value is drift; in one of others what is not told has SNS's default, which is none of ours.
fn plan_corrections(
    found: &FoundTopic,
    wanted: BTreeMap<String, String>,
    mode: BindingMode,
    standing: &Standing,
) -> Vec<TopicStep> {
    // Adoption has set it; an endpoint that never tells it would never come to rest.
    let is_set_by_us = matches!(standing, Standing::Ours(_) | Standing::Released);
    let rest = Rest::of(mode, standing);
    let plan = |(name, value): (String, String)| {
        let observed = found.attributes.get(&name).map(String::as_str);
        if observed.is_none() && is_set_by_us {
            return None;
        }
        let value = match name.as_str() {
            POLICY => plan_policy(Some(value), observed, rest)?,
            _ if observed == Some(value.as_str()) => return None,
            _ => value,
        };
        Some(TopicStep::SetAttribute { arn: found.arn.clone(), name, value })
    };
    wanted.into_iter().filter_map(plan).collect()
}

/// What becomes of the topic when its pipeline goes, and the write for it.
pub(super) fn plan_topic_release(
    observed: &ObservedTopic,
    terms: &Terms,
    owner: &Owner,
) -> Option<(Ending, TopicStep)> {
    let found = observed.found()?;
    let arn = found.arn.clone();
    let ending = plan_ending(terms, &owner.standing(&found.tags, terms), Contents::Empty)?;
    let step = match ending {
        Ending::Delete => TopicStep::Delete { arn },
        Ending::Release => TopicStep::AddTags { arn, changed: owner.released_tags() },
        Ending::GiveBack => TopicStep::RemoveTags { arn, keys: list_ours(&found.tags) },
        Ending::Leave | Ending::Empty => return None,
    };
    Some((ending, step))
}

/// Version 2 signs with SHA-256; a topic's default is version 1, SHA-1.
fn want_attributes(transport: Transport, arn: &str) -> BTreeMap<String, String> {
    let policy = build_policy(transport, "sns:Publish", &[arn.to_owned()]);
    let policy = policy.map(|policy| (POLICY.to_owned(), policy));
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
        TopicStep::RemoveTags { arn, keys } => {
            let sent = client.untag_resource().resource_arn(&arn).set_tag_keys(Some(keys)).send().await;
            sent.map(drop).map_err(|error| failed(&format!("untag topic {arn}"), error))
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
    use crate::aws::BindingsTerms;

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

    fn terms() -> Terms {
        BindingsTerms::fixture(serde_json::json!({})).topic
    }

    fn plan(found: FoundTopic) -> Result<Vec<TopicStep>, Refusal> {
        let planned = plan_topic(&ObservedTopic::Found(found), ARN, Transport::Tls, (&terms(), &owner()));
        planned.map(|planned| planned.steps)
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
    fn attribute_that_is_not_told_has_its_default_in_a_topic_of_others_alone() {
        let mut silent = settled();
        silent.attributes.remove("SignatureVersion");
        let step =
            TopicStep::SetAttribute { arn: ARN.into(), name: "SignatureVersion".into(), value: "2".into() };
        assert_eq!(plan(silent.clone()), Ok(vec![]));
        let terms =
            BindingsTerms::fixture(serde_json::json!({"topic": {"mode": "Adopt", "name": "notices"}})).topic;
        let (key, value) = owner().consent_tag();
        let theirs = FoundTopic { tags: Tags::from([(key.to_owned(), value)]), ..silent };
        let planned = plan_topic(&ObservedTopic::Found(theirs), ARN, Transport::Tls, (&terms, &owner()));
        // The tags come last: a crash before them has the topic adopted again, and all of it set.
        let tags = TopicStep::AddTags { arn: ARN.into(), changed: owner().adopted_tags() };
        assert_eq!(planned.unwrap().steps, [step, tags]);
    }

    #[test]
    fn topics_of_others_are_neither_changed_nor_deleted() {
        let foreign = FoundTopic { tags: Tags::new(), ..settled() };
        assert!(plan(foreign.clone()).is_err());
        assert_eq!(plan_topic_release(&ObservedTopic::Found(foreign), &terms(), &owner()), None);
    }
}
