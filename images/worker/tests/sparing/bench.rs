//! Workers at one queue whose calls and messages are noted.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use pipeline::{
    Error, ErrorKind,
    embedded::{MemoryNotifier, MemoryQueue, MemoryStore},
    job::Job,
    ports::{
        Condition, Delivery, Depth, Fetched, NotDone, Object, Origin, OriginError, PutOutcome, Queue,
        Receipt, SourceFile, Store, Validators,
    },
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use url::Url;
use worker::{
    ChildLimits, Compiler, Limits, SourceLimits, Worker, WorkerPorts, WorkerSettings, metrics::WorkerMetrics,
};

pub(crate) const VISIBILITY: Duration = Duration::from_secs(8);

/// An origin at which a job for `/a-20.css` takes 20 ms and finds nothing, and one for `/broken-20.css` finds a
/// source, which no child can compile.
#[derive(Default)]
struct TimedOrigin {
    begun: Mutex<Vec<(Instant, String)>>,
}

#[async_trait]
impl Origin for TimedOrigin {
    async fn fetch(&self, url: &Url, _: Option<&Validators>) -> Result<Fetched, OriginError> {
        // The first of the paths that a job asks for, all at once, stands for it.
        let Some(stem) = url.path().strip_suffix(".scss") else { return Ok(Fetched::Absent) };
        self.begun.lock().unwrap().push((Instant::now(), format!("{stem}.css")));
        let milliseconds = stem.rsplit_once('-').unwrap().1.parse().unwrap();
        sleep(Duration::from_millis(milliseconds)).await;
        if !stem.starts_with("/broken") {
            return Ok(Fetched::Absent);
        }
        Ok(Fetched::Found(SourceFile { body: "a { b: c }".into(), etag: None, last_modified: None }))
    }
}

/// A store that may fail for a while.
#[derive(Default)]
pub(crate) struct FailingStore {
    pub(crate) inner: MemoryStore,
    pub(crate) fails: AtomicBool,
}

impl FailingStore {
    fn check(&self) -> Result<(), Error> {
        let error = || Error::new(ErrorKind::Unavailable, "use the store");
        if self.fails.load(Ordering::Relaxed) { Err(error()) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for FailingStore {
    async fn get(&self, name: &str) -> Result<Option<Object>, Error> {
        self.check()?;
        self.inner.get(name).await
    }

    async fn put(&self, name: &str, body: Bytes, condition: Condition) -> Result<PutOutcome, Error> {
        self.check()?;
        self.inner.put(name, body, condition).await
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        self.check()?;
        self.inner.delete(name).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.inner.list(prefix).await
    }
}

/// What a worker did with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Received,
    HandedBack,
    Deleted,
}

/// One worker's view of the queue: what it calls is counted, and what it does with which path's message noted.
pub(crate) struct Watched {
    inner: Arc<MemoryQueue>,
    /// What each call takes.
    delay: Duration,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    calls: HashMap<&'static str, u32>,
    paths: HashMap<Receipt, String>,
    steps: Vec<(Instant, String, Step)>,
}

impl Seen {
    fn count(&mut self, call: &'static str) {
        *self.calls.entry(call).or_default() += 1;
    }

    fn step(&mut self, receipt: &Receipt, step: Step) {
        let path = self.paths.get(receipt).unwrap().clone();
        self.steps.push((Instant::now(), path, step));
    }
}

impl Watched {
    pub(crate) fn calls(&self) -> u32 {
        self.seen.lock().unwrap().calls.values().sum()
    }

    pub(crate) fn steps(&self) -> Vec<(Instant, String, Step)> {
        self.seen.lock().unwrap().steps.clone()
    }
}

#[async_trait]
impl Queue for Watched {
    async fn send(&self, _: &str, _: &str) -> Result<(), Error> {
        unreachable!("a worker sends no job")
    }

    async fn receive(&self, max: u32, wait: Duration, visibility: Duration) -> Result<Vec<Delivery>, Error> {
        self.seen.lock().unwrap().count("receive");
        sleep(self.delay).await;
        let received = self.inner.receive(max, wait, visibility).await?;
        let mut seen = self.seen.lock().unwrap();
        for delivery in &received {
            let path = Job::from_message(&delivery.body).map(|job| job.path.as_str().to_owned());
            let path = path.unwrap_or_else(|_| "unreadable".to_owned());
            seen.paths.insert(delivery.receipt.clone(), path);
            seen.step(&delivery.receipt, Step::Received);
        }
        Ok(received)
    }

    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Result<(), Vec<NotDone>> {
        self.seen.lock().unwrap().count("change visibility");
        sleep(self.delay).await;
        for (receipt, _) in changes.iter().filter(|(_, visibility)| visibility.is_zero()) {
            self.seen.lock().unwrap().step(receipt, Step::HandedBack);
        }
        self.inner.change_visibility(changes).await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<(), Vec<NotDone>> {
        self.seen.lock().unwrap().count("delete");
        sleep(self.delay).await;
        for receipt in receipts {
            self.seen.lock().unwrap().step(receipt, Step::Deleted);
        }
        self.inner.delete(receipts).await
    }

    async fn depth(&self) -> Result<Depth, Error> {
        self.inner.depth().await
    }
}

pub(crate) struct Bench {
    pub(crate) queue: Arc<MemoryQueue>,
    origin: Arc<TimedOrigin>,
    pub(crate) store: Arc<FailingStore>,
    /// What a call of the queue takes.
    delay: Duration,
}

pub(crate) struct AtWork {
    pub(crate) queue: Arc<Watched>,
    pub(crate) refresh_queue: Arc<Watched>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) working: JoinHandle<()>,
    registry: Registry,
}

impl AtWork {
    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        text
    }
}

impl Bench {
    pub(crate) fn new(delay: Duration) -> Self {
        let queue = Arc::new(MemoryQueue::new(100));
        Self { queue, origin: Arc::default(), store: Arc::default(), delay }
    }

