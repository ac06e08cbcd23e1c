//! The job queue on SQS.

mod batch;
mod poll;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_sqs::{Client, types::QueueAttributeName as Attribute};
use tokio_util::task::TaskTracker;

use super::error::failed;
use crate::{
    Error, ErrorKind,
    ports::{Delivery, Depth, NotDone, Queue, Receipt},
};

/// One standard queue. The message group makes SQS share delivery fairly among groups ("fair queues") and
/// changes nothing else there.
///
/// SQS counts whole seconds: a visibility is rounded up, a wait down, so that both promises hold.
#[derive(Clone)]
pub struct SqsQueue {
    client: Client,
    url: Arc<str>,
    /// Long polls, also those that nobody waits for any more.
    polls: TaskTracker,
}

impl SqsQueue {
    pub fn new(client: Client, queue_url: impl Into<String>) -> Self {
        Self { client, url: queue_url.into().into(), polls: TaskTracker::new() }
    }

    /// Waits until nothing is received any more that nobody waits for: for as long as the last calls of
    /// `receive` were to wait. A process that ends before loses messages for their visibility.
    pub async fn settled(&self) {
        self.polls.close();
        self.polls.wait().await;
    }

    fn attempted(&self, what: &str) -> String {
        format!("{what} queue {}", self.url)
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, body: &str, group: &str) -> Result<(), Error> {
        let send =
            self.client.send_message().queue_url(&*self.url).message_body(body).message_group_id(group);
        send.send().await.map(|_| ()).map_err(|error| failed(self.attempted("send to"), error))
    }

    async fn receive(&self, max: u32, wait: Duration, visibility: Duration) -> Result<Vec<Delivery>, Error> {
        self.receive_or_hand_back(max, wait, visibility).await
    }

    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Result<(), Vec<NotDone>> {
        self.change_batch(changes).await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<(), Vec<NotDone>> {
        self.delete_batch(receipts).await
    }

    async fn depth(&self) -> Result<Depth, Error> {
        let counts = [
            Attribute::ApproximateNumberOfMessages,
            Attribute::ApproximateNumberOfMessagesNotVisible,
            Attribute::ApproximateNumberOfMessagesDelayed,
        ];
        let ask = self.client.get_queue_attributes().queue_url(&*self.url);
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

fn whole_seconds(duration: Duration) -> i32 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
