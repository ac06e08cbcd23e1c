//! The job queue on SQS.

use std::{error::Error as StdError, time::Duration};

use async_trait::async_trait;
use aws_sdk_sqs::{
    Client, Config,
    config::timeout::TimeoutConfig,
    error::{ProvideErrorMetadata, SdkError},
    types::{Message, MessageSystemAttributeName as SystemAttribute, QueueAttributeName as Attribute},
};

use super::{
    client::ATTEMPT_TIMEOUT,
    error::{code_of, failed},
};
use crate::{
    Error, ErrorKind,
    ports::{Delivery, Depth, Queue, Receipt},
};

/// One standard queue. The message group makes SQS share delivery fairly among groups ("fair queues") and
/// changes nothing else there.
///
/// SQS counts whole seconds: a visibility is rounded up, a wait down, so that both promises hold.
pub struct SqsQueue {
    client: Client,
    url: String,
}

impl SqsQueue {
    pub fn new(client: Client, queue_url: impl Into<String>) -> Self {
        Self { client, url: queue_url.into() }
    }

    fn attempted(&self, what: &str) -> String {
        format!("{what} queue {}", self.url)
    }

    fn unless_late<T, E>(&self, what: &str, answer: Result<T, SdkError<E>>) -> Result<(), Error>
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        match answer {
            Ok(_) => Ok(()),
            Err(error) if is_late(&error) => Ok(()),
            Err(error) => Err(failed(self.attempted(what), error)),
        }
    }

    fn delivery(&self, message: Message) -> Result<Delivery, Error> {
        let count =
            message.attributes.as_ref().and_then(|all| all.get(&SystemAttribute::ApproximateReceiveCount));
        let count = count.and_then(|count| count.parse().ok());
        match (message.body, message.receipt_handle, count) {
            (Some(body), Some(receipt), Some(receive_count)) => {
                Ok(Delivery { body, receipt: Receipt(receipt), receive_count })
            }
            _ => Err(Error::new(ErrorKind::Invalid, self.attempted("receive from"))
                .with_source("a message without body, receipt or receive count")),
        }
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, body: &str, group: &str) -> Result<(), Error> {
        let send = self.client.send_message().queue_url(&self.url).message_body(body).message_group_id(group);
        send.send().await.map(|_| ()).map_err(|error| failed(self.attempted("send to"), error))
    }

    async fn receive(&self, max: u32, wait: Duration, visibility: Duration) -> Result<Vec<Delivery>, Error> {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(wait + ATTEMPT_TIMEOUT).build();
        let receive = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(max).unwrap_or(i32::MAX))
            .wait_time_seconds(i32::try_from(wait.as_secs()).unwrap_or(i32::MAX))
            .visibility_timeout(whole_seconds(visibility))
            .message_system_attribute_names(SystemAttribute::ApproximateReceiveCount)
            .customize()
            .config_override(Config::builder().timeout_config(timeouts));
        let answer = receive.send().await.map_err(|error| failed(self.attempted("receive from"), error))?;
        answer.messages.unwrap_or_default().into_iter().map(|message| self.delivery(message)).collect()
    }

    async fn change_visibility(&self, receipt: &Receipt, visibility: Duration) -> Result<(), Error> {
        let change = self
            .client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(&receipt.0)
            .visibility_timeout(whole_seconds(visibility));
        self.unless_late("change visibility in", change.send().await)
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Error> {
        let delete = self.client.delete_message().queue_url(&self.url).receipt_handle(&receipt.0);
        self.unless_late("delete from", delete.send().await)
    }

    async fn depth(&self) -> Result<Depth, Error> {
        let counts = [
            Attribute::ApproximateNumberOfMessages,
            Attribute::ApproximateNumberOfMessagesNotVisible,
            Attribute::ApproximateNumberOfMessagesDelayed,
        ];
        let ask = self.client.get_queue_attributes().queue_url(&self.url);
        let answer = ask.set_attribute_names(Some(counts.to_vec())).send().await;
        let attributes =
            answer.map_err(|error| failed(self.attempted("count"), error))?.attributes.unwrap_or_default();
        let count = |name: &Attribute| {
            let number = attributes.get(name).and_then(|number| number.parse().ok());
            let missing = || {
                let why = format!("the answer has no number {name}");
                Error::new(ErrorKind::Invalid, self.attempted("count")).with_source(why)
            };
            number.ok_or_else(missing)
        };
        let [visible, in_flight, delayed] = &counts;
        Ok(Depth { visible: count(visible)?, in_flight: count(in_flight)?, delayed: count(delayed)? })
    }
}

/// Whether the call came after its message was deleted or delivered again, which the contract forgives.
fn is_late<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let message = error.as_service_error().and_then(ProvideErrorMetadata::message).unwrap_or_default();
    match code_of(error) {
        Some("ReceiptHandleIsInvalid" | "MessageNotInflight") => true,
        // The same code tells of a visibility that is out of range, which is a mistake.
        Some("InvalidParameterValue") => message.contains("ReceiptHandle"),
        _ => false,
    }
}

fn whole_seconds(duration: Duration) -> i32 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
