//! S3 is one emulator, SQS and SNS are another one, and nobody answers where all services are said to be.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use pipeline::aws::{s3_client, sns_client, sqs_client};
use tests::{moto::Moto, sns_inbox::SnsInbox};

use crate::site::{REGION, Site, keyed, last_part};

/// Nobody listens at port 1.
const NOWHERE: &str = "http://127.0.0.1:1";

/// What an emulator has: buckets, queues and topics, by name.
async fn resources(sdk: &SdkConfig) -> Result<[BTreeSet<String>; 3]> {
    let buckets = s3_client(sdk).list_buckets().send().await?;
    let queues = sqs_client(sdk).list_queues().send().await?;
    let topics = sns_client(sdk).list_topics().send().await?;
    Ok([
        buckets.buckets().iter().filter_map(|bucket| bucket.name.clone()).collect(),
        queues.queue_urls().iter().map(|url| last_part(url)).collect(),
        topics.topics().iter().filter_map(|topic| topic.topic_arn.as_deref()).map(last_part).collect(),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_service_is_reached_at_its_own_endpoint_by_operator_web_and_worker() -> Result<()> {
    let (files, messages) = (Moto::start()?, Moto::start()?);
    let endpoints = [
        ("AWS_ENDPOINT_URL", NOWHERE.to_owned()),
        ("AWS_ENDPOINT_URL_S3", files.endpoint()),
        ("AWS_ENDPOINT_URL_SQS", messages.endpoint()),
        ("AWS_ENDPOINT_URL_SNS", messages.endpoint()),
    ];
    let site = Site::make(&endpoints).await?;
    let names = &site.names;
    let [bucket, queue, topic] = [&names.bucket, &names.queue, &names.topic].map(|name| [name.clone()]);
    let queues = [queue, [names.refresh_queue.clone()], [names.dead_letter_queue.clone()]].concat();
    let nothing = BTreeSet::new;
    let of_files = resources(&files.sdk_config().await).await?;
    assert_eq!(of_files, [bucket.into(), nothing(), nothing()]);
    let of_messages = resources(&messages.sdk_config().await).await?;
    assert_eq!(of_messages, [nothing(), queues.into_iter().collect(), topic.into()]);

    let mut inbox = SnsInbox::listen().await?;
    let sns = sns_client(&messages.sdk_config().await);
    let subscribe = sns.subscribe().topic_arn(&site.topic_arn).protocol("http").endpoint(inbox.endpoint());
    subscribe.send().await?;
    let token = inbox.next_token(&site.topic_arn).await?;
    sns.confirm_subscription().topic_arn(&site.topic_arn).token(token).send().await?;

    let settings = keyed(&endpoints);
    let _worker = site.start_worker(&settings)?;
    let web = site.start_web(&settings)?;
    let answer = web.visit().await?;
    assert_eq!((answer.status, answer.body.contains("color")), (200, true), "{}", answer.body);
    inbox.next(&site.topic_arn).await.context("the worker published nothing")?;
    let manifests = site.store(&files.sdk_config().await).await?;
    assert_eq!(manifests, 1, "the file lies in {REGION}'s store of files");
    Ok(())
}
