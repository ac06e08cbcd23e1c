//! Messages that are delivered again and again.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use pipeline::{
    Error,
    embedded::MemoryQueue,
    job::Job,
    manifest::Outcome,
    ports::{Delivery, Depth, NotDone, Queue, Receipt, Store},
};
use tokio::time::{sleep, timeout};

use crate::bench::Bench;

const FILES: usize = 20;
const DELIVERIES: u32 = 10;

/// A queue that goes on delivering each message until it was deleted so often.
struct Tenfold {
    inner: Arc<MemoryQueue>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    bodies: HashMap<Receipt, String>,
    /// By body.
    deletes: HashMap<String, u32>,
}

impl Seen {
    fn is_last(&mut self, receipt: &Receipt) -> bool {
        let deletes = self.deletes.entry(self.bodies.get(receipt).unwrap().clone()).or_default();
        *deletes += 1;
        *deletes >= DELIVERIES
    }
}

#[async_trait]
impl Queue for Tenfold {
    async fn send(&self, body: &str, group: &str) -> Result<(), Error> {
        self.inner.send(body, group).await
    }

    async fn receive(&self, max: u32, wait: Duration, visibility: Duration) -> Result<Vec<Delivery>, Error> {
        let received = self.inner.receive(max, wait, visibility).await?;
        let bodies = received.iter().map(|delivery| (delivery.receipt.clone(), delivery.body.clone()));
        self.seen.lock().unwrap().bodies.extend(bodies);
        Ok(received)
    }

    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Result<(), Vec<NotDone>> {
        self.inner.change_visibility(changes).await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<(), Vec<NotDone>> {
        let (last, again): (Vec<_>, Vec<_>) = {
            let mut seen = self.seen.lock().unwrap();
            receipts.iter().cloned().partition(|receipt| seen.is_last(receipt))
        };
        let again: Vec<_> = again.into_iter().map(|receipt| (receipt, Duration::ZERO)).collect();
        self.inner.change_visibility(&again).await?;
        self.inner.delete(&last).await
    }

    async fn depth(&self) -> Result<Depth, Error> {
        self.inner.depth().await
    }
}

fn start() -> Bench {
    let texts: Vec<_> =
        (0..FILES).map(|number| (format!("{number}.scss"), format!("a {{ b: {number}px + 1px }}"))).collect();
    let files: Vec<_> = texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    Bench::start_at(&files, |inner| Arc::new(Tenfold { inner, seen: Mutex::default() }))
}

/// The jobs of all files. Half of their senders' clocks are ahead of the worker's.
fn jobs(bench: &Bench) -> Vec<Job> {
    let job = |number: usize| {
        let ahead = SignedDuration::from_secs(if number.is_multiple_of(2) { 2 } else { 0 });
        Job { not_before: Timestamp::now() + ahead, ..bench.job(&format!("/{number}.css")) }
    };
    (0..FILES).map(job).collect()
}

/// Notices by job, once the queue is empty, and how many bodies were written meanwhile.
async fn run_all(bench: &mut Bench) -> (usize, usize) {
    let emptied = async {
        while bench.queue.depth().await.unwrap() != Depth::default() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_mins(1), emptied).await.expect("messages are left over");
    let mut notices = 0;
    while bench.notices.try_recv().is_ok() {
        notices += 1;
    }
    let bodies = bench.journal.take().into_iter().filter(|call| call.name == "put body").count();
    (notices, bodies)
}

/// The digest that each file's manifest names; nothing but those files' objects is stored.
async fn digests(bench: &Bench, jobs: &[Job]) -> Vec<String> {
    let mut digests = Vec::new();
    for job in jobs {
        let stored = pipeline::record::read_manifest(&*bench.store, &job.key()).await.unwrap().unwrap();
        let Outcome::Compiled { digest, .. } = stored.manifest.outcome else { panic!("{job:?}") };
        digests.push(digest.to_string());
    }
    let names = bench.store.list("").await.unwrap();
    assert_eq!(names.len(), FILES * (1 + 3), "{names:?}");
    assert_eq!(digests.iter().collect::<BTreeSet<_>>().len(), FILES);
    digests
}

#[tokio::test]
async fn no_delivery_after_the_first_one_compiles_again() {
    let mut bench = start();
    let jobs = jobs(&bench);
    for job in &jobs {
        bench.send(job).await;
    }
    let (notices, bodies) = run_all(&mut bench).await;
    assert_eq!(notices, FILES * DELIVERIES as usize, "whoever waits is told each time");
    assert_eq!(bodies, FILES * 3, "every file is stored once, in three codings");
    digests(&bench, &jobs).await;
    bench.stop().await;
}

#[tokio::test]
async fn copies_that_run_at_the_same_time_make_the_same_bytes() {
    let mut bench = start();
    let jobs = jobs(&bench);
    for job in &jobs {
        for _ in 0..3 {
            bench.send(job).await;
        }
    }
    run_all(&mut bench).await;
    let before = digests(&bench, &jobs).await;
    for job in &jobs {
        bench.send(job).await;
    }
    let (_, bodies) = run_all(&mut bench).await;
    assert_eq!((digests(&bench, &jobs).await, bodies), (before, 0), "copies after the end compile nothing");
    bench.stop().await;
}
