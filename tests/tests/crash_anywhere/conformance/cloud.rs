//! What is asked of S3, SQS and SNS.

use std::{collections::BTreeMap, error::Error as StdError};

use anyhow::{Context, Result};
use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::{BucketLocationConstraint, CreateBucketConfiguration, Delete, ObjectIdentifier, Tag, Tagging},
};
use aws_sdk_sqs::types::QueueAttributeName;
use operator::aws::Clients;
use serde_json::{Value, json};

use super::Told;
use crate::aws::REGION;

const BUCKET: &str = "conformance-bucket";

pub(super) async fn tell(aws: &Clients) -> Result<Told> {
    let mut told = settings_of_a_bucket(aws).await?;
    told.extend(objects(aws).await?);
    told.extend(queue(aws).await?);
    told.extend(topic(aws).await?);
    told.extend(subscriptions(aws).await?);
    Ok(told)
}

/// The outcome of a call: what is said of its success, or the code of the failure.
fn note<T, E>(
    told: &mut Told,
    step: &str,
    answer: Result<T, SdkError<E>>,
    tell: impl FnOnce(T) -> String,
) -> Result<()>
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let outcome = match answer {
        Ok(answer) => tell(answer),
        Err(error) => match pipeline::aws::code_of(&error) {
            Some(code) => code.to_owned(),
            None => return Err(error).with_context(|| step.to_owned()),
        },
    };
    told.push(format!("{step}: {outcome}"));
    Ok(())
}

fn done<T>(_: T) -> String {
    "done".to_owned()
}

async fn settings_of_a_bucket(aws: &Clients) -> Result<Told> {
    let (s3, mut told) = (&aws.s3, Told::new());
    note(&mut told, "head, missing", s3.head_bucket().bucket(BUCKET).send().await, done)?;
    let tags = s3.get_bucket_tagging().bucket(BUCKET).send().await;
    note(&mut told, "tags, missing", tags, done)?;
    note(&mut told, "deleted, missing", s3.delete_bucket().bucket(BUCKET).send().await, done)?;
    for step in ["made", "made again"] {
        let place = CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(REGION))
            .tags(Tag::builder().key("one").value("1 & <2>").build()?)
            .build();
        let answer = s3.create_bucket().bucket(BUCKET).create_bucket_configuration(place).send().await;
        note(&mut told, step, answer, done)?;
    }
    let listed = s3.list_buckets().prefix("conformance-").send().await;
    note(&mut told, "listed", listed, |all| format!("{:?}", names(&all)))?;
    let listed = s3.list_buckets().prefix("other-").send().await;
    note(&mut told, "listed by another prefix", listed, |all| format!("{:?}", names(&all)))?;
    let policy = s3.get_bucket_policy().bucket(BUCKET).send().await;
    note(&mut told, "policy", policy, done)?;
    let block = s3.get_public_access_block().bucket(BUCKET).send().await;
    note(&mut told, "public access block", block, done)?;
    let lifecycle = s3.get_bucket_lifecycle_configuration().bucket(BUCKET).send().await;
    note(&mut told, "lifecycle", lifecycle, done)?;
    let versioning = s3.get_bucket_versioning().bucket(BUCKET).send().await;
    note(&mut told, "versioning", versioning, |told| format!("{:?}", told.status))?;
    let tags = Tagging::builder().tag_set(Tag::builder().key("two").value("2").build()?).build()?;
    let put = s3.put_bucket_tagging().bucket(BUCKET).tagging(tags).send().await;
    note(&mut told, "other tags", put, done)?;
    let tags = s3.get_bucket_tagging().bucket(BUCKET).send().await;
    note(&mut told, "tags", tags, |told| format!("{:?}", told.tag_set))?;
    let removed = s3.delete_bucket_tagging().bucket(BUCKET).send().await;
    note(&mut told, "tags removed", removed, done)?;
    note(&mut told, "no tags", s3.get_bucket_tagging().bucket(BUCKET).send().await, done)?;
    Ok(told)
}

fn names(all: &aws_sdk_s3::operation::list_buckets::ListBucketsOutput) -> Vec<&str> {
    all.buckets().iter().filter_map(|bucket| bucket.name()).collect()
}

