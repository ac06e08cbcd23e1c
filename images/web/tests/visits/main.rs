//! Visits through the whole web tier on embedded ports, in virtual time. The worker's part is played by
//! the test: it takes jobs from the queue and writes manifests.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod outage;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use pipeline::{
    direct::SignedNotice,
    embedded::{MemoryQueue, MemoryStore, SingleTenant},
    job::Job,
    key::Encoding,
    manifest::{Closure, MANIFEST_VERSION, Manifest, Outcome, StoredBody},
    names::Digest,
    notice::{NOTICE_VERSION, Notice},
    options::CompileOptions,
    ports::{Depth, Queue, Tenants},
    rate::RateLimits,
    record::{StoredManifest, write_body, write_manifest},
    registry::StoreTenants,
    settings::OnOff,
    signature::{SIGNATURE_HEADER, SigningKeys},
    tenant::Tenant,
};
use prometheus_client::registry::Registry;
use tokio::{task::JoinHandle, time::Instant};
use tower::ServiceExt;
use web::{
    Backoff, ErrorDisplay, Fleet, HoldSettings, Policy, Web, WebPorts, WebSettings, internal_router,
    metrics::WebMetrics, public_router,
};

use outage::Outage;

const HOLD: Duration = Duration::from_secs(25);
const POLICY: Policy = Policy {
    errors: ErrorDisplay::Status,
    max_age: Duration::from_mins(5),
    max_stale: Duration::from_hours(24),
    backoff: Backoff::PRODUCTION,
    purged: None,
};

/// A web process with its queue and store in the test's hands.
struct Site {
    public: Router,
    internal: Router,
    queue: Arc<MemoryQueue>,
    refresh_queue: Arc<MemoryQueue>,
    store: Arc<MemoryStore>,
    /// Whether the web tier's calls of the store fail.
    outage: Arc<AtomicBool>,
    keys: SigningKeys,
}

impl Site {
    fn new() -> Self {
        Self::with(POLICY, OnOff::On)
    }

    fn with(policy: Policy, recheck: OnOff) -> Self {
        let tenant = Tenant::new(
            "shop.example".parse().unwrap(),
            "shop-g1".parse().unwrap(),
            "http://origin.example/".parse().unwrap(),
        );
        let store = Arc::new(MemoryStore::default());
        Self::serving(policy, recheck, store, Arc::new(SingleTenant(Arc::new(tenant))))
    }

    fn serving(policy: Policy, recheck: OnOff, store: Arc<MemoryStore>, tenants: Arc<dyn Tenants>) -> Self {
        let (queue, refresh_queue) = (Arc::new(MemoryQueue::new(100)), Arc::new(MemoryQueue::new(100)));
        let outage = Arc::new(AtomicBool::new(false));
        let ports = WebPorts {
            store: Arc::new(Outage { store: store.clone(), is_on: outage.clone() }),
            queue: queue.clone(),
            refresh_queue: refresh_queue.clone(),
            tenants,
            direct: None,
            fleet: Arc::new(Fleet::alone()),
        };
        let options = CompileOptions::default();
        let hold = HoldSettings {
            hold: HOLD,
            max_held: 1000,
            max_held_of_tenant: 1000,
            max_waits: 1000,
            recheck,
            reply_to: None,
            options,
        };
        let metrics = WebMetrics::register(&mut Registry::default());
        let settings = WebSettings { policy, hold, limits: RateLimits::default(), topic: None };
        let web = Arc::new(Web::new(ports, settings, metrics));
        let keys = SigningKeys::from_text("0123456789abcdef").unwrap();
        let internal = internal_router(web.clone(), keys.clone());
        Self { public: public_router(web), internal, queue, refresh_queue, store, outage, keys }
    }

