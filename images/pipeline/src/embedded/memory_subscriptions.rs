//! Subscriptions in memory.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use crate::{Error, ErrorKind, ports::Subscriptions};

/// Tokens that were handed out, and whether they came back. Unbounded: whoever hands them out bounds them.
#[derive(Default)]
pub struct MemorySubscriptions {
    is_confirmed: Mutex<BTreeMap<String, bool>>,
}

impl MemorySubscriptions {
    /// A subscription that waits for its confirmation with this token.
    pub fn subscribe(&self, token: &str) {
        self.lock().entry(token.to_owned()).or_insert(false);
    }

    /// The tokens of all confirmed subscriptions, in byte order.
    pub fn confirmed(&self) -> Vec<String> {
        self.lock()
            .iter()
            .filter(|(_, is_confirmed)| **is_confirmed)
            .map(|(token, _)| token.clone())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, bool>> {
        // No code panics while it holds the lock half-way through a change.
        self.is_confirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Subscriptions for MemorySubscriptions {
    async fn confirm(&self, token: &str) -> Result<(), Error> {
        match self.lock().get_mut(token) {
            Some(is_confirmed) => {
                *is_confirmed = true;
                Ok(())
            }
            None => Err(Error::new(ErrorKind::Invalid, "confirm a subscription whose token is unknown")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_subscriptions_conform() {
        let subscriptions = MemorySubscriptions::default();
        subscriptions.subscribe("t1");
        crate::conformance::subscriptions(&subscriptions, "t1", async || subscriptions.confirmed() == ["t1"])
            .await;
    }
}
