//! A whole worker at SQS over the wire, against an emulator: what it calls, and that it loses nothing when it
//! stops. Its jobs are short since the origin has nothing.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result};
use async_trait::async_trait;
use jiff::Timestamp;
use pipeline::{
    Error,
    aws::{SqsQueue, sqs_client},
    embedded::{MemoryNotifier, MemoryQueue, MemoryStore},
    job::Job,
    ports::{Delivery, Depth, Fetched, NotDone, Origin, OriginError, Queue, Receipt, Store, Validators},
};
use prometheus_client::registry::Registry;
use tests::moto::Moto;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;
use worker::{
    ChildLimits, Compiler, Limits, SourceLimits, Worker, WorkerPorts, WorkerSettings, metrics::WorkerMetrics,
};

const JOBS: usize = 400;
const VISIBILITY: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_mins(1);

struct AbsentOrigin;

#[async_trait]
impl Origin for AbsentOrigin {
    async fn fetch(&self, _: &Url, _: Option<&Validators>) -> Result<Fetched, OriginError> {
        sleep(Duration::from_millis(5)).await;
        Ok(Fetched::Absent)
    }
}

/// Counts the calls that a worker makes.
struct Counted {
    inner: SqsQueue,
    calls: Mutex<Vec<String>>,
}

impl Counted {
    fn count(&self, call: &str, messages: usize) {
        self.calls.lock().unwrap().push(format!("{call} {messages}"));
    }
}

#[async_trait]
impl Queue for Counted {
    async fn send(&self, body: &str, group: &str) -> Result<(), Error> {
        self.inner.send(body, group).await
    }

    async fn receive(&self, max: u32, wait: Duration, visibility: Duration) -> Result<Vec<Delivery>, Error> {
        let received = self.inner.receive(max, wait, visibility).await?;
        self.count(&format!("receive {max}"), received.len());
        Ok(received)
    }

    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Result<(), Vec<NotDone>> {
        self.count("change visibility", changes.len());
        self.inner.change_visibility(changes).await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<(), Vec<NotDone>> {
        self.count("delete", receipts.len());
        self.inner.delete(receipts).await
    }

    async fn depth(&self) -> Result<Depth, Error> {
        self.inner.depth().await
    }
}

async fn create_queue(moto: &Moto) -> Result<SqsQueue> {
    let client = sqs_client(&moto.sdk_config().await);
    let url = client.create_queue().queue_name("jobs").send().await?.queue_url.context("no URL")?;
    Ok(SqsQueue::new(client, url))
}

fn start(
    queue: Arc<dyn Queue>,
    store: Arc<MemoryStore>,
    shutdown: CancellationToken,
) -> impl Future<Output = ()> {
    let ports = WorkerPorts {
        queue,
        refresh_queue: Arc::new(MemoryQueue::new(100)),
        store,
        notifier: Arc::new(MemoryNotifier::default()),
        origin: Arc::new(AbsentOrigin),
        direct: None,
    };
    // Nothing is ever compiled: there is no source.
    let child = ChildLimits { cpu_seconds: 1, memory_bytes: 1 };
    let settings = WorkerSettings {
        concurrency: 2,
        visibility: VISIBILITY,
        run_limit: Duration::from_secs(15),
        source_limits: SourceLimits { files: 10, bytes: 1 << 20, requests: 100 },
        credentials: worker::origin::OriginCredentials::default(),
        compiler: Compiler::new("none".into(), Limits { child, output_bytes: 1 }),
    };
    let metrics = WorkerMetrics::register(&mut Registry::default());
    Arc::new(Worker::new(ports, settings, metrics)).work(shutdown)
}

fn job(number: usize) -> Job {
    Job::new(
        "shop-g1".parse().unwrap(),
        format!("/{number}.css").parse().unwrap(),
        "http://origin.example/".parse().unwrap(),
        Timestamp::now(),
    )
}

async fn send(queue: &SqsQueue, job: &Job) -> Result<()> {
    Ok(queue.send(&job.to_message(), job.tenant_id.as_str()).await?)
}

async fn until_stored(store: &MemoryStore, count: usize) -> Result<()> {
    let stored = async {
        while store.list("a/").await.unwrap().len() < count {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, stored).await.context("jobs are left over")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_job_of_a_standing_backlog_costs_a_quarter_of_a_call_at_most() -> Result<()> {
    let moto = Moto::start()?;
    let queue = create_queue(&moto).await?;
    for number in 0..JOBS {
        send(&queue, &job(number)).await?;
    }
    let counted = Arc::new(Counted { inner: queue.clone(), calls: Mutex::default() });
    let (store, shutdown) = (Arc::new(MemoryStore::default()), CancellationToken::new());
    let working = tokio::spawn(start(counted.clone(), store.clone(), shutdown.clone()));
    until_stored(&store, JOBS).await?;
    let calls = counted.calls.lock().unwrap().clone();
    assert!(calls.len() * 4 <= JOBS, "{} calls for {JOBS} jobs: {calls:?}", calls.len());
    println!("{} calls for {JOBS} jobs", calls.len());
    shutdown.cancel();
    working.await?;
    queue.settled().await;
    assert_eq!(queue.depth().await?, Depth::default());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_that_comes_while_a_worker_stops_is_left_to_the_next_one() -> Result<()> {
    let moto = Moto::start()?;
    let queue = create_queue(&moto).await?;
    let (store, shutdown) = (Arc::new(MemoryStore::default()), CancellationToken::new());
    let stopping = tokio::spawn(start(Arc::new(queue.clone()), store.clone(), shutdown.clone()));
    sleep(Duration::from_secs(1)).await;
    shutdown.cancel();
    stopping.await?;
    // The emulator still answers the stopped worker's long poll.
    for number in 0..5 {
        send(&queue, &job(number)).await?;
    }
    let other = SqsQueue::clone(&queue);
    let working = tokio::spawn(start(Arc::new(other), store.clone(), CancellationToken::new()));
    timeout(VISIBILITY / 2, until_stored(&store, 5))
        .await
        .context("a message went to the stopped worker")??;
    working.abort();
    Ok(())
}
