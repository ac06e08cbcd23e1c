//! Visits before refreshes, in virtual time: an origin that has nothing, and takes its time to say so.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use pipeline::{
    embedded::{MemoryNotifier, MemoryQueue, MemoryStore},
    job::Job,
    ports::{Depth, Fetched, Origin, OriginError, Queue, Validators},
};
use prometheus_client::registry::Registry;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use url::Url;
use worker::{
    ChildLimits, Compiler, Limits, SourceLimits, Worker, WorkerPorts, WorkerSettings, metrics::WorkerMetrics,
};

/// What one visit's job takes.
const SHORT: Duration = Duration::from_millis(10);
/// What one refresh takes.
const LONG: Duration = Duration::from_secs(10);
/// Within which the worker must have begun what it can begin at once.
const SOON: Duration = Duration::from_millis(2);

#[derive(Default)]
struct SlowOrigin {
    /// When which source was asked for: the beginning of each job.
    begun: Mutex<Vec<(Instant, String)>>,
    /// Refreshes that run, and the most that ever did.
    refreshes: Mutex<(usize, usize)>,
}

#[async_trait]
impl Origin for SlowOrigin {
    async fn fetch(&self, url: &Url, _: Option<&Validators>) -> Result<Fetched, OriginError> {
        // The first of the paths that a job asks for, all at once, stands for it.
        if url.path().strip_suffix(".scss").is_none() {
            return Ok(Fetched::Absent);
        }
        self.begun.lock().unwrap().push((Instant::now(), url.path().to_owned()));
        if url.path().starts_with("/visit") {
            sleep(SHORT).await;
            return Ok(Fetched::Absent);
        }
        let count = |change: fn(usize) -> usize| {
            let mut refreshes = self.refreshes.lock().unwrap();
            refreshes.0 = change(refreshes.0);
            refreshes.1 = refreshes.1.max(refreshes.0);
        };
        count(|running| running + 1);
        sleep(LONG).await;
        count(|running| running - 1);
        Ok(Fetched::Absent)
    }
}

struct Bench {
    queue: Arc<MemoryQueue>,
    refresh_queue: Arc<MemoryQueue>,
    origin: Arc<SlowOrigin>,
    shutdown: CancellationToken,
}

impl Bench {
    fn new() -> Self {
        Self {
            queue: Arc::new(MemoryQueue::new(100)),
            refresh_queue: Arc::new(MemoryQueue::new(100)),
            origin: Arc::default(),
            shutdown: CancellationToken::new(),
        }
    }

    fn start(&self, concurrency: u16) -> tokio::task::JoinHandle<()> {
        let ports = WorkerPorts {
            queue: self.queue.clone(),
            refresh_queue: self.refresh_queue.clone(),
            store: Arc::new(MemoryStore::default()),
            notifier: Arc::new(MemoryNotifier::default()),
            origin: self.origin.clone(),
            direct: None,
        };
        // Nothing is ever compiled: there is no source.
        let child = ChildLimits { cpu_seconds: 1, memory_bytes: 1 };
        let settings = WorkerSettings {
            concurrency,
            visibility: Duration::from_secs(8),
            run_limit: Duration::from_secs(15),
            source_limits: SourceLimits { files: 10, bytes: 1 << 20, requests: 100 },
            credentials: worker::origin::OriginCredentials::default(),
            compiler: Compiler::new("none".into(), Limits { child, output_bytes: 1 }),
        };
        let metrics = WorkerMetrics::register(&mut Registry::default());
        tokio::spawn(Arc::new(Worker::new(ports, settings, metrics)).work(self.shutdown.clone()))
    }

    async fn visit(&self, number: u32) {
        self.queue.send(&job(&format!("/visit{number}.css")), "shop").await.unwrap();
    }

    async fn refresh(&self, number: u32) {
        self.refresh_queue.send(&job(&format!("/refresh{number}.css")), "shop").await.unwrap();
    }

    /// When the jobs of these names began, in the order in which they did.
    fn begun(&self, name: &str) -> Vec<Instant> {
        let all = self.origin.begun.lock().unwrap();
        all.iter().filter(|(_, path)| path.starts_with(name)).map(|(at, _)| *at).collect()
    }

