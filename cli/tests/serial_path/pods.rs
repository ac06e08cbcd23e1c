//! Two web pods and a worker, whose calls are noted.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, Response, StatusCode},
};
use bytes::Bytes;
use jiff::Timestamp;
use pipeline::{
    Error,
    conformance::noted::{Call, Journal, Noted},
    direct::{Direct, SignedNotice},
    embedded::{MemoryNotifier, MemoryQueue, MemoryStore},
    names::HostName,
    options::CompileOptions,
    ports::{Fetched, Origin, OriginError, SourceFile, Tenants, Validators},
    rate::RateLimits,
    settings::OnOff,
    signature::{SIGNATURE_HEADER, SigningKeys},
    tenant::Tenant,
};
use prometheus_client::registry::Registry;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt;
use url::Url;
use web::{
    Backoff, ErrorDisplay, Fleet, HoldSettings, Member, Policy, Transport, Web, WebPorts, WebSettings,
    internal_router, metrics::WebMetrics, public_router,
};
use worker::{
    ChildLimits, Compiler, Limits, SourceLimits, Worker, WorkerPorts, WorkerSettings, metrics::WorkerMetrics,
};

use super::still::{After, Before, Still};

/// What every call of a port takes.
const CALL: Duration = Duration::from_millis(5);
const HOLD: Duration = Duration::from_secs(25);

/// Which web pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pod {
    First,
    Second,
}

impl Pod {
    fn member(self) -> Member {
        let last = match self {
            Self::First => 1,
            Self::Second => 2,
        };
        Member((IpAddr::from([10, 0, 0, last]), 8081).into())
    }
}

/// The way from pod to pod, and from the worker to a pod, in memory.
struct Lanes {
    journal: Arc<Journal>,
    keys: SigningKeys,
    visited: Pod,
    /// Known as soon as the pods are there.
    internal: OnceLock<[(Member, Router); 2]>,
}

impl Lanes {
    fn name_of(&self, member: Member) -> &'static str {
        if member == self.visited.member() { "web" } else { "owner" }
    }

    async fn ask(&self, member: Member, request: Request<Body>) -> Response<Bytes> {
        let pods = self.internal.get().unwrap();
        let (_, internal) = pods.iter().find(|(pod, _)| *pod == member).unwrap();
        let (parts, body) = internal.clone().oneshot(request).await.unwrap().into_parts();
        Response::from_parts(parts, to_bytes(body, usize::MAX).await.unwrap())
    }
}

#[async_trait]
impl Transport for Lanes {
    async fn call(&self, member: Member, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        self.journal.note("web: forward".to_owned()).await;
        Ok(self.ask(member, request.map(Body::from)).await)
    }
}

#[async_trait]
impl Direct for Lanes {
    async fn post(&self, notice: &SignedNotice, reply_to: &Url) -> Result<(), Error> {
        let pods = [Pod::First, Pod::Second].map(Pod::member);
        let member = *pods.iter().find(|pod| reply_to.authority() == pod.to_string()).unwrap();
        self.journal.note(format!("worker: notify {}", self.name_of(member))).await;
        let body = serde_json::to_vec(notice).unwrap();
        let signature = self.keys.sign(&body, Timestamp::now());
        let request = Request::post(reply_to.path()).header(SIGNATURE_HEADER, signature);
        let answer = self.ask(member, request.body(body.into()).unwrap()).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        Ok(())
    }
}

/// A registry that knows its one tenant, as a pod does that was asked for it a moment ago.
struct OneTenant(Arc<Tenant>);

#[async_trait]
impl Tenants for OneTenant {
    async fn lookup(&self, _host: &HostName) -> Result<Option<Arc<Tenant>>, Error> {
        Ok(Some(self.0.clone()))
    }
}

/// `/app.scss`, and nothing else that it might be made from.
struct Site;

#[async_trait]
impl Origin for Site {
    async fn fetch(&self, url: &Url, _known: Option<&Validators>) -> Result<Fetched, OriginError> {
        if matches!(url.path(), "/app.sass" | "/app.css") {
            return Ok(Fetched::Absent);
        }
        assert_eq!(url.path(), "/app.scss");
        Ok(Fetched::Found(SourceFile { body: "a { b: c }".into(), etag: None, last_modified: None }))
    }
}

/// A pipeline in this process.
pub(crate) struct Pipeline {
    journal: Arc<Journal>,
    public: Router,
    _stop: DropGuard,
}