    async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = headers
            .iter()
            .fold(Request::get(path).header("host", "shop.example"), |request, (name, value)| {
                request.header(*name, *value)
            });
        send(&self.public, request.body(Body::empty()).unwrap()).await
    }

    /// A visitor who waits in a task of their own.
    fn visitor(&self, path: &'static str) -> JoinHandle<Answer> {
        let public = self.public.clone();
        tokio::spawn(async move {
            send(&public, Request::get(path).header("host", "shop.example").body(Body::empty()).unwrap())
                .await
        })
    }

    /// Takes the one job that is there, or will be within a second.
    async fn take_job(&self) -> Job {
        take(&self.queue).await
    }

    /// As `take_job`, of those that nobody waits for.
    async fn take_refresh(&self) -> Job {
        take(&self.refresh_queue).await
    }

    async fn end(&self, job: &Job, outcome: Outcome) -> StoredManifest {
        self.end_at(job, outcome, Timestamp::now()).await
    }

    async fn end_at(&self, job: &Job, outcome: Outcome, sources_read_at: Timestamp) -> StoredManifest {
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            outcome,
            closure: Closure::default(),
            sources_read_at,
            modified_at: None,
            engine: "grass/0".to_owned(),
            job: job.id.clone(),
            failures: 1,
            last_good: None,
        };
        write_manifest(&*self.store, &job.key(), manifest).await.unwrap()
    }

    async fn compiled(&self, job: &Job, css: &'static str) -> Outcome {
        let digest = Digest::of(css.as_bytes());
        let mut encodings = Vec::new();
        // What the bodies hold does not matter here, only that each is its own.
        for (encoding, body) in [(Encoding::Identity, css.to_owned()), (Encoding::Br, format!("br of {css}"))]
        {
            encodings.push(StoredBody { encoding, length: body.len() as u64 });
            write_body(&*self.store, &job.key(), &digest, encoding, Bytes::from(body)).await.unwrap();
        }
        Outcome::Compiled { digest, encodings }
    }

    async fn compile(&self, css: &'static str) -> StoredManifest {
        let job = self.take_job().await;
        let outcome = self.compiled(&job, css).await;
        self.end(&job, outcome).await
    }

    async fn jobs_waiting(&self) -> u64 {
        self.queue.depth().await.unwrap().visible + self.refresh_queue.depth().await.unwrap().visible
    }
}

async fn take(queue: &MemoryQueue) -> Job {
    let taken = queue.receive(1, Duration::from_secs(1), Duration::from_mins(1)).await.unwrap();
    let [delivery] = taken.as_slice() else { panic!("no job was sent") };
    queue.delete(std::slice::from_ref(&delivery.receipt)).await.unwrap();
    Job::from_message(&delivery.body).unwrap()
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    Answer { status: parts.status, headers: parts.headers, body: to_bytes(body, usize::MAX).await.unwrap() }
}

#[tokio::test(start_paused = true)]
async fn many_visitors_of_a_cold_file_share_one_job_and_the_next_one_is_a_hit() {
    let site = Site::new();
    let visitors: Vec<_> = (0..200).map(|_| site.visitor("/app.css?v=1")).collect();
    site.compile("a{}").await;
    for visitor in visitors {
        let answer = visitor.await.unwrap();
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"a{}"[..]));
        assert_eq!(answer.header("cache-status"), "AssetPipeline; fwd=uri-miss; stored; detail=held");
    }
    assert_eq!(site.queue.depth().await.unwrap(), Depth::default());
    let hit = site.get("/app.css?v=2").await;
    assert_eq!((&*hit.body, hit.header("cache-status")), (&b"a{}"[..], "AssetPipeline; hit; detail=memory"));
    assert_eq!(hit.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(
        hit.header("cache-control"),
        "public, max-age=300, stale-while-revalidate=86100, stale-if-error=86100"
    );
    assert_eq!(hit.header("vary"), "accept-encoding");
}

