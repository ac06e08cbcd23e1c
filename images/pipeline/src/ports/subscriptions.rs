//! The topic's side of a subscription: where an endpoint that was asked to confirm says yes.

use async_trait::async_trait;

use crate::Error;

/// The subscriptions of one topic.
#[async_trait]
pub trait Subscriptions: Send + Sync {
    /// Confirms the subscription that `token` was sent for. From then on nobody ends it without the
    /// permission to. Repeated, it is no error. A token that is unknown or too old is
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid).
    async fn confirm(&self, token: &str) -> Result<(), Error>;
}