/// What all parts of a pipeline share.
struct Shared {
    journal: Arc<Journal>,
    store: Arc<MemoryStore>,
    queue: Arc<MemoryQueue>,
    lanes: Arc<Lanes>,
}

impl Pipeline {
    /// A pipeline whose visitors come to this pod.
    pub(crate) fn start(visited: Pod) -> Self {
        let journal = Journal::new(CALL);
        let keys = SigningKeys::from_text("0123456789abcdef").unwrap();
        let internal = OnceLock::new();
        let lanes = Arc::new(Lanes { journal: journal.clone(), keys: keys.clone(), visited, internal });
        let (store, queue) = (Arc::new(MemoryStore::default()), Arc::new(MemoryQueue::new(100)));
        let shared = Shared { journal, store, queue, lanes };
        let pods = [Pod::First, Pod::Second].map(|pod| (pod, shared.start_web(pod)));
        let internal =
            pods.each_ref().map(|(pod, web)| (pod.member(), internal_router(web.clone(), keys.clone())));
        assert!(shared.lanes.internal.set(internal).is_ok());
        let stop = CancellationToken::new();
        shared.start_worker(&stop);
        let [first, second] = pods.map(|(_, web)| public_router(web));
        let public = if visited == Pod::First { first } else { second };
        Self { journal: shared.journal, public, _stop: stop.drop_guard() }
    }

    pub(crate) async fn visit(&self, path: &str) -> String {
        let request = Request::get(path).header("host", "shop.example").body(Body::empty()).unwrap();
        let answer = self.public.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        String::from_utf8(to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.journal.take()
    }
}

impl Shared {
    fn start_web(&self, pod: Pod) -> Arc<Web> {
        let options = CompileOptions::default();
        let Lanes { keys, .. } = &*self.lanes;
        let fleet = Fleet::new(pod.member(), options.fingerprint(), keys.clone(), self.lanes.clone());
        fleet.set_members(&[Pod::First, Pod::Second].map(Pod::member));
        let name = if pod == self.lanes.visited { "web: " } else { "owner: " };
        let ports = WebPorts {
            store: Arc::new(Noted::new(self.store.clone(), &self.journal, name)),
            queue: Arc::new(Noted::new(self.queue.clone(), &self.journal, name)),
            refresh_queue: Arc::new(MemoryQueue::new(100)),
            tenants: Arc::new(OneTenant(Arc::new(build_tenant()))),
            direct: Some(self.lanes.clone()),
            fleet: Arc::new(fleet),
        };
        let policy = Policy {
            errors: ErrorDisplay::Status,
            max_age: Duration::from_mins(5),
            max_stale: Duration::from_hours(24),
            backoff: Backoff::PRODUCTION,
            purged: None,
        };
        let hold = HoldSettings {
            hold: HOLD,
            max_held: 100,
            max_held_of_tenant: 100,
            max_waits: 100,
            recheck: OnOff::On,
            reply_to: Some(format!("http://{}/notice", pod.member()).parse().unwrap()),
            options,
        };
        let metrics = WebMetrics::register(&mut Registry::default());
        let settings = WebSettings { policy, hold, limits: RateLimits::default(), topic: None };
        Arc::new(Web::new(ports, settings, metrics))
    }

    fn start_worker(&self, stop: &CancellationToken) {
        let still = Still::default();
        let ports = WorkerPorts {
            queue: Arc::new(Noted::new(self.queue.clone(), &self.journal, "worker: ")),
            refresh_queue: Arc::new(MemoryQueue::new(100)),
            store: Arc::new(After {
                store: Noted::new(self.store.clone(), &self.journal, "worker: "),
                still: still.clone(),
            }),
            notifier: Arc::new(Noted::new(Arc::new(MemoryNotifier::default()), &self.journal, "worker: ")),
            origin: Arc::new(Before { origin: Noted::new(Arc::new(Site), &self.journal, "worker: "), still }),
            direct: Some(self.lanes.clone()),
        };
        let child = ChildLimits { cpu_seconds: 5, memory_bytes: 512 << 20 };
        let settings = WorkerSettings {
            concurrency: 1,
            visibility: Duration::from_secs(8),
            run_limit: Duration::from_secs(15),
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
}

fn build_tenant() -> Tenant {
    Tenant::new(
        "shop.example".parse().unwrap(),
        "shop-g1".parse().unwrap(),
        "http://origin.example/".parse().unwrap(),
    )
}
