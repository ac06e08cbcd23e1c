//! A whole worker in this process, on embedded ports, and the CPU that its jobs take.
//!
//! A job takes its tenant's child, or one that waits, and has another one started then. The CPU of all children
//! counts, that of their starts included.

use std::{env, process, sync::Arc, time::Duration};

use anyhow::{Context, anyhow, ensure};
use bench_report::{children_of, is_asleep, thread_seconds};
use bytes::Bytes;
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use pipeline::{
    embedded::{MemoryNotifier, MemoryQueue},
    job::{JOB_VERSION, Job, Task},
    key::Encoding,
    manifest::{Manifest, Outcome},
    names::{JobId, TenantId},
    notice::Notice,
    options::CompileOptions,
    ports::{ETag, Queue},
    record::{read_body, read_manifest},
};
use prometheus_client::registry::Registry;
use tokio::{
    sync::broadcast::Receiver,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use url::Url;
use worker::{
    Compiler, Worker, WorkerPorts, WorkerSettings,
    metrics::WorkerMetrics,
    origin::{Guard, HttpOrigin},
    settings::{COMPILE_LIMITS, FETCH_TIMEOUT, RUN_LIMIT, SOURCE_LIMITS},
};

use super::{bodies::WriteOnlyBodies, used::Used};

/// As the worker's own default has it, with one child more that waits.
const CONCURRENCY: u16 = 2;
const CHILDREN: usize = CONCURRENCY as usize + 1;
const VISIBILITY: Duration = Duration::from_secs(8);
/// After a job: its child is gone or at rest, and another one is on its way where one was taken.
const REST: Duration = Duration::from_millis(20);
const SETTLES_WITHIN: Duration = Duration::from_secs(10);
const NOTICE_WITHIN: Duration = Duration::from_secs(30);

/// A worker at work.
pub(crate) struct Ours {
    queue: Arc<MemoryQueue>,
    store: Arc<WriteOnlyBodies>,
    notifier: Arc<MemoryNotifier>,
    client: Client,
    /// Of the latest job.
    manifest_etag: Option<ETag>,
    /// This process's children that are not the worker's.
    others: Vec<u32>,
    shutdown: CancellationToken,
    working: JoinHandle<()>,
}

/// Sends jobs, and waits for each.
pub(crate) struct Client {
    queue: Arc<MemoryQueue>,
    notices: Receiver<Notice>,
}

/// A style sheet, as jobs name it.
pub(crate) struct Sheet {
    pub(crate) tenant_id: TenantId,
    pub(crate) path: String,
    pub(crate) load_paths: Vec<String>,
}

impl Ours {
    pub(crate) async fn start(others: Vec<u32>) -> anyhow::Result<Self> {
        let mut compiler = Compiler::new(env::current_exe()?, COMPILE_LIMITS);
        compiler.keep_warm_for(CONCURRENCY).await.context("cannot run a confined child")?;
        let guard = Guard { private_networks: vec!["127.0.0.1/32".parse::<IpNet>()?] };
        let (queue, store) = (Arc::new(MemoryQueue::new(100)), Arc::<WriteOnlyBodies>::default());
        let notifier = Arc::new(MemoryNotifier::default());
        let client = Client { queue: queue.clone(), notices: notifier.subscribe() };
        let ports = WorkerPorts {
            queue: queue.clone(),
            refresh_queue: Arc::new(MemoryQueue::new(100)),
            store: store.clone(),
            notifier: notifier.clone(),
            origin: Arc::new(HttpOrigin::new(guard, FETCH_TIMEOUT)?),
            direct: None,
        };
        let settings = WorkerSettings {
            concurrency: CONCURRENCY,
            visibility: VISIBILITY,
            run_limit: RUN_LIMIT,
            source_limits: SOURCE_LIMITS,
            credentials: worker::origin::OriginCredentials::default(),
            compiler,
        };
        let worker = Worker::new(ports, settings, WorkerMetrics::register(&mut Registry::default()));
        let shutdown = CancellationToken::new();
        let working = tokio::spawn(Arc::new(worker).work(shutdown.clone()));
        Ok(Self { queue, store, notifier, client, manifest_etag: None, others, shutdown, working })
    }

    /// Another one who sends jobs to it.
    pub(crate) fn client(&self) -> Client {
        Client { queue: self.queue.clone(), notices: self.notifier.subscribe() }
    }

    /// What one job of several in a row takes. Nothing else runs before and after.
    pub(crate) async fn used_for_one(&mut self, jobs: &[Job]) -> anyhow::Result<Used> {
        let used = self.used_for_any(jobs).await?;
        let last = jobs.last().context("no jobs")?;
        let manifest = self.manifest(last).await?;
        ensure!(
            matches!(manifest.outcome, Outcome::Compiled { .. }),
            "{} ended with {:?}",
            last.path,
            manifest.outcome
        );
        ensure!(manifest.job == last.id, "{} left an older manifest", last.path);
        Ok(used)
    }

    /// The same, however they end.
    pub(crate) async fn used_for_any(&mut self, jobs: &[Job]) -> anyhow::Result<Used> {
        let before = self.settled().await?;
        for job in jobs {
            self.run(job).await?;
        }
        Ok(self.settled().await?.since(before) / u32::try_from(jobs.len())?)
    }

    async fn run(&mut self, job: &Job) -> anyhow::Result<()> {
        let notice = self.client.run(job).await?;
        let earlier = self.manifest_etag.replace(notice.etag.clone());
        ensure!(earlier != Some(notice.etag), "{} wrote no manifest", job.path);
        Ok(())
    }

    /// When no child does anything, and as many as should wait for any tenant's job: the CPU used until then.
    pub(crate) async fn settled(&self) -> anyhow::Result<Used> {
        let settle = async {
            loop {
                sleep(REST).await;
                // Before looking, which costs CPU, too.
                let children = self.children();
                let used = Used::now(children.iter().copied())?;
                let is_settled = children.len() >= CHILDREN && children.iter().copied().all(is_asleep);
                // None has ended between the two.
                if is_settled && children == self.children() {
                    return Ok(used);
                }
            }
        };
        timeout(SETTLES_WITHIN, settle).await.context("children are left over, or missing")?
    }

    fn children(&self) -> Vec<u32> {
        let mut children = children_of(process::id());
        children.retain(|child| !self.others.contains(child));
        children
    }

    /// Seconds of CPU that children have used which were given nothing yet: before the first job.
    pub(crate) async fn start_seconds(&self) -> anyhow::Result<Vec<f64>> {
        self.settled().await?;
        Ok(self.children().into_iter().map(thread_seconds).collect())
    }

    pub(crate) async fn manifest(&self, job: &Job) -> anyhow::Result<Manifest> {
        let standing = read_manifest(&self.store.0, &job.key()).await?;
        Ok(standing.with_context(|| format!("{} has no manifest", job.path))?.manifest)
    }

    /// The style sheet that the job has made.
    pub(crate) async fn css(&self, job: &Job) -> anyhow::Result<Bytes> {
        let good = self.manifest(job).await?.good().with_context(|| format!("{} failed", job.path))?;
        Ok(read_body(&self.store.0, &job.key(), &good.digest, Encoding::Identity).await?)
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        Ok(self.working.await?)
    }
}

impl Client {
    /// The notice of its end.
    pub(crate) async fn run(&mut self, job: &Job) -> anyhow::Result<Notice> {
        // Later than what an earlier job has read, which would make this one needless.
        let job = Job { not_before: Timestamp::now(), ..job.clone() };
        let sent = self.queue.send(&job.to_message(), job.tenant_id.as_str()).await;
        sent.map_err(|error| anyhow!(error))?;
        let end = async {
            loop {
                let notice = self.notices.recv().await?;
                if notice.job == job.id {
                    return Ok(notice);
                }
            }
        };
        timeout(NOTICE_WITHIN, end).await.context("a job does not end")?
    }
}

impl Sheet {
    pub(crate) fn job(&self, origin: Url, task: Task) -> anyhow::Result<Job> {
        let options = CompileOptions::default();
        Ok(Job {
            version: JOB_VERSION,
            id: JobId::random(),
            tenant_id: self.tenant_id.clone(),
            path: self.path.parse().map_err(|error| anyhow!("{}: {error}", self.path))?,
            origin,
            load_paths: self.load_paths.clone(),
            rebase_to: None,
            fingerprint: options.fingerprint(),
            options,
            task,
            not_before: Timestamp::now(),
            purged: None,
            expires: Timestamp::now() + SignedDuration::from_mins(10),
            reply_to: None,
            traceparent: None,
        })
    }
}