#[tokio::test(start_paused = true)]
async fn coding_and_validator_belong_together() {
    let site = Site::new();
    let visitor = site.visitor("/app.css");
    site.compile("a{}").await;
    let plain = visitor.await.unwrap();
    let br = site.get_with("/app.css", &[("accept-encoding", "gzip, br")]).await;
    assert_eq!((&*br.body, br.header("content-encoding")), (&b"br of a{}"[..], "br"));
    assert_ne!(plain.header("etag"), br.header("etag"));
    let weak = format!("\"x\", W/{}", br.header("etag"));
    let known = site.get_with("/app.css", &[("accept-encoding", "br"), ("if-none-match", &weak)]).await;
    assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(known.header("etag"), br.header("etag"));
    let other = site.get_with("/app.css", &[("if-none-match", br.header("etag"))]).await;
    assert_eq!(other.status, StatusCode::OK, "another coding's tag does not match");
    let head = Request::head("/app.css").header("host", "shop.example").body(Body::empty()).unwrap();
    assert_eq!(send(&site.public, head).await.header("etag"), plain.header("etag"));
}

#[tokio::test(start_paused = true)]
async fn visitor_is_told_to_ask_again_when_the_hold_ends_and_the_job_goes_on() {
    let site = Site::new();
    let started = Instant::now();
    let answer = site.get("/app.css").await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(started.elapsed(), HOLD);
    site.compile("late{}").await;
    assert_eq!(site.get("/app.css").await.body, "late{}");
    assert_eq!(site.jobs_waiting().await, 0, "the late answer cost a second job");
}

#[tokio::test(start_paused = true)]
async fn failures_are_answered_at_once_and_believed_for_a_while() {
    let cases = [
        (
            Outcome::CompileError { message: "expected \"{\"".to_owned() },
            StatusCode::UNPROCESSABLE_ENTITY,
            "compile",
        ),
        (Outcome::SourceNotFound { message: "gone".to_owned() }, StatusCode::NOT_FOUND, "source-not-found"),
    ];
    for (outcome, status, kind) in cases {
        let site = Site::new();
        let visitor = site.visitor("/app.css");
        let job = site.take_job().await;
        site.end(&job, outcome).await;
        let held = visitor.await.unwrap();
        assert_eq!(
            (held.status, held.header("x-asset-error"), held.header("cache-control")),
            (status, kind, "no-store")
        );
        assert_eq!(site.get("/app.css").await.status, status);
        assert_eq!(site.jobs_waiting().await, 0, "a failure that is seconds old was not believed");
    }
}

#[tokio::test(start_paused = true)]
async fn shown_compile_error_is_a_style_sheet_that_browsers_apply() {
    let site = Site::with(Policy { errors: ErrorDisplay::Show, ..POLICY }, OnOff::On);
    let visitor = site.visitor("/app.css");
    let job = site.take_job().await;
    site.end(&job, Outcome::CompileError { message: "Undefined variable.".to_owned() }).await;
    let answer = visitor.await.unwrap();
    assert_eq!((answer.status, answer.header("x-asset-error")), (StatusCode::OK, "compile"));
    let sheet = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(sheet.contains("body::before") && sheet.contains("content: \"Undefined variable.\""), "{sheet}");
}

#[tokio::test(start_paused = true)]
async fn stale_file_is_served_at_once_while_one_job_refreshes_it() {
    let site = Site::new();
    let job = earlier_job();
    let old = site.compiled(&job, "old{}").await;
    site.end_at(&job, old, Timestamp::now() - SignedDuration::from_hours(1)).await;
    for _ in 0..3 {
        let stale = site.get("/app.css").await;
        assert_eq!(stale.body, "old{}");
        assert!(stale.header("cache-status").starts_with("AssetPipeline; hit; ttl=-33"), "{stale:?}");
    }
    let refresh = site.take_refresh().await;
    let new = site.compiled(&refresh, "new{}").await;
    site.end(&refresh, new).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(site.get("/app.css").await.body, "new{}");
    assert_eq!(site.jobs_waiting().await, 0);
}

#[tokio::test(start_paused = true)]
async fn file_too_stale_to_serve_is_waited_for_by_a_visits_job() {
    let site = Site::new();
    let job = earlier_job();
    let old = site.compiled(&job, "old{}").await;
    site.end_at(&job, old, Timestamp::now() - SignedDuration::from_hours(25)).await;
    let visitor = site.visitor("/app.css");
    let job = site.take_job().await;
    let new = site.compiled(&job, "new{}").await;
    site.end(&job, new).await;
    assert_eq!(visitor.await.unwrap().body, "new{}");
    assert_eq!(site.jobs_waiting().await, 0);
}

