//! Receiving that loses nothing when its caller leaves: SQS goes on with a long poll whose connection was
//! closed, and what it delivers there is invisible until its visibility ends. So each call runs to its end, and
//! what it brings is handed back where nobody waits for it.

use std::time::Duration;

use aws_sdk_sqs::{
    Config,
    config::timeout::TimeoutConfig,
    types::{Message, MessageSystemAttributeName as SystemAttribute},
};
use tokio::sync::oneshot;

use super::{SqsQueue, whole_seconds};
use crate::{
    Error, ErrorKind,
    aws::{client::ATTEMPT_TIMEOUT, error::failed},
    chain,
    ports::{Delivery, Queue, Receipt},
};

type Answer = Result<Vec<Delivery>, Error>;

/// Where a poll's answer is waited for.
struct Claim<'q> {
    queue: &'q SqsQueue,
    answer: oneshot::Receiver<Answer>,
}

impl SqsQueue {
    pub(super) async fn receive_or_hand_back(
        &self,
        max: u32,
        wait: Duration,
        visibility: Duration,
    ) -> Answer {
        let (told, answer) = oneshot::channel();
        let queue = self.clone();
        self.polls.spawn(async move {
            let answer = queue.poll(max, wait, visibility).await;
            if let Err(Ok(unclaimed)) = told.send(answer) {
                queue.hand_back(unclaimed).await;
            }
        });
        let mut claim = Claim { queue: self, answer };
        (&mut claim.answer).await.unwrap_or_else(|gone| {
            Err(Error::new(ErrorKind::Unavailable, self.attempted("receive from")).with_source(gone))
        })
    }

    async fn poll(&self, max: u32, wait: Duration, visibility: Duration) -> Answer {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(wait + ATTEMPT_TIMEOUT).build();
        let receive = self
            .client
            .receive_message()
            .queue_url(&*self.url)
            .max_number_of_messages(i32::try_from(max).unwrap_or(i32::MAX))
            .wait_time_seconds(i32::try_from(wait.as_secs()).unwrap_or(i32::MAX))
            .visibility_timeout(whole_seconds(visibility))
            .message_system_attribute_names(SystemAttribute::ApproximateReceiveCount)
            .customize()
            .config_override(Config::builder().timeout_config(timeouts));
        let answer = receive.send().await.map_err(|error| failed(self.attempted("receive from"), error))?;
        answer.messages.unwrap_or_default().into_iter().map(|message| self.delivery(message)).collect()
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

    async fn hand_back(&self, unclaimed: Vec<Delivery>) {
        let changes: Vec<_> = unclaimed.into_iter().map(|one| (one.receipt, Duration::ZERO)).collect();
        if changes.is_empty() {
            return;
        }
        for failed in self.change_visibility(&changes).await.err().unwrap_or_default() {
            tracing::warn!(
                error = chain(&failed.error),
                "could not hand back a message that nobody waits for; it will be delivered again"
            );
        }
    }
}

impl Drop for Claim<'_> {
    /// The answer may have come since the caller looked last.
    fn drop(&mut self) {
        self.answer.close();
        if let Ok(Ok(unclaimed)) = self.answer.try_recv() {
            let queue = self.queue.clone();
            self.queue.polls.spawn(async move { queue.hand_back(unclaimed).await });
        }
    }
}