async fn objects(aws: &Clients) -> Result<Told> {
    let (s3, mut told) = (&aws.s3, Told::new());
    let put = |key: &str| s3.put_object().bucket(BUCKET).key(key).body(ByteStream::from_static(b"body"));
    note(&mut told, "missing object", s3.get_object().bucket(BUCKET).key("a/1").send().await, done)?;
    let answer = put("a/1").if_match("\"none\"").send().await;
    note(&mut told, "in place of a missing one", answer, done)?;
    note(&mut told, "first", put("a/1").if_none_match("*").send().await, done)?;
    note(&mut told, "first again", put("a/1").if_none_match("*").send().await, done)?;
    let etag = s3.get_object().bucket(BUCKET).key("a/1").send().await?.e_tag.unwrap_or_default();
    note(&mut told, "in place of another", put("a/1").if_match("\"other\"").send().await, done)?;
    note(&mut told, "in place of this", put("a/1").if_match(etag).send().await, done)?;
    put("b/ä +%").send().await?;
    for prefix in ["a/", "b/", "c/"] {
        let listed = s3.list_objects_v2().bucket(BUCKET).prefix(prefix).send().await;
        note(&mut told, prefix, listed, |all| {
            let keys: Vec<_> = all.contents().iter().map(|object| object.key().unwrap_or_default()).collect();
            format!("{keys:?} {:?}", all.is_truncated)
        })?;
    }
    note(&mut told, "not empty", s3.delete_bucket().bucket(BUCKET).send().await, done)?;
    let other = s3.delete_object().bucket(BUCKET).key("a/1").if_match("\"0\"").send().await;
    note(&mut told, "deleted on a condition that does not hold", other, done)?;
    note(&mut told, "deleted", s3.delete_object().bucket(BUCKET).key("a/1").send().await, done)?;
    note(&mut told, "deleted again", s3.delete_object().bucket(BUCKET).key("a/1").send().await, done)?;
    let keys = ObjectIdentifier::builder().key("b/ä +%").build()?;
    let order = Delete::builder().objects(keys).build()?;
    let absent = s3.delete_object().bucket(BUCKET).key("a/1").if_match("\"0\"").send().await;
    note(&mut told, "deleted on a condition though it is not there", absent, done)?;
    note(&mut told, "in one call", s3.delete_objects().bucket(BUCKET).delete(order).send().await, done)?;
    let listed = s3.list_object_versions().bucket(BUCKET).send().await;
    note(&mut told, "versions", listed, |all| format!("{:?}", all.versions().len()))?;
    note(&mut told, "empty", s3.delete_bucket().bucket(BUCKET).send().await, done)?;
    Ok(told)
}

async fn queue(aws: &Clients) -> Result<Told> {
    let (sqs, mut told) = (&aws.sqs, Told::new());
    let url = |step: &'static str| async move {
        (step, sqs.get_queue_url().queue_name("conformance").send().await)
    };
    let (step, missing) = url("missing").await;
    note(&mut told, step, missing, done)?;
    let make = |seconds: &str| {
        let request = sqs.create_queue().queue_name("conformance").tags("one", "1");
        request.attributes(QueueAttributeName::VisibilityTimeout, seconds)
    };
    note(&mut told, "made", make("30").send().await, done)?;
    note(&mut told, "made again", make("30").send().await, done)?;
    note(&mut told, "made otherwise", make("31").send().await, done)?;
    let listed = sqs.list_queues().queue_name_prefix("conf").send().await;
    note(&mut told, "listed", listed, |all| all.queue_urls().len().to_string())?;
    let listed = sqs.list_queues().queue_name_prefix("other").send().await;
    note(&mut told, "listed by another prefix", listed, |all| all.queue_urls().len().to_string())?;
    let (_, found) = url("url").await;
    let url = found?.queue_url.context("a queue without a URL")?;
    let set = |seconds: &str, policy: &str| {
        let request = sqs.set_queue_attributes().queue_url(&url);
        let request = request.attributes(QueueAttributeName::VisibilityTimeout, seconds);
        request.attributes(QueueAttributeName::Policy, policy)
    };
    let asked =
        [QueueAttributeName::VisibilityTimeout, QueueAttributeName::Policy, QueueAttributeName::QueueArn];
    for (step, policy) in [("set", POLICY), ("policy removed", "")] {
        note(&mut told, step, set("31", policy).send().await, done)?;
        let request = sqs.get_queue_attributes().queue_url(&url);
        let answer = request.set_attribute_names(Some(vec![QueueAttributeName::All])).send().await;
        note(&mut told, "attributes", answer, |answer| {
            let all = answer.attributes.unwrap_or_default();
            // The emulator writes a policy in a form of its own.
            let meant = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| json!(text));
            json!(asked.iter().map(|name| all.get(name).map(meant)).collect::<Vec<Option<Value>>>())
                .to_string()
        })?;
    }
    note(&mut told, "tagged", sqs.tag_queue().queue_url(&url).tags("two", "2").send().await, done)?;
    note(&mut told, "untagged", sqs.untag_queue().queue_url(&url).tag_keys("one").send().await, done)?;
    let tags = sqs.list_queue_tags().queue_url(&url).send().await;
    note(&mut told, "tags", tags, |answer| format!("{:?}", answer.tags))?;
    note(&mut told, "deleted", sqs.delete_queue().queue_url(&url).send().await, done)?;
    note(&mut told, "deleted again", sqs.delete_queue().queue_url(&url).send().await, done)?;
    note(&mut told, "tags, gone", sqs.list_queue_tags().queue_url(&url).send().await, done)?;
    Ok(told)
}

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"One","Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*"}]}"#;