    pub(crate) fn start(&self, concurrency: u16) -> AtWork {
        let watched = |inner| Arc::new(Watched { inner, delay: self.delay, seen: Mutex::default() });
        let (queue, refresh_queue) = (watched(self.queue.clone()), watched(Arc::new(MemoryQueue::new(100))));
        let ports = WorkerPorts {
            queue: queue.clone(),
            refresh_queue: refresh_queue.clone(),
            store: self.store.clone(),
            notifier: Arc::new(MemoryNotifier::default()),
            origin: self.origin.clone(),
            direct: None,
        };
        // Nothing is ever compiled: there is no source.
        let child = ChildLimits { cpu_seconds: 1, memory_bytes: 1 };
        let settings = WorkerSettings {
            concurrency,
            visibility: VISIBILITY,
            run_limit: Duration::from_secs(15),
            source_limits: SourceLimits { files: 10, bytes: 1 << 20, requests: 100 },
            credentials: worker::origin::OriginCredentials::default(),
            compiler: Compiler::new("none".into(), Limits { child, output_bytes: 1 }),
        };
        let mut registry = Registry::default();
        let metrics = WorkerMetrics::register(&mut registry);
        let shutdown = CancellationToken::new();
        let worker = Arc::new(Worker::new(ports, settings, metrics));
        let working = tokio::spawn(worker.work(shutdown.clone()));
        AtWork { queue, refresh_queue, shutdown, working, registry }
    }

    pub(crate) async fn send(&self, tenant: &str, name: &str, milliseconds: u64) {
        let job = job(tenant, name, milliseconds);
        self.queue.send(&job.to_message(), job.tenant_id.as_str()).await.unwrap();
    }

    /// When each job began, in the order in which they did.
    pub(crate) fn begun(&self) -> Vec<(Instant, String)> {
        self.origin.begun.lock().unwrap().clone()
    }

    pub(crate) async fn until_done(&self) {
        while self.queue.depth().await.unwrap() != Depth::default() {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A job of a tenant, which takes so many milliseconds.
pub(crate) fn job(tenant: &str, name: &str, milliseconds: u64) -> Job {
    Job::new(
        format!("{tenant}-g1").parse().unwrap(),
        format!("/{tenant}{name}-{milliseconds}.css").parse().unwrap(),
        "http://origin.example/".parse().unwrap(),
        Timestamp::now(),
    )
}
