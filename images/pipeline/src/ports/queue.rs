//! The job queue: at-least-once delivery with visibility timeouts, as SQS defines them.

use std::time::Duration;

use async_trait::async_trait;

use crate::Error;

/// The handle of one delivery of a message. Opaque; of no use after the message was delivered again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt(pub String);

/// One delivery of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub body: String,
    pub receipt: Receipt,
    /// How often the message was delivered, this time included. Approximate on SQS.
    pub receive_count: u32,
}

/// The most messages that one call is about.
pub const MAX_BATCH: usize = 10;

/// One message of several that a call was about and did nothing for.
#[derive(Debug)]
pub struct NotDone {
    pub receipt: Receipt,
    pub error: Error,
}

/// How many messages there are. Approximate on SQS, and late by seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    pub visible: u64,
    pub in_flight: u64,
    pub delayed: u64,
}

/// A queue of text messages, delivered at least once and in no promised order.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Adds a message. `group` (the tenant) lets the queue share delivery fairly among groups.
    async fn send(&self, body: &str, group: &str) -> Result<(), Error>;

    /// Up to `max` (1 to [`MAX_BATCH`]) messages; waits up to `wait` (at most 20 s) for the first one. Each
    /// stays invisible to others for `visibility`. Empty where none came. What a caller does not wait for any
    /// more is handed back.
    async fn receive(&self, max: u32, wait: Duration, visibility: Duration) -> Result<Vec<Delivery>, Error>;

    /// Keeps each of up to [`MAX_BATCH`] messages invisible for so long from now; zero hands it back at once.
    /// A message that is gone, or was delivered again, is no error: redelivery is part of the contract. Fails
    /// for some of the messages, or for all.
    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Result<(), Vec<NotDone>>;

    /// Removes up to [`MAX_BATCH`] messages for good. Late or repeated, it is no error. Fails for some of the
    /// messages, or for all.
    async fn delete(&self, receipts: &[Receipt]) -> Result<(), Vec<NotDone>>;

    /// How many messages there are.
    async fn depth(&self) -> Result<Depth, Error>;
}
