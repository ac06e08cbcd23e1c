//! The calls that clients make on AWS, as IAM sees them: which actions on which resource, and what conditions
//! may ask for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, bail};
use aws_sdk_s3::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextRef},
    error::BoxError,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use serde_json::Value;
use url::{Url, form_urlencoded};

/// Where the emulator's resources are.
const PLACE: &str = "eu-central-1:123456789012";
/// What IAM binds to no resource.
const ANYTHING: &str = "*";

/// Values by key, as conditions ask for them.
pub type CallContext = BTreeMap<String, Vec<String>>;
type Tags = BTreeMap<String, String>;

/// One action that a call needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub action: String,
    pub resource: String,
    pub context: CallContext,
}

/// All calls of the clients that were made from it.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<Mutex<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    calls: Vec<Call>,
    /// The tags of each queue and topic as far as these clients set them.
    tags: BTreeMap<String, Tags>,
    /// The KMS key by which each bucket encrypts, by the bucket's ARN.
    keys: BTreeMap<String, String>,
}

/// A request's parameters, by name.
type Parameters = BTreeMap<String, String>;

impl Calls {
    pub fn s3(&self, client: &aws_sdk_s3::Client) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::from_conf(client.config().to_builder().interceptor(self.clone()).build())
    }

    pub fn sqs(&self, client: &aws_sdk_sqs::Client) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::from_conf(client.config().to_builder().interceptor(self.clone()).build())
    }

    pub fn sns(&self, client: &aws_sdk_sns::Client) -> aws_sdk_sns::Client {
        aws_sdk_sns::Client::from_conf(client.config().to_builder().interceptor(self.clone()).build())
    }

    /// Somebody else has set that the bucket encrypts by that key.
    pub fn note_key(&self, bucket: &str, key: &str) {
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.keys.insert(arn_of_bucket(bucket), key.to_owned());
    }

    /// What was called so far, each once.
    pub fn recorded(&self) -> Vec<Call> {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner).calls.clone();
        calls.sort();
        calls.dedup();
        calls
    }

    fn record(&self, service: &str, operation: &str, uri: &str, body: &[u8]) -> Result<()> {
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match service {
            "S3" => recorded.add_s3(operation, uri, body)?,
            "SQS" => recorded.add_sqs(operation, body)?,
            "SNS" => recorded.add_sns(operation, body)?,
            other => bail!("{other} is no service that we know"),
        }
        Ok(())
    }
}

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "RecordCalls"
    }

    /// Where the recorder does not know an operation the call fails, and with it the test.
    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let metadata = settings.load::<Metadata>().ok_or("a call without a name")?;
        let request = context.request();
        let body = request.body().bytes().unwrap_or_default();
        let recorded = self.record(metadata.service(), metadata.name(), request.uri(), body);
        recorded.map_err(|error| format!("{error:#}").into())
    }
}

fn call(action: &str, resource: &str) -> Call {
    Call { action: action.to_owned(), resource: resource.to_owned(), context: CallContext::new() }
}

/// What S3 asks of KMS in the caller's name, where the bucket encrypts by that key. No call of ours shows it.
fn of_key(operation: &str, key: &str) -> Option<Call> {
    let action = match operation {
        "GetObject" => "kms:Decrypt",
        "PutObject" => "kms:GenerateDataKey",
        _ => return None,
    };
    let region = key.split(':').nth(3)?;
    let through = ("kms:ViaService".to_owned(), vec![format!("s3.{region}.amazonaws.com")]);
    Some(Call { context: [through].into(), ..call(action, key) })
}

fn arn_of_bucket(name: &str) -> String {
    format!("arn:aws:s3:::{name}")
}

