//! A topic in memory.

use async_trait::async_trait;
use tokio::sync::broadcast;

use crate::{Error, notice::Notice, ports::Notifier};

/// Notices kept for a subscriber that is late; older ones are lost to it, as the contract allows.
const BACKLOG: usize = 1024;

/// Hands each notice to every subscriber of this process.
pub struct MemoryNotifier {
    sender: broadcast::Sender<Notice>,
}

impl Default for MemoryNotifier {
    fn default() -> Self {
        Self { sender: broadcast::channel(BACKLOG).0 }
    }
}

impl MemoryNotifier {
    /// All notices published from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.sender.subscribe()
    }
}

#[async_trait]
impl Notifier for MemoryNotifier {
    async fn publish(&self, notice: &Notice) -> Result<(), Error> {
        // An error says only that nobody listens, which a topic does not mind.
        let _ = self.sender.send(notice.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_notifier_conforms() {
        let notifier = MemoryNotifier::default();
        let mut inbox = notifier.subscribe();
        crate::conformance::notifier(&notifier, async || inbox.recv().await.unwrap()).await;
    }
}
