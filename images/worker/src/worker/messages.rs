//! The messages of one queue that this worker has: kept invisible while they are held, and deleted or handed
//! back in batches.
//!
//! A delete that is gathered here when the process dies costs another delivery, which the manifest answers.
//! What becomes of which message is decided by whoever holds it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, future::join_all, stream};
use pipeline::{
    chain,
    ports::{Delivery, MAX_BATCH, NotDone, Queue, Receipt},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};

/// How long a delete waits for others at the most. Far below what is left of a visibility that is extended
/// every third of it.
const GATHER: Duration = Duration::from_millis(500);
/// How often a message that a call did nothing for is tried.
const TRIES: u32 = 3;
/// Messages that wait for the next call; whoever adds more waits, too.
const MAX_WAITING: usize = 64;
/// Calls of one kind under way at the same time.
const MAX_CALLS: usize = 4;

/// Since when each message is invisible for a whole visibility.
type Held = watch::Sender<HashMap<Receipt, Instant>>;

/// Where messages are held, and given up.
pub(super) struct Messages {
    held: Held,
    deletes: mpsc::Sender<Settled>,
    hand_backs: mpsc::Sender<Settled>,
}

/// A message that this worker holds. Dropped, it is delivered again when its visibility is over.
pub(super) struct Message {
    pub(super) delivery: Delivery,
    messages: Arc<Messages>,
}

/// Does what [`Messages`] decide.
pub(super) struct Keeper {
    queue: Arc<dyn Queue>,
    visibility: Duration,
    held: Held,
    deletes: Gatherer,
    hand_backs: Gatherer,
}

/// A message of which this worker knows what becomes.
struct Settled {
    receipt: Receipt,
    /// When a message that is handed back is visible again.
    after: Duration,
}

/// Gathers settled messages of one kind for calls about several.
struct Gatherer {
    kind: Kind,
    settled: mpsc::Receiver<Settled>,
    held: watch::Receiver<HashMap<Receipt, Instant>>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Delete,
    HandBack,
}

impl Messages {
    /// The keeper works until the last message is settled and nobody can hold another one.
    pub(super) fn new(queue: Arc<dyn Queue>, visibility: Duration) -> (Arc<Self>, Keeper) {
        let held = Held::default();
        let gatherer = |kind| {
            let (sender, settled) = mpsc::channel(MAX_WAITING);
            (sender, Gatherer { kind, settled, held: held.subscribe() })
        };
        let (deletes, deleting) = gatherer(Kind::Delete);
        let (hand_backs, handing_back) = gatherer(Kind::HandBack);
        let messages = Self { held: held.clone(), deletes, hand_backs };
        let keeper = Keeper { queue, visibility, held, deletes: deleting, hand_backs: handing_back };
        (Arc::new(messages), keeper)
    }

    /// From now on these are kept invisible.
    pub(super) fn hold(self: &Arc<Self>, deliveries: Vec<Delivery>) -> Vec<Message> {
        let now = Instant::now();
        self.held.send_modify(|held| {
            held.extend(deliveries.iter().map(|delivery| (delivery.receipt.clone(), now)));
        });
        deliveries.into_iter().map(|delivery| Message { delivery, messages: self.clone() }).collect()
    }
}

impl Message {
    pub(super) async fn delete(self) {
        // Fails where the keeper was dropped, with the whole worker.
        let _ = self.messages.deletes.send(self.settled(Duration::ZERO)).await;
    }

    /// The message is visible again then; with zero the call is not put off.
    pub(super) async fn hand_back(self, after: Duration) {
        let _ = self.messages.hand_backs.send(self.settled(after)).await;
    }

    fn settled(&self, after: Duration) -> Settled {
        Settled { receipt: self.delivery.receipt.clone(), after }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        self.messages.held.send_modify(|held| {
            held.remove(&self.delivery.receipt);
        });
    }
}

impl Keeper {
    pub(super) async fn keep(self) {
        let Self { queue, visibility, held, deletes, hand_backs } = self;
        tokio::select! {
            _ = async { tokio::join!(deletes.settle_all(&*queue), hand_backs.settle_all(&*queue)) } => {}
            never = keep_invisible(&*queue, visibility, &held) => match never {},
        }
    }
}

