//! A whole worker on embedded ports: real children, real files, real limits.

use std::{fs, sync::Arc, time::Duration};

use jiff::Timestamp;
use pipeline::{
    conformance::noted::{Journal, Noted},
    embedded::{MemoryNotifier, MemoryQueue, MemoryStore},
    job::{Job, Task},
    key::Encoding,
    manifest::{Manifest, Outcome},
    notice::Notice,
    ports::{Depth, Queue},
    record::{read_body, read_manifest},
};
use prometheus_client::registry::Registry;
use tokio::{sync::broadcast::Receiver, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use url::Url;
use worker::{
    ChildLimits, Compiler, Limits, SourceLimits, Worker, WorkerPorts, WorkerSettings,
    metrics::WorkerMetrics,
    origin::{FileOrigin, OriginCredentials},
};

const LIMITS: Limits =
    Limits { child: ChildLimits { cpu_seconds: 1, memory_bytes: 512 << 20 }, output_bytes: 1 << 20 };
const SOURCE_LIMITS: SourceLimits = SourceLimits { files: 100, bytes: 1 << 20, requests: 2_000 };

/// A worker at work on a folder of Sass.
pub(crate) struct Bench {
    pub(crate) site: tempfile::TempDir,
    pub(crate) queue: Arc<MemoryQueue>,
    pub(crate) store: Arc<MemoryStore>,
    /// The worker's calls of its ports.
    pub(crate) journal: Arc<Journal>,
    pub(crate) notices: Receiver<Notice>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) working: JoinHandle<()>,
    pub(crate) registry: Registry,
}

impl Bench {
    pub(crate) fn start(files: &[(&str, &str)]) -> Self {
        Self::start_at(files, |queue| queue)
    }

    /// With something between the worker and the queue.
    pub(crate) fn start_at(
        files: &[(&str, &str)],
        between: impl FnOnce(Arc<MemoryQueue>) -> Arc<dyn Queue>,
    ) -> Self {
        let site = tempfile::tempdir().unwrap();
        for (path, text) in files {
            write(site.path(), path, text);
        }
        let journal = Journal::new(Duration::ZERO);
        let queue = Arc::new(MemoryQueue::new(100));
        let store = Arc::new(MemoryStore::default());
        let notifier = Arc::new(MemoryNotifier::default());
        let notices = notifier.subscribe();
        let origin = FileOrigin { root: site.path().to_owned(), load_roots: Vec::new() };
        let ports = WorkerPorts {
            queue: Arc::new(Noted::new(between(queue.clone()), &journal, "")),
            refresh_queue: Arc::new(MemoryQueue::new(100)),
            store: Arc::new(Noted::new(store.clone(), &journal, "")),
            notifier: Arc::new(Noted::new(notifier, &journal, "")),
            origin: Arc::new(Noted::new(Arc::new(origin), &journal, "")),
            direct: None,
        };
        let settings = WorkerSettings {
            concurrency: 2,
            visibility: Duration::from_secs(3),
            run_limit: Duration::from_secs(20),
            source_limits: SOURCE_LIMITS,
            credentials: OriginCredentials::default(),
            compiler: Compiler::new(env!("CARGO_BIN_EXE_worker").into(), LIMITS),
        };
        let mut registry = Registry::default();
        let metrics = WorkerMetrics::register(&mut registry);
        let shutdown = CancellationToken::new();
        let worker = Arc::new(Worker::new(ports, settings, metrics));
        let working = tokio::spawn(worker.work(shutdown.clone()));
        Self { site, queue, store, journal, notices, shutdown, working, registry }
    }

    pub(crate) fn job(&self, path: &str) -> Job {
        Job {
            load_paths: vec!["/vendor".to_owned()],
            not_before: Timestamp::now(),
            ..Job::new(
                "shop-g1".parse().unwrap(),
                path.parse().unwrap(),
                Url::from_directory_path(self.site.path()).unwrap(),
                Timestamp::now(),
            )
        }
    }

    /// A job that knows of a manifest.
    pub(crate) fn refresh(&self, path: &str) -> Job {
        Job { task: Task::Revalidate, ..self.job(path) }
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        write(self.site.path(), path, text);
    }

    pub(crate) async fn send(&self, job: &Job) {
        self.queue.send(&job.to_message(), "shop").await.unwrap();
    }

    pub(crate) async fn run(&mut self, job: &Job) -> Manifest {
        self.send(job).await;
        let notice = timeout(Duration::from_secs(20), self.notices.recv()).await.expect("no notice").unwrap();
        assert_eq!((&notice.key, &notice.job), (&job.key(), &job.id));
        let stored =
            read_manifest(&*self.store, &job.key()).await.unwrap().expect("a notice without a manifest");
        assert_eq!(stored.etag, notice.etag);
        stored.manifest
    }

    pub(crate) async fn css(&self, path: &str, manifest: &Manifest) -> String {
        let good = manifest.good().unwrap();
        let body = read_body(&*self.store, &self.job(path).key(), &good.digest, Encoding::Identity).await;
        String::from_utf8(body.unwrap().to_vec()).unwrap()
    }

    pub(crate) async fn compile_error(&mut self, path: &str) -> String {
        let job = self.job(path);
        match self.run(&job).await.outcome {
            Outcome::CompileError { message } => message,
            other => panic!("{path} ended with {other:?}"),
        }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        timeout(Duration::from_secs(5), self.working).await.expect("the worker did not stop").unwrap();
        assert_eq!(self.queue.depth().await.unwrap(), Depth::default(), "messages are left over");
    }
}

fn write(root: &std::path::Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}
