//! The ports on AWS pass the same suite as the embedded ones, against an emulator over the real wire.
//!
//! Only `conformance::store_races` is left out, for the reason that stands there. Each test has an emulator
//! of its own.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use aws_sdk_sqs::types::{MessageSystemAttributeName as SystemAttribute, QueueAttributeName as Attribute};
use pipeline::{
    ErrorKind,
    aws::{S3Store, SnsNotifier, SnsSubscriptions, SqsQueue, s3_client, sns_client, sqs_client},
    conformance,
    ports::{Queue, Receipt, Store, Subscriptions},
};
use serde_json::json;
use tests::{moto::Moto, sns_inbox::SnsInbox};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn s3_store_conforms() -> Result<()> {
    let moto = Moto::start()?;
    let client = s3_client(&moto.sdk_config().await);
    let region = BucketLocationConstraint::EuCentral1;
    let place = CreateBucketConfiguration::builder().location_constraint(region).build();
    client.create_bucket().bucket("site").create_bucket_configuration(place).send().await?;
    conformance::store(&S3Store::new(client, "site")).await;
    Ok(())
}

#[tokio::test]
async fn sqs_queue_conforms() -> Result<()> {
    let moto = Moto::start()?;
    let queue = create_queue(&moto.sdk_config().await, "jobs").await?;
    conformance::queue(&queue.port).await;
    Ok(())
}

#[tokio::test]
async fn sns_notifier_conforms() -> Result<()> {
    let moto = Moto::start()?;
    let client = sns_client(&moto.sdk_config().await);
    let mut inbox = SnsInbox::listen().await?;
    let topic = create_subscribed_topic(&client, &inbox).await?;
    let token = inbox.next_token(&topic).await?;
    SnsSubscriptions::new(client.clone(), &topic).confirm(&token).await?;
    let next = async || {
        let envelope = inbox.next(&topic).await.unwrap();
        serde_json::from_str(&envelope.message).expect("the message is a notice")
    };
    conformance::notifier(&SnsNotifier::new(client, &topic), next).await;
    Ok(())
}

#[tokio::test]
async fn sns_subscriptions_conform() -> Result<()> {
    let moto = Moto::start()?;
    let client = sns_client(&moto.sdk_config().await);
    let mut inbox = SnsInbox::listen().await?;
    let topic = create_subscribed_topic(&client, &inbox).await?;
    let token = inbox.next_token(&topic).await?;
    let is_confirmed = async || {
        let listed = client.list_subscriptions_by_topic().topic_arn(&topic).send().await.unwrap();
        let arns = listed.subscriptions().iter().map(|subscription| subscription.subscription_arn().unwrap());
        arns.collect::<Vec<_>>() != ["PendingConfirmation"]
    };
    let subscriptions = SnsSubscriptions::new(client.clone(), &topic);
    conformance::subscriptions(&subscriptions, &token, is_confirmed).await;
    Ok(())
}

/// What the operator's renewals count on.
#[tokio::test]
async fn subscription_that_waits_is_asked_again_once_it_is_subscribed_again() -> Result<()> {
    let moto = Moto::start()?;
    let client = sns_client(&moto.sdk_config().await);
    let mut inbox = SnsInbox::listen().await?;
    let topic = create_subscribed_topic(&client, &inbox).await?;
    inbox.next_token(&topic).await?;
    assert_eq!(create_subscribed_topic(&client, &inbox).await?, topic);
    let token = inbox.next_token(&topic).await?;
    SnsSubscriptions::new(client.clone(), &topic).confirm(&token).await?;
    let listed = client.list_subscriptions_by_topic().topic_arn(&topic).send().await?;
    let arns: Vec<_> = listed.subscriptions().iter().filter_map(|listed| listed.subscription_arn()).collect();
    assert!(matches!(arns[..], [arn] if arn.starts_with("arn:")), "{arns:?}");
    Ok(())
}

/// The ARN of a topic that posts to the inbox once it is confirmed.
async fn create_subscribed_topic(client: &aws_sdk_sns::Client, inbox: &SnsInbox) -> Result<String> {
    let topic = client.create_topic().name("work_complete").send().await?;
    let topic = topic.topic_arn.context("a topic without an ARN")?;
    client.subscribe().topic_arn(&topic).protocol("http").endpoint(inbox.endpoint()).send().await?;
    Ok(topic)
}