/// Extends what is held, three times per visibility, for ever. What has come just now has its time.
async fn keep_invisible(queue: &dyn Queue, visibility: Duration, held: &Held) -> std::convert::Infallible {
    let mut beats = interval(visibility / 3);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        let now = Instant::now();
        let is_due = |since: &Instant| *since + visibility / 6 <= now;
        let due: Vec<_> = {
            let held = held.borrow();
            let due = held.iter().filter(|(_, since)| is_due(since));
            due.map(|(receipt, _)| (receipt.clone(), visibility)).collect()
        };
        let answers = join_all(due.chunks(MAX_BATCH).map(|batch| queue.change_visibility(batch))).await;
        let mut extended: HashMap<_, _> = due.into_iter().map(|(receipt, _)| (receipt, now)).collect();
        for NotDone { receipt, error } in answers.into_iter().filter_map(Result::err).flatten() {
            tracing::warn!(error = chain(&error), "could not extend a job's visibility");
            extended.remove(&receipt);
        }
        held.send_if_modified(|held| {
            for (receipt, since) in held.iter_mut() {
                *since = extended.get(receipt).copied().unwrap_or(*since);
            }
            false
        });
    }
}

impl Gatherer {
    async fn settle_all(self, queue: &dyn Queue) {
        let kind = self.kind;
        let batches = stream::unfold(self, async |mut gatherer| {
            let batch = gatherer.gather().await;
            (!batch.is_empty()).then_some((batch, gatherer))
        });
        batches.for_each_concurrent(MAX_CALLS, |batch| settle(kind, queue, batch)).await;
    }

    /// As many as one call may be about, or what there is after a while or when no more is to be expected:
    /// then at once. Empty when there will never be any.
    async fn gather(&mut self) -> Vec<Settled> {
        let Self { kind, settled, held } = self;
        let mut batch: Vec<_> = settled.recv().await.into_iter().collect();
        let deadline = Instant::now() + GATHER;
        while (1..MAX_BATCH).contains(&batch.len()) {
            let is_urgent = batch.iter().any(|one| kind.is_urgent(one));
            let no_more = async {
                if !is_urgent {
                    // The sender lives as long as the keeper.
                    let _ = held.wait_for(HashMap::is_empty).await;
                }
            };
            tokio::select! {
                biased;
                more = settled.recv() => match more {
                    Some(more) => batch.push(more),
                    None => break,
                },
                () = no_more => break,
                () = sleep_until(deadline) => break,
            }
        }
        batch
    }
}

/// Tries again with those of the batch that another try may help.
async fn settle(kind: Kind, queue: &dyn Queue, mut batch: Vec<Settled>) {
    for tries in 1.. {
        let Err(not_done) = kind.call(queue, &batch).await else { return };
        let mut again = HashSet::new();
        for NotDone { receipt, error } in not_done {
            if error.kind.is_transient() && tries < TRIES {
                again.insert(receipt);
            } else {
                let error = chain(&error);
                tracing::warn!(error, "could not give a message back; it will be delivered again");
            }
        }
        batch.retain(|one| again.contains(&one.receipt));
        if batch.is_empty() {
            return;
        }
        sleep(GATHER).await;
    }
}

impl Kind {
    async fn call(self, queue: &dyn Queue, batch: &[Settled]) -> Result<(), Vec<NotDone>> {
        let receipts = batch.iter().map(|one| one.receipt.clone());
        match self {
            Self::Delete => queue.delete(&receipts.collect::<Vec<_>>()).await,
            Self::HandBack => {
                let changes: Vec<_> = receipts.zip(batch.iter().map(|one| one.after)).collect();
                queue.change_visibility(&changes).await
            }
        }
    }

    /// Whether somebody else may take the message as soon as it is settled.
    fn is_urgent(self, settled: &Settled) -> bool {
        match self {
            Self::Delete => false,
            Self::HandBack => settled.after.is_zero(),
        }
    }
}

#[cfg(test)]
mod tests;
