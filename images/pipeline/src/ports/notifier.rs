//! The durable way of a notice: a topic that tells some web pod.

use async_trait::async_trait;

use crate::{Error, notice::Notice};

/// A topic. Delivery is at least once and may be late; a notice is a hint.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Hands the notice over for delivery to the topic's subscribers.
    async fn publish(&self, notice: &Notice) -> Result<(), Error>;
}
