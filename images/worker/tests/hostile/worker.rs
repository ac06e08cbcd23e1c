//! Every hostile input as a job of one worker, which is none the worse for it.

use std::{collections::BTreeMap, fs, sync::Arc, time::Duration};

use jiff::Timestamp;
use pipeline::{
    embedded::{MemoryNotifier, MemoryQueue, MemoryStore},
    job::Job,
    manifest::Outcome,
    ports::{Depth, Queue},
    record::read_manifest,
};
use prometheus_client::registry::Registry;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use url::Url;
use worker::{
    ChildLimits, Compiler, Limits, SourceLimits, Worker, WorkerPorts, WorkerSettings,
    metrics::WorkerMetrics,
    origin::{FileOrigin, OriginCredentials},
};

use crate::{inputs::all, parent::OUTPUT_BYTES};

const LIMITS: Limits =
    Limits { child: ChildLimits { cpu_seconds: 1, memory_bytes: 256 << 20 }, output_bytes: OUTPUT_BYTES };
const SOURCE_LIMITS: SourceLimits = SourceLimits { files: 200, bytes: 4 << 20, requests: 2_000 };
const CONCURRENCY: u16 = 2;
/// For the next job's end.
const PATIENCE: Duration = Duration::from_secs(30);
const GOOD: &str = "/good.css";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_every_family_end_in_an_outcome_and_the_worker_goes_on() {
    run_every(4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: every input uses up its limits once more"]
async fn every_job_ends_in_an_outcome_and_the_worker_goes_on() {
    run_every(1).await;
}

/// One of so many inputs.
async fn run_every(step: usize) {
    let site = tempfile::tempdir().unwrap();
    let mut paths = BTreeMap::new();
    for (number, input) in all().into_iter().enumerate().skip(step / 2).step_by(step) {
        let folder = site.path().join(number.to_string());
        fs::create_dir(&folder).unwrap();
        for (path, text) in input.files {
            fs::write(folder.join(path), text).unwrap();
        }
        paths.insert(format!("/{number}/main.css"), input.name);
    }
    fs::write(site.path().join("good.scss"), "a { b: c }").unwrap();

    let origin = Url::from_directory_path(site.path()).unwrap();
    let queue = Arc::new(MemoryQueue::new(100));
    let store = Arc::new(MemoryStore::default());
    let notifier = Arc::new(MemoryNotifier::default());
    let mut notices = notifier.subscribe();
    let mut compiler = Compiler::new(env!("CARGO_BIN_EXE_worker").into(), LIMITS);
    compiler.keep_warm_for(CONCURRENCY).await.unwrap();
    let ports = WorkerPorts {
        queue: queue.clone(),
        refresh_queue: Arc::new(MemoryQueue::new(100)),
        store: store.clone(),
        notifier,
        origin: Arc::new(FileOrigin { root: site.path().to_owned(), load_roots: Vec::new() }),
        direct: None,
    };
    let settings = WorkerSettings {
        concurrency: CONCURRENCY,
        visibility: Duration::from_secs(8),
        run_limit: Duration::from_secs(20),
        source_limits: SOURCE_LIMITS,
        credentials: OriginCredentials::default(),
        compiler,
    };
    let shutdown = CancellationToken::new();
    let worker = Worker::new(ports, settings, WorkerMetrics::register(&mut Registry::default()));
    let working = tokio::spawn(Arc::new(worker).work(shutdown.clone()));

    for (path, name) in &paths {
        for path in [path, GOOD] {
            let job = build_job(path, &origin);
            queue.send(&job.to_message(), "shop").await.unwrap();
            let notice = timeout(PATIENCE, notices.recv()).await;
            let notice = notice.unwrap_or_else(|_| panic!("{name} did not end")).unwrap();
            assert_eq!(notice.key, job.key());
            let outcome = read_manifest(&*store, &job.key()).await.unwrap().unwrap().manifest.outcome;
            check(name, path, &outcome);
        }
    }
    shutdown.cancel();
    timeout(PATIENCE, working).await.expect("the worker did not stop").unwrap();
    assert_eq!(queue.depth().await.unwrap(), Depth::default());
}

fn check(name: &str, path: &str, outcome: &Outcome) {
    match outcome {
        Outcome::Compiled { .. } => {}
        Outcome::CompileError { message } => {
            assert!(path != GOOD && !message.is_empty(), "{name}, {path}: {message}");
            assert!(!message.contains("no style sheet may do"), "{name}: a forbidden call");
        }
        Outcome::SourceNotFound { .. } | Outcome::OriginFailed { .. } | Outcome::Abandoned { .. } => {
            panic!("{name}: {outcome:?}")
        }
    }
}

fn build_job(path: &str, origin: &Url) -> Job {
    Job {
        not_before: Timestamp::now(),
        ..Job::new("shop-g1".parse().unwrap(), path.parse().unwrap(), origin.clone(), Timestamp::now())
    }
}