async fn topic(aws: &Clients) -> Result<Told> {
    let (sns, mut told) = (&aws.sns, Told::new());
    let tag = |key: &str| aws_sdk_sns::types::Tag::builder().key(key).value("1 & <2>").build();
    for step in ["made", "made again"] {
        let answer = sns.create_topic().name("conformance").tags(tag("one")?).send().await;
        note(&mut told, step, answer, |answer| format!("{:?}", answer.topic_arn))?;
    }
    let arn = format!("arn:aws:sns:{REGION}:123456789012:conformance");
    let other = format!("{arn}-other");
    note(&mut told, "missing", sns.get_topic_attributes().topic_arn(&other).send().await, done)?;
    note(&mut told, "tags, missing", sns.list_tags_for_resource().resource_arn(&other).send().await, done)?;
    note(&mut told, "deleted, missing", sns.delete_topic().topic_arn(&other).send().await, done)?;
    note(&mut told, "listed", sns.list_topics().send().await, |all| all.topics().len().to_string())?;
    let request = sns.set_topic_attributes().topic_arn(&arn).attribute_name("DisplayName");
    note(&mut told, "set", request.attribute_value("a & <b>").send().await, done)?;
    let attributes = sns.get_topic_attributes().topic_arn(&arn).send().await;
    note(&mut told, "attributes of the topic", attributes, |answer| {
        format!("{:?}", answer.attributes.unwrap_or_default().get("DisplayName"))
    })?;
    note(&mut told, "tagged", sns.tag_resource().resource_arn(&arn).tags(tag("two")?).send().await, done)?;
    let answer = sns.untag_resource().resource_arn(&arn).tag_keys("one").send().await;
    note(&mut told, "untagged", answer, done)?;
    let tags = sns.list_tags_for_resource().resource_arn(&arn).send().await;
    note(&mut told, "tags", tags, |answer| format!("{:?}", answer.tags))?;
    Ok(told)
}

async fn subscriptions(aws: &Clients) -> Result<Told> {
    let (sns, mut told) = (&aws.sns, Told::new());
    let arn = format!("arn:aws:sns:{REGION}:123456789012:conformance");
    let listed = async || -> Result<String> {
        let found = sns.list_subscriptions_by_topic().topic_arn(&arn).send().await?;
        let all: BTreeMap<_, _> = found
            .subscriptions()
            .iter()
            .map(|one| {
                let is_pending = one.subscription_arn() == Some("PendingConfirmation");
                (
                    one.endpoint().unwrap_or_default().to_owned(),
                    (one.protocol().map(str::to_owned), is_pending),
                )
            })
            .collect();
        Ok(format!("{all:?}"))
    };
    for step in ["subscribed", "subscribed again"] {
        let request = sns.subscribe().topic_arn(&arn).protocol("http").return_subscription_arn(true);
        let answer = request.endpoint("http://hooks.invalid/work_complete").send().await;
        note(&mut told, step, answer, |answer| format!("{}", answer.subscription_arn.is_some()))?;
        told.push(format!("subscriptions: {}", listed().await?));
    }
    let answer = sns.unsubscribe().subscription_arn(format!("{arn}:none")).send().await;
    note(&mut told, "unsubscribed, missing", answer, done)?;
    note(&mut told, "topic deleted", sns.delete_topic().topic_arn(&arn).send().await, done)?;
    let answer = sns.list_subscriptions_by_topic().topic_arn(&arn).send().await;
    note(&mut told, "subscriptions, gone", answer, done)?;
    note(&mut told, "topic deleted again", sns.delete_topic().topic_arn(&arn).send().await, done)?;
    Ok(told)
}
