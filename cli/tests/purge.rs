//! A worker that read its sources before a purge and stores them after it, beside another worker and the web
//! tier: the real programs' code on embedded ports, in real time.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use jiff::Timestamp;
use pipeline::{
    Error,
    embedded::{MemoryNotifier, MemoryQueue, MemoryStore},
    names::HostName,
    options::CompileOptions,
    ports::{Fetched, Origin, OriginError, SourceFile, Tenants, Validators},
    purge::{Purge, PurgeScope},
    rate::RateLimits,
    settings::OnOff,
    tenant::Tenant,
};
use prometheus_client::registry::Registry;
use tokio::{sync::Notify, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use url::Url;
use web::{
    Backoff, ErrorDisplay, Fleet, HoldSettings, Policy, Web, WebPorts, WebSettings, metrics::WebMetrics,
    public_router,
};
use worker::{
    ChildLimits, Compiler, Limits, SourceLimits, Worker, WorkerPorts, WorkerSettings, metrics::WorkerMetrics,
};

const PATIENCE: Duration = Duration::from_secs(20);
const OLD: &str = "a { b: old }";
const NEW: &str = "a { b: new }";

/// A registry of one tenant, whose purges are learnt at once.
struct OneTenant(Mutex<Tenant>);

#[async_trait]
impl Tenants for OneTenant {
    async fn lookup(&self, _host: &HostName) -> Result<Option<Arc<Tenant>>, Error> {
        Ok(Some(Arc::new(self.0.lock().unwrap().clone())))
    }
}

/// Where a worker stalls after it has read.
#[derive(Default)]
struct Gate {
    reached: Notify,
    open: Notify,
}

/// One file, `/app.scss`, as one worker sees it.
struct Site {
    text: Arc<Mutex<&'static str>>,
    gate: Option<Arc<Gate>>,
}

#[async_trait]
impl Origin for Site {
    async fn fetch(&self, url: &Url, _known: Option<&Validators>) -> Result<Fetched, OriginError> {
        if url.path() != "/app.scss" {
            return Ok(Fetched::Absent);
        }
        let body = (*self.text.lock().unwrap()).into();
        if let Some(gate) = &self.gate {
            gate.reached.notify_one();
            gate.open.notified().await;
        }
        Ok(Fetched::Found(SourceFile { body, etag: None, last_modified: None }))
    }
}

/// A pipeline in this process. Its workers are started by the test.
struct Pipeline {
    public: Router,
    web: Arc<Web>,
    queue: Arc<MemoryQueue>,
    store: Arc<MemoryStore>,
    tenants: Arc<OneTenant>,
    text: Arc<Mutex<&'static str>>,
}

impl Pipeline {
    fn new() -> Self {
        let tenant = Tenant::new(
            "shop.example".parse().unwrap(),
            "shop-g1".parse().unwrap(),
            "http://origin.example/".parse().unwrap(),
        );
        let tenants = Arc::new(OneTenant(Mutex::new(tenant)));
        let (queue, store) = (Arc::new(MemoryQueue::new(100)), Arc::new(MemoryStore::default()));
        let ports = WebPorts {
            store: store.clone(),
            queue: queue.clone(),
            refresh_queue: Arc::new(MemoryQueue::new(100)),
            tenants: tenants.clone(),
            direct: None,
            fleet: Arc::new(Fleet::alone()),
        };
        let policy = Policy {
            errors: ErrorDisplay::Status,
            max_age: Duration::from_mins(5),
            max_stale: Duration::from_hours(24),
            backoff: Backoff::PRODUCTION,
            purged: None,
        };
        let hold = HoldSettings {
            hold: PATIENCE,
            max_held: 100,
            max_held_of_tenant: 100,
            max_waits: 100,
            recheck: OnOff::On,
            reply_to: None,
            options: CompileOptions::default(),
        };
        let metrics = WebMetrics::register(&mut Registry::default());
        let web = Arc::new(Web::new(
            ports,
            WebSettings { policy, hold, limits: RateLimits::default(), topic: None },
            metrics,
        ));
        let text = Arc::new(Mutex::new(OLD));
        Self { public: public_router(web.clone()), web, queue, store, tenants, text }
    }

    fn start_worker(&self, gate: Option<Arc<Gate>>, stop: &CancellationToken) {
        let notifier = Arc::new(MemoryNotifier::default());
        let (web, mut notices) = (self.web.clone(), notifier.subscribe());
        tokio::spawn(async move {
            while let Ok(notice) = notices.recv().await {
                web.hear(&notice);
            }
        });
        let ports = WorkerPorts {
            queue: self.queue.clone(),
            refresh_queue: Arc::new(MemoryQueue::new(100)),
            store: self.store.clone(),
            notifier,
            origin: Arc::new(Site { text: self.text.clone(), gate }),
            direct: None,
        };
        let child = ChildLimits { cpu_seconds: 5, memory_bytes: 512 << 20 };
        let settings = WorkerSettings {
            concurrency: 1,
            visibility: PATIENCE,
            run_limit: PATIENCE,
            source_limits: SourceLimits { files: 10, bytes: 1 << 20, requests: 100 },
            credentials: worker::origin::OriginCredentials::default(),
            compiler: Compiler::new(
                env!("CARGO_BIN_EXE_kubectl-assets").into(),
                Limits { child, output_bytes: 1 << 20 },
            ),
        };
        let metrics = WorkerMetrics::register(&mut Registry::default());
        tokio::spawn(Arc::new(Worker::new(ports, settings, metrics)).work(stop.clone()));
    }

    fn purge(&self) {
        let purge = Purge { scope: PurgeScope::Path("/app.css".parse().unwrap()), at: Timestamp::now() };
        self.tenants.0.lock().unwrap().purges.add(purge);
    }

    fn visitor(&self) -> JoinHandle<String> {
        let public = self.public.clone();
        tokio::spawn(async move {
            let request = Request::get("/app.css").header("host", "shop.example").body(Body::empty());
            let answer = timeout(2 * PATIENCE, public.oneshot(request.unwrap())).await.unwrap().unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            String::from_utf8(to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
        })
    }
}

/// When the stalled worker goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resumes {
    BeforeTheOtherStores,
    AfterTheOtherHasStored,
}

async fn stalled_worker_brings_nothing_old(resumes: Resumes) {
    let pipeline = Pipeline::new();
    let (stop_first, stop_second) = (CancellationToken::new(), CancellationToken::new());
    let gate = Arc::new(Gate::default());
    pipeline.start_worker(Some(gate.clone()), &stop_first);
    let early = pipeline.visitor();
    timeout(PATIENCE, gate.reached.notified()).await.expect("the first worker read nothing");
    // It finishes what it has, and takes no other job.
    stop_first.cancel();

    *pipeline.text.lock().unwrap() = NEW;
    pipeline.purge();
    let late = pipeline.visitor();
    if resumes == Resumes::BeforeTheOtherStores {
        gate.open.notify_one();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    pipeline.start_worker(None, &stop_second);
    let new = "a {\n  b: new;\n}\n";
    assert_eq!(late.await.unwrap(), new, "{resumes:?}");
    assert_eq!(pipeline.visitor().await.unwrap(), new, "{resumes:?}");
    gate.open.notify_one();
    assert_eq!(early.await.unwrap(), new, "{resumes:?}");
    for _ in 0..20 {
        assert_eq!(pipeline.visitor().await.unwrap(), new, "{resumes:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop_second.cancel();
}

#[tokio::test]
async fn stalled_old_worker_brings_no_old_byte_back_after_a_purge() {
    let both = [Resumes::BeforeTheOtherStores, Resumes::AfterTheOtherHasStored];
    let [first, second] = both.map(stalled_worker_brings_nothing_old);
    tokio::join!(first, second);
}