#[tokio::test]
async fn message_received_too_often_becomes_a_dead_letter() -> Result<()> {
    let moto = Moto::start()?;
    let config = moto.sdk_config().await;
    let (jobs, dead) = (create_queue(&config, "jobs").await?, create_queue(&config, "dead").await?);
    let policy = json!({ "deadLetterTargetArn": dead.arn().await?, "maxReceiveCount": "2" });
    jobs.set(Attribute::RedrivePolicy, policy.to_string()).await?;
    jobs.port.send("poison", "shop-g1").await?;
    for count in 1..=2 {
        let got = jobs.port.receive(1, 5 * SECOND, SECOND).await?;
        assert_eq!(got.iter().map(|got| got.receive_count).collect::<Vec<_>>(), [count]);
    }
    assert_eq!(jobs.port.receive(1, 3 * SECOND, SECOND).await?, []);
    let letters = dead.port.receive(10, SECOND, SECOND).await?;
    assert_eq!(letters.iter().map(|letter| letter.body.as_str()).collect::<Vec<_>>(), ["poison"]);
    Ok(())
}

#[tokio::test]
async fn message_carries_its_group() -> Result<()> {
    let moto = Moto::start()?;
    let queue = create_queue(&moto.sdk_config().await, "jobs").await?;
    queue.port.send("job", "shop-g1").await?;
    let all = [SystemAttribute::All];
    let receive = queue.client.receive_message().queue_url(&queue.url);
    let answer = receive.set_message_system_attribute_names(Some(all.to_vec())).send().await?;
    let message = answer.messages.unwrap_or_default().pop().context("no message")?;
    let attributes = message.attributes.context("no attributes")?;
    assert_eq!(attributes.get(&SystemAttribute::MessageGroupId).map(String::as_str), Some("shop-g1"));
    Ok(())
}

/// Other calls have 5 s for an attempt.
#[tokio::test]
async fn long_poll_may_last_longer_than_other_calls() -> Result<()> {
    let moto = Moto::start()?;
    let queue = create_queue(&moto.sdk_config().await, "jobs").await?;
    let started = Instant::now();
    assert_eq!(queue.port.receive(1, 7 * SECOND, SECOND).await?, []);
    let elapsed = started.elapsed();
    assert!((7 * SECOND..10 * SECOND).contains(&elapsed), "a poll of 7 s took {elapsed:?}");
    Ok(())
}

#[tokio::test]
async fn absent_bucket_and_queue_are_missing() -> Result<()> {
    let moto = Moto::start()?;
    let config = moto.sdk_config().await;
    let store = S3Store::new(s3_client(&config), "absent");
    assert_eq!(store.get("a/1").await.unwrap_err().kind, ErrorKind::Missing);
    assert_eq!(store.list("a/").await.unwrap_err().kind, ErrorKind::Missing);
    let queue = SqsQueue::new(sqs_client(&config), format!("{}/123456789012/absent", moto.endpoint()));
    assert_eq!(queue.send("job", "shop-g1").await.unwrap_err().kind, ErrorKind::Missing);
    assert_eq!(queue.delete(&[Receipt("r".to_owned())]).await.unwrap_err()[0].error.kind, ErrorKind::Missing);
    Ok(())
}

#[tokio::test]
async fn dead_endpoint_is_unavailable_after_bounded_tries() -> Result<()> {
    let moto = Moto::start()?;
    let store = S3Store::new(s3_client(&moto.sdk_config().await), "site");
    drop(moto);
    let started = Instant::now();
    assert_eq!(store.get("a/1").await.unwrap_err().kind, ErrorKind::Unavailable);
    assert!(started.elapsed() < 10 * SECOND, "gave up after {:?}", started.elapsed());
    Ok(())
}

struct TestQueue {
    client: aws_sdk_sqs::Client,
    url: String,
    port: SqsQueue,
}

async fn create_queue(config: &SdkConfig, name: &str) -> Result<TestQueue> {
    let client = sqs_client(config);
    let url =
        client.create_queue().queue_name(name).send().await?.queue_url.context("a queue without a URL")?;
    Ok(TestQueue { port: SqsQueue::new(client.clone(), &url), client, url })
}

impl TestQueue {
    async fn arn(&self) -> Result<String> {
        let ask =
            self.client.get_queue_attributes().queue_url(&self.url).attribute_names(Attribute::QueueArn);
        let attributes = ask.send().await?.attributes.context("no attributes")?;
        attributes.get(&Attribute::QueueArn).cloned().context("a queue without an ARN")
    }

    async fn set(&self, name: Attribute, value: String) -> Result<()> {
        self.client.set_queue_attributes().queue_url(&self.url).attributes(name, value).send().await?;
        Ok(())
    }
}
