//! The topic of notices on SNS.

use async_trait::async_trait;
use aws_sdk_sns::Client;

use super::error::failed;
use crate::{Error, notice::Notice, ports::Notifier};

/// Publishes notices as JSON to one topic. Who is subscribed is the operator's business.
pub struct SnsNotifier {
    client: Client,
    topic_arn: String,
}

impl SnsNotifier {
    pub fn new(client: Client, topic_arn: impl Into<String>) -> Self {
        Self { client, topic_arn: topic_arn.into() }
    }
}

#[async_trait]
impl Notifier for SnsNotifier {
    async fn publish(&self, notice: &Notice) -> Result<(), Error> {
        let message =
            serde_json::to_string(notice).expect("a notice holds only text, which always serializes");
        let answer = self.client.publish().topic_arn(&self.topic_arn).message(message).send().await;
        answer.map(|_| ()).map_err(|error| failed(format!("publish to topic {}", self.topic_arn), error))
    }
}

#[cfg(test)]
mod tests;