/// By the user guide's "Required permissions for Amazon S3 API operations".
fn of_s3(operation: &str, uri: &str) -> Result<Vec<Call>> {
    let url = Url::parse(uri).with_context(|| format!("{uri} is no URL"))?;
    let (name, key) = url.path().trim_start_matches('/').split_once('/').unwrap_or((url.path(), ""));
    let bucket = arn_of_bucket(name.trim_matches('/'));
    let object = format!("{bucket}/{key}");
    let of_bucket = |actions: &[&str]| actions.iter().map(|action| call(action, &bucket)).collect::<Vec<_>>();
    Ok(match operation {
        "ListBuckets" => vec![call("s3:ListAllMyBuckets", ANYTHING)],
        "HeadBucket" | "ListObjectsV2" => of_bucket(&["s3:ListBucket"]),
        "ListObjectVersions" => of_bucket(&["s3:ListBucketVersions"]),
        "GetBucketTagging" => of_bucket(&["s3:GetBucketTagging"]),
        "PutBucketTagging" | "DeleteBucketTagging" => of_bucket(&["s3:PutBucketTagging"]),
        "GetPublicAccessBlock" => of_bucket(&["s3:GetBucketPublicAccessBlock"]),
        "PutPublicAccessBlock" => of_bucket(&["s3:PutBucketPublicAccessBlock"]),
        "GetBucketEncryption" => of_bucket(&["s3:GetEncryptionConfiguration"]),
        "PutBucketEncryption" => of_bucket(&["s3:PutEncryptionConfiguration"]),
        "GetBucketPolicy" => of_bucket(&["s3:GetBucketPolicy"]),
        "PutBucketPolicy" => of_bucket(&["s3:PutBucketPolicy"]),
        "GetBucketVersioning" => of_bucket(&["s3:GetBucketVersioning"]),
        "PutBucketVersioning" => of_bucket(&["s3:PutBucketVersioning"]),
        "GetBucketLifecycleConfiguration" => of_bucket(&["s3:GetLifecycleConfiguration"]),
        "DeleteBucketLifecycle" | "PutBucketLifecycleConfiguration" => {
            of_bucket(&["s3:PutLifecycleConfiguration"])
        }
        "DeleteBucket" => of_bucket(&["s3:DeleteBucket"]),
        // Made with tags.
        "CreateBucket" => of_bucket(&["s3:CreateBucket", "s3:TagResource"]),
        // Where the object is absent, S3 says so only to who may list the bucket.
        "GetObject" => vec![call("s3:GetObject", &object), call("s3:ListBucket", &bucket)],
        "PutObject" => vec![call("s3:PutObject", &object)],
        "DeleteObject" => vec![call("s3:DeleteObject", &object)],
        "DeleteObjects" => {
            let all = format!("{bucket}/any");
            vec![call("s3:DeleteObject", &all), call("s3:DeleteObjectVersion", &all)]
        }
        other => bail!("no action is known for {other} of S3"),
    })
}

impl Recorded {
    fn add_s3(&mut self, operation: &str, uri: &str, body: &[u8]) -> Result<()> {
        let calls = of_s3(operation, uri)?;
        let resource = calls.first().map(|call| call.resource.clone()).unwrap_or_default();
        let bucket = resource.split('/').next().unwrap_or_default();
        if operation == "PutBucketEncryption" {
            let body = std::str::from_utf8(body).context("a request that is no text")?;
            let key = body.split_once("<KMSMasterKeyID>").and_then(|(_, rest)| rest.split_once('<'));
            match key {
                Some((key, _)) => self.keys.insert(bucket.to_owned(), key.to_owned()),
                None => self.keys.remove(bucket),
            };
        }
        let key = self.keys.get(bucket).cloned();
        self.calls.extend(calls);
        self.calls.extend(key.and_then(|key| of_key(operation, &key)));
        Ok(())
    }