    async fn left(&self) -> (Depth, Depth) {
        (self.queue.depth().await.unwrap(), self.refresh_queue.depth().await.unwrap())
    }
}

fn job(path: &str) -> String {
    let origin = "http://origin.example/".parse().unwrap();
    Job::new("shop-g1".parse().unwrap(), path.parse().unwrap(), origin, Timestamp::now()).to_message()
}

#[tokio::test(start_paused = true)]
async fn waiting_refreshes_delay_no_visit_and_neither_do_running_ones_as_long_as_a_place_is_left() {
    let bench = Bench::new();
    for number in 0..50 {
        bench.refresh(number).await;
    }
    bench.start(4);
    sleep(Duration::from_secs(1)).await;
    // All through several refreshes, at every moment of theirs.
    for number in 0..100 {
        sleep(Duration::from_millis(333)).await;
        let sent = Instant::now();
        bench.visit(number).await;
        sleep(2 * SHORT).await;
        let begun = *bench.begun("/visit").last().unwrap();
        assert!(begun >= sent && begun - sent <= SOON, "visit {number} waited for {:?}", begun - sent);
    }
    assert_eq!(bench.begun("/visit").len(), 100);
    assert!(bench.begun("/refresh").len() >= 6, "refreshes starve beside a few visits");
    assert_eq!(bench.origin.refreshes.lock().unwrap().1, 2, "refreshes take half of the places");
}

#[tokio::test(start_paused = true)]
async fn no_refresh_is_begun_before_the_last_visit_that_waits() {
    let bench = Bench::new();
    for number in 0..30 {
        bench.refresh(number).await;
        bench.visit(number).await;
    }
    let working = bench.start(4);
    sleep(20 * LONG).await;
    let (visits, refreshes) = (bench.begun("/visit"), bench.begun("/refresh"));
    assert_eq!((visits.len(), refreshes.len()), (30, 30));
    assert!(visits.iter().max() < refreshes.iter().min());
    let last = visits.iter().max().unwrap();
    assert!(*last - visits[0] <= 8 * SHORT, "the visits had not all places for themselves");
    bench.shutdown.cancel();
    working.await.unwrap();
    assert_eq!(bench.left().await, (Depth::default(), Depth::default()));
}

#[tokio::test(start_paused = true)]
async fn burst_of_visits_gets_the_places_that_refreshes_leave_free() {
    let bench = Bench::new();
    bench.start(4);
    // Nothing has come for long, so half of the places are kept for refreshes that are not there.
    let started = Instant::now();
    sleep_until(started + Duration::from_secs(70)).await;
    for number in 0..4 {
        bench.visit(number).await;
    }
    sleep(SHORT).await;
    let begun = bench.begun("/visit");
    assert_eq!(begun.len(), 4);
    assert!(begun.iter().all(|at| *at - begun[0] <= SOON), "{begun:?}");
}

#[tokio::test(start_paused = true)]
async fn worker_of_one_place_does_both_and_visits_first() {
    let bench = Bench::new();
    for number in 0..3 {
        bench.refresh(number).await;
        bench.visit(number).await;
    }
    bench.start(1);
    sleep(5 * LONG).await;
    let (visits, refreshes) = (bench.begun("/visit"), bench.begun("/refresh"));
    assert_eq!((visits.len(), refreshes.len()), (3, 3));
    assert!(visits.iter().max() < refreshes.iter().min());
    assert_eq!(bench.left().await, (Depth::default(), Depth::default()));
}

#[tokio::test(start_paused = true)]
async fn idle_worker_finds_a_refresh_within_seconds() {
    let bench = Bench::new();
    bench.start(2);
    sleep(Duration::from_mins(10)).await;
    let sent = Instant::now();
    bench.refresh(0).await;
    sleep(Duration::from_secs(9)).await;
    let begun = bench.begun("/refresh");
    assert!(begun[0] - sent <= Duration::from_secs(8), "{:?}", begun[0] - sent);
}
