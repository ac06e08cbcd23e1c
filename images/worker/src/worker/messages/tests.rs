use std::sync::Mutex;

use async_trait::async_trait;
use pipeline::{
    Error, ErrorKind,
    embedded::MemoryQueue,
    ports::{Depth, NotDone},
};
use tokio::{task::JoinHandle, time::sleep};

use super::*;

const VISIBILITY: Duration = Duration::from_secs(9);
const MILLISECOND: Duration = Duration::from_millis(1);

/// A queue whose calls are counted, and which does nothing for some messages.
struct CountingQueue {
    inner: MemoryQueue,
    opened: Instant,
    /// When, which call, about how many messages.
    calls: Mutex<Vec<(u128, &'static str, usize)>>,
    /// How often a delete of the message with this receipt fails.
    failing: Mutex<HashMap<Receipt, (u32, ErrorKind)>>,
}

impl CountingQueue {
    fn note(&self, call: &'static str, count: usize) {
        self.calls.lock().unwrap().push((self.opened.elapsed().as_millis(), call, count));
    }

    fn calls(&self) -> Vec<(u128, &'static str, usize)> {
        self.calls.lock().unwrap().clone()
    }
}

#[async_trait]
impl Queue for CountingQueue {
    async fn send(&self, body: &str, group: &str) -> Result<(), Error> {
        self.inner.send(body, group).await
    }

    async fn receive(&self, max: u32, wait: Duration, visibility: Duration) -> Result<Vec<Delivery>, Error> {
        self.inner.receive(max, wait, visibility).await
    }

    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Result<(), Vec<NotDone>> {
        self.note("change", changes.len());
        self.inner.change_visibility(changes).await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<(), Vec<NotDone>> {
        self.note("delete", receipts.len());
        let mut not_done = Vec::new();
        for receipt in receipts {
            let failure = match self.failing.lock().unwrap().get_mut(receipt) {
                Some((times, kind)) if *times > 0 => {
                    *times -= 1;
                    Some(*kind)
                }
                _ => None,
            };
            match failure {
                Some(kind) => {
                    let error = Error::new(kind, "delete");
                    not_done.push(NotDone { receipt: receipt.clone(), error });
                }
                None => self.inner.delete(std::slice::from_ref(receipt)).await?,
            }
        }
        if not_done.is_empty() { Ok(()) } else { Err(not_done) }
    }

    async fn depth(&self) -> Result<Depth, Error> {
        self.inner.depth().await
    }
}

struct Bench {
    queue: Arc<CountingQueue>,
    messages: Arc<Messages>,
    keeping: JoinHandle<()>,
}

impl Bench {
    fn start() -> Self {
        let queue = Arc::new(CountingQueue {
            inner: MemoryQueue::new(100),
            opened: Instant::now(),
            calls: Mutex::default(),
            failing: Mutex::default(),
        });
        let (messages, keeper) = Messages::new(queue.clone(), VISIBILITY);
        Self { queue, messages, keeping: tokio::spawn(keeper.keep()) }
    }

    async fn take(&self, count: u32) -> Vec<Message> {
        for number in 0..count {
            self.queue.send(&number.to_string(), "t").await.unwrap();
        }
        let mut taken = Vec::new();
        while taken.len() < count as usize {
            let deliveries = self.queue.receive(10, Duration::ZERO, VISIBILITY).await.unwrap();
            taken.extend(self.messages.hold(deliveries));
        }
        taken
    }

    async fn stop(self) -> Vec<(u128, &'static str, usize)> {
        drop(self.messages);
        self.keeping.await.unwrap();
        self.queue.calls()
    }
}

#[tokio::test(start_paused = true)]
async fn deletes_are_gathered_into_calls_for_ten_and_the_last_ones_wait_for_nobody() {
    let bench = Bench::start();
    for message in bench.take(24).await {
        sleep(5 * MILLISECOND).await;
        message.delete().await;
    }
    sleep(MILLISECOND).await;
    assert_eq!(bench.queue.depth().await.unwrap(), Depth::default());
    assert_eq!(bench.stop().await, [(50, "delete", 10), (100, "delete", 10), (120, "delete", 4)]);
}

#[tokio::test(start_paused = true)]
async fn delete_waits_for_half_a_second_while_others_may_come() {
    let bench = Bench::start();
    let mut messages = bench.take(2).await;
    messages.pop().unwrap().delete().await;
    sleep(VISIBILITY / 6).await;
    assert_eq!(bench.queue.calls(), [(500, "delete", 1)]);
    drop(messages);
    assert_eq!(bench.stop().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn held_messages_are_extended_together_and_new_ones_not_yet() {
    let bench = Bench::start();
    let old = bench.take(12).await;
    sleep(2 * Duration::from_secs(1)).await;
    let new = bench.take(1).await;
    sleep(Duration::from_millis(1_500)).await;
    assert_eq!(bench.queue.calls(), [(3_000, "change", 10), (3_000, "change", 2)]);
    sleep(10 * VISIBILITY).await;
    assert_eq!(bench.queue.depth().await.unwrap(), Depth { visible: 0, in_flight: 13, delayed: 0 });
    drop((old, new));
    sleep(VISIBILITY).await;
    let depth = bench.queue.depth().await.unwrap();
    assert_eq!(depth, Depth { visible: 13, in_flight: 0, delayed: 0 }, "what nobody holds stays away");
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn hand_backs_are_one_call_at_once_and_back_offs_wait_for_others() {
    let bench = Bench::start();
    let mut messages = bench.take(9).await;
    let kept = messages.pop();
    messages.pop().unwrap().hand_back(Duration::from_secs(2)).await;
    sleep(100 * MILLISECOND).await;
    assert_eq!(bench.queue.calls(), [], "a back-off has time");
    for message in messages {
        message.hand_back(Duration::ZERO).await;
    }
    sleep(MILLISECOND).await;
    assert_eq!(bench.queue.calls(), [(100, "change", 8)]);
    let depth = bench.queue.depth().await.unwrap();
    assert_eq!(depth, Depth { visible: 7, in_flight: 2, delayed: 0 });
    drop(kept);
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn message_that_a_call_did_nothing_for_is_tried_again_where_that_may_help() {
    let bench = Bench::start();
    let messages = bench.take(4).await;
    let receipts: Vec<_> = messages.iter().map(|message| message.delivery.receipt.clone()).collect();
    let failing = [(1, ErrorKind::Unavailable), (9, ErrorKind::Throttled), (9, ErrorKind::Denied)];
    *bench.queue.failing.lock().unwrap() = receipts.into_iter().zip(failing).collect();
    for message in messages {
        message.delete().await;
    }
    sleep(VISIBILITY / 6).await;
    let calls = bench.queue.calls();
    assert_eq!(calls, [(0, "delete", 4), (500, "delete", 2), (1_000, "delete", 1)]);
    assert_eq!(bench.queue.depth().await.unwrap(), Depth { visible: 0, in_flight: 2, delayed: 0 });
    bench.stop().await;
}