    fn add_sqs(&mut self, operation: &str, body: &[u8]) -> Result<()> {
        let parameters: Value = serde_json::from_slice(body).context("a request that is no JSON")?;
        if operation == "ListQueues" {
            self.calls.push(call("sqs:ListQueues", ANYTHING));
            return Ok(());
        }
        let text = |name: &str| parameters.get(name).and_then(Value::as_str);
        let name = text("QueueName").or_else(|| text("QueueUrl")?.rsplit('/').next());
        let queue = format!("arn:aws:sqs:{PLACE}:{}", name.context("a request without a queue")?);
        let tags = ["tags", "Tags"].iter().filter_map(|name| parameters.get(*name)?.as_object()).flatten();
        let set: Tags =
            tags.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
        let keys = parameters.get("TagKeys").and_then(Value::as_array).into_iter().flatten();
        let removed: Vec<String> = keys.filter_map(|key| key.as_str().map(str::to_owned)).collect();
        match operation {
            "CreateQueue" => self.add(&["sqs:CreateQueue", "sqs:TagQueue"], queue, set, &[]),
            "TagQueue" => self.add(&["sqs:TagQueue"], queue, set, &[]),
            "UntagQueue" => self.add(&["sqs:UntagQueue"], queue, set, &removed),
            "DeleteQueue" => self.end("sqs:DeleteQueue", &queue),
            "SendMessage" | "SendMessageBatch" => self.add(&["sqs:SendMessage"], queue, set, &[]),
            "DeleteMessage" | "DeleteMessageBatch" => self.add(&["sqs:DeleteMessage"], queue, set, &[]),
            "ChangeMessageVisibility" | "ChangeMessageVisibilityBatch" => {
                self.add(&["sqs:ChangeMessageVisibility"], queue, set, &[]);
            }
            "GetQueueUrl" | "GetQueueAttributes" | "ListQueueTags" | "SetQueueAttributes"
            | "ReceiveMessage" => self.add(&[format!("sqs:{operation}").as_str()], queue, set, &[]),
            other => bail!("no action is known for {other} of SQS"),
        }
        Ok(())
    }

    fn add_sns(&mut self, operation: &str, body: &[u8]) -> Result<()> {
        let parameters: Parameters = form_urlencoded::parse(body).into_owned().collect();
        let of = |name: &str| parameters.get(name).cloned();
        if operation == "Unsubscribe" {
            self.calls.push(call("sns:Unsubscribe", ANYTHING));
            return Ok(());
        }
        let made = of("Name").map(|name| format!("arn:aws:sns:{PLACE}:{name}"));
        let topic = made.or_else(|| of("TopicArn")).or_else(|| of("ResourceArn"));
        let topic = topic.context("a request without a topic")?;
        let numbered = |name: &str, end: &str| -> Vec<String> {
            (1..).map_while(|number| of(&format!("{name}.member.{number}{end}"))).collect()
        };
        let set: Tags = numbered("Tags", ".Key").into_iter().zip(numbered("Tags", ".Value")).collect();
        match operation {
            "CreateTopic" => self.add(&["sns:CreateTopic", "sns:TagResource"], topic, set, &[]),
            "TagResource" => self.add(&["sns:TagResource"], topic, set, &[]),
            "UntagResource" => self.add(&["sns:UntagResource"], topic, set, &numbered("TagKeys", "")),
            "DeleteTopic" => self.end("sns:DeleteTopic", &topic),
            "Subscribe" => {
                let mut subscribe = call("sns:Subscribe", &topic);
                for (key, name) in [("sns:Protocol", "Protocol"), ("sns:Endpoint", "Endpoint")] {
                    subscribe.context.insert(key.to_owned(), of(name).into_iter().collect());
                }
                self.calls.push(subscribe);
            }
            "GetTopicAttributes"
            | "SetTopicAttributes"
            | "ListTagsForResource"
            | "ListSubscriptionsByTopic"
            | "ConfirmSubscription"
            | "Publish" => {
                self.add(&[format!("sns:{operation}").as_str()], topic, set, &[]);
            }
            other => bail!("no action is known for {other} of SNS"),
        }
        Ok(())
    }

    /// Actions of one call, which sets or removes these tags.
    fn add(&mut self, actions: &[&str], resource: String, set: Tags, removed: &[String]) {
        let mut context = CallContext::new();
        for (key, value) in &set {
            context.insert(format!("aws:RequestTag/{key}"), vec![value.clone()]);
        }
        let keys: Vec<String> = set.keys().chain(removed).cloned().collect();
        if !keys.is_empty() {
            context.insert("aws:TagKeys".to_owned(), keys);
        }
        self.calls.extend(
            actions.iter().map(|action| Call { context: context.clone(), ..call(action, &resource) }),
        );
        let tags = self.tags.entry(resource).or_default();
        tags.extend(set);
        tags.retain(|key, _| !removed.contains(key));
    }

    /// The end of a resource, by the tags that it has.
    fn end(&mut self, action: &str, resource: &str) {
        let mut end = call(action, resource);
        for (key, value) in self.tags.remove(resource).unwrap_or_default() {
            end.context.insert(format!("aws:ResourceTag/{key}"), vec![value]);
        }
        self.calls.push(end);
    }
}