#[tokio::test(start_paused = true)]
async fn refresh_that_takes_long_to_begin_is_not_sent_twice_within_its_lifetime() {
    let site = Site::new();
    let job = earlier_job();
    let old = site.compiled(&job, "old{}").await;
    site.end_at(&job, old, Timestamp::now() - SignedDuration::from_hours(1)).await;
    for _ in 0..9 {
        assert_eq!(site.get("/app.css").await.body, "old{}");
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    site.take_refresh().await;
    assert_eq!(site.jobs_waiting().await, 0);
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(site.get("/app.css").await.body, "old{}");
    site.take_refresh().await;
}

/// A job that nobody waits for any more.
fn earlier_job() -> Job {
    Job {
        expires: Timestamp::now(),
        ..Job::new(
            "shop-g1".parse().unwrap(),
            "/app.css".parse().unwrap(),
            "http://origin.example/".parse().unwrap(),
            Timestamp::now(),
        )
    }
}

/// The notice of a manifest that a test has just written.
fn notice_of(job: &Job, stored: StoredManifest) -> Notice {
    Notice { version: NOTICE_VERSION, key: job.key(), job: job.id.clone(), etag: stored.etag, reply_to: None }
}

#[tokio::test(start_paused = true)]
async fn signed_notice_alone_ends_a_hold_and_forged_ones_do_nothing() {
    let site = Site::with(POLICY, OnOff::Off);
    let started = Instant::now();
    let visitor = site.visitor("/app.css");
    let job = site.take_job().await;
    let outcome = site.compiled(&job, "a{}").await;
    let stored = site.end(&job, outcome).await;
    let body = serde_json::to_vec(&SignedNotice { notice: notice_of(&job, stored), relayed: false }).unwrap();
    let post = async |signature: &str| {
        let request = Request::post("/notice").header(SIGNATURE_HEADER, signature);
        send(&site.internal, request.body(Body::from(body.clone())).unwrap()).await.status
    };
    let other = SigningKeys::from_text("fedcba9876543210").unwrap();
    for forged in ["", "t=1,v1=00", &other.sign(&body, Timestamp::now())] {
        assert_eq!(post(forged).await, StatusCode::UNAUTHORIZED);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!visitor.is_finished(), "a forged notice ended a hold");
    assert_eq!(post(&site.keys.sign(&body, Timestamp::now())).await, StatusCode::NO_CONTENT);
    assert_eq!(visitor.await.unwrap().body, "a{}");
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_style_sheet_lies_at_the_site() {
    let site = Site::with(POLICY, OnOff::On);
    for path in ["/f/a.woff2?v=1", "/", "/app.scss", "/app.css/"] {
        let sent = site.get(path).await;
        let expected = format!("http://origin.example{path}");
        assert_eq!((sent.status, sent.header("location")), (StatusCode::FOUND, expected.as_str()));
        assert_eq!(sent.header("access-control-allow-origin"), "*", "a font may be asked for by any page");
    }
    assert_eq!(site.jobs_waiting().await, 0);
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_no_visits_cost_no_job() {
    let store = Arc::new(MemoryStore::default());
    let site = Site::serving(POLICY, OnOff::On, store.clone(), Arc::new(StoreTenants::new(store)));
    assert_eq!(site.get("/health").await.status, StatusCode::OK);
    let unknown = site.get("/app.css").await;
    assert_eq!((unknown.status, unknown.header("x-asset-error")), (StatusCode::NOT_FOUND, "unknown-host"));
    assert_eq!(site.get("/index.html").await.header("x-asset-error"), "unknown-host");
    let hostless = send(&site.public, Request::get("/app.css").body(Body::empty()).unwrap()).await;
    assert_eq!(hostless.status, StatusCode::BAD_REQUEST);
    let posted = Request::post("/app.css").header("host", "shop.example").body(Body::empty()).unwrap();
    assert_eq!(send(&site.public, posted).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(site.jobs_waiting().await, 0);
}
