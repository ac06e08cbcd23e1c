//! Live reload on embedded ports, in virtual time. The worker's part is played by the test.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, BodyDataStream, to_bytes},
    http::{Request, Response, StatusCode},
};
use bytes::Bytes;
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use pipeline::{
    Error, ErrorKind,
    embedded::{MemoryQueue, MemoryStore, SingleTenant},
    job::Job,
    key::Encoding,
    manifest::{Closure, MANIFEST_VERSION, Manifest, OriginFailure, Outcome, StoredBody},
    names::Digest,
    options::CompileOptions,
    ports::{Condition, Object, PutOutcome, Queue, Store},
    rate::RateLimits,
    record::write_manifest,
    registry::StoreTenants,
    settings::OnOff,
    tenant::Tenant,
};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use web::{
    Backoff, ErrorDisplay, Fleet, HoldSettings, LiveSettings, Policy, Web, WebPorts, WebSettings,
    metrics::WebMetrics, public_router,
};

const SECOND: Duration = Duration::from_secs(1);

/// A web process whose pages may listen.
struct Site {
    public: Router,
    queue: Arc<MemoryQueue>,
    store: Arc<MemoryStore>,
    reads: Arc<CountedReads>,
    ended: CancellationToken,
}

/// The store as the web process sees it.
struct CountedReads {
    store: Arc<MemoryStore>,
    reads: AtomicUsize,
}

#[async_trait]
impl Store for CountedReads {
    async fn get(&self, name: &str) -> Result<Option<Object>, Error> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.get(name).await
    }

    async fn put(&self, name: &str, _: Bytes, _: Condition) -> Result<PutOutcome, Error> {
        Err(Error::new(ErrorKind::Denied, name))
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        Err(Error::new(ErrorKind::Denied, name))
    }

    async fn list(&self, name: &str) -> Result<Vec<String>, Error> {
        Err(Error::new(ErrorKind::Denied, name))
    }
}

impl Site {
    /// Of a tenant in development.
    fn developed() -> Self {
        Self::of(true)
    }

    fn of(development: bool) -> Self {
        let tenant = Tenant {
            development,
            ..Tenant::new(
                "shop.example".parse().unwrap(),
                "shop-g1".parse().unwrap(),
                "http://origin.example/".parse().unwrap(),
            )
        };
        let (queue, store) = (Arc::new(MemoryQueue::new(100)), Arc::new(MemoryStore::default()));
        let reads = Arc::new(CountedReads { store: store.clone(), reads: AtomicUsize::new(0) });
        let tenants = Arc::new(SingleTenant(Arc::new(tenant)));
        let ports = WebPorts {
            store: reads.clone(),
            refresh_queue: queue.clone(),
            queue: queue.clone(),
            tenants,
            direct: None,
            fleet: Arc::new(Fleet::alone()),
        };
        let (ended, live) = live();
        let public = public_router(Arc::new(build(ports).with_live_reload(live)));
        Self { public, queue, store, reads, ended }
    }

    /// Opens a stream, and reads its greeting.
    async fn listen(&self, query: &str) -> Page {
        let answer = get(&self.public, &format!("/_assets/live?{query}")).await;
        assert_eq!(answer.status(), StatusCode::OK);
        for (name, value) in [
            ("content-type", "text/event-stream"),
            ("cache-control", "no-store"),
            ("x-accel-buffering", "no"),
            ("access-control-allow-origin", "*"),
        ] {
            assert_eq!(answer.headers().get(name).unwrap(), value);
        }
        let mut page = Page { stream: answer.into_body().into_data_stream() };
        assert_eq!(page.next().await.unwrap(), "retry: 1000\n\n");
        page
    }

    async fn take_job(&self) -> Job {
        let taken = self.queue.receive(1, 5 * SECOND, 60 * SECOND).await.unwrap();
        let [delivery] = taken.as_slice() else { panic!("no job was sent") };
        self.queue.delete(std::slice::from_ref(&delivery.receipt)).await.unwrap();
        Job::from_message(&delivery.body).unwrap()
    }

    async fn end(&self, job: &Job, outcome: Outcome, sources_read_at: Timestamp) {
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            outcome,
            closure: Closure::default(),
            sources_read_at,
            engine: "grass/0".to_owned(),
            job: job.id.clone(),
            failures: 0,
            last_good: None,
            modified_at: None,
        };
        write_manifest(&*self.store, &job.key(), manifest).await.unwrap();
    }

    /// Ends the next job with this style sheet; gives its digest.
    async fn compile(&self, css: &str) -> String {
        let job = self.take_job().await;
        self.end(&job, compiled(css), Timestamp::now()).await;
        Digest::of(css.as_bytes()).to_string()
    }

    async fn jobs_waiting(&self) -> u64 {
        self.queue.depth().await.unwrap().visible
    }
}

fn compiled(css: &str) -> Outcome {
    let encodings = vec![StoredBody { encoding: Encoding::Identity, length: css.len() as u64 }];
    Outcome::Compiled { digest: Digest::of(css.as_bytes()), encodings }
}

fn live() -> (CancellationToken, LiveSettings) {
    let ended = CancellationToken::new();
    let live = LiveSettings {
        max_streams: 30,
        max_streams_per_tenant: 20,
        max_watched: 50,
        max_watched_per_tenant: 40,
        refresh_every: 2 * SECOND,
        ended: ended.clone(),
    };
    (ended, live)
}

fn build(ports: WebPorts) -> Web {
    let policy = Policy {
        errors: ErrorDisplay::Status,
        max_age: Duration::from_mins(5),
        max_stale: Duration::from_hours(24),
        backoff: Backoff::PRODUCTION,
        purged: None,
    };
    let options = CompileOptions::default();
    let hold = HoldSettings {
        hold: 25 * SECOND,
        max_held: 10,
        max_held_of_tenant: 10,
        max_waits: 10,
        recheck: OnOff::On,
        reply_to: None,
        options,
    };
    Web::new(
        ports,
        WebSettings { policy, hold, limits: RateLimits::default(), topic: None },
        WebMetrics::register(&mut Registry::default()),
    )
}

async fn get(router: &Router, uri: &str) -> Response<Body> {
    let request = Request::get(uri).header("host", "shop.example").body(Body::empty()).unwrap();
    router.clone().oneshot(request).await.unwrap()
}

/// An open page.
struct Page {
    stream: BodyDataStream,
}

impl Page {
    async fn next(&mut self) -> Option<Bytes> {
        self.stream.next().await.map(Result::unwrap)
    }

    /// The next event within some seconds, heartbeats left out.
    async fn event(&mut self) -> Value {
        let event = async {
            loop {
                let bytes = self.next().await.expect("the stream ended");
                if bytes != ":\n\n" {
                    let text = String::from_utf8(bytes.to_vec()).unwrap();
                    let data = text.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
                    return serde_json::from_str(data).unwrap();
                }
            }
        };
        timeout(5 * SECOND, event).await.expect("no event came")
    }
}

#[tokio::test(start_paused = true)]
async fn page_is_told_of_every_change_although_nobody_else_asks() {
    let site = Site::developed();
    let mut page = site.listen("path=/app.css").await;
    for css in ["a{}", "b{}", "a{}"] {
        let digest = site.compile(css).await;
        assert_eq!(page.event().await, json!({"path": "/app.css", "digest": digest}));
    }
    let job = site.take_job().await;
    let error = Outcome::CompileError { message: "expected \"{\"\nline 3".to_owned() };
    site.end(&job, error, Timestamp::now()).await;
    assert_eq!(page.event().await, json!({"path": "/app.css", "error": "expected \"{\"\nline 3"}));
    let digest = site.compile("b{}").await;
    assert_eq!(page.event().await, json!({"path": "/app.css", "digest": digest}));
}

#[tokio::test(start_paused = true)]
async fn sources_are_looked_at_every_two_seconds_and_not_more_often() {
    let site = Site::developed();
    let _page = site.listen("path=/app.css").await;
    let _other = site.listen("path=/app.css&path=/app.css").await;
    let started = Instant::now();
    for _ in 0..10 {
        site.compile("a{}").await;
    }
    let elapsed = started.elapsed();
    assert!((18 * SECOND..32 * SECOND).contains(&elapsed), "ten jobs took {elapsed:?}");
    assert_eq!(site.jobs_waiting().await, 0);
}

#[tokio::test(start_paused = true)]
async fn page_without_news_hears_a_heartbeat_below_the_load_balancers_patience() {
    let site = Site::of(false);
    let job = fresh_job(&site).await;
    site.end(&job, compiled("a{}"), Timestamp::now()).await;
    let mut page = site.listen("path=/app.css").await;
    page.event().await;
    for _ in 0..20 {
        let started = Instant::now();
        assert_eq!(page.next().await.unwrap(), ":\n\n");
        assert!(started.elapsed() <= 15 * SECOND);
    }
    assert_eq!(site.jobs_waiting().await, 0, "a fresh file of a tenant in production was compiled again");
}

#[tokio::test(start_paused = true)]
async fn stale_file_of_a_tenant_in_production_is_refreshed_for_a_page() {
    let site = Site::of(false);
    let job = fresh_job(&site).await;
    let hour_ago = Timestamp::now() - SignedDuration::from_hours(1);
    site.end(&job, compiled("a{}"), hour_ago).await;
    let mut page = site.listen("path=/app.css").await;
    page.event().await;
    let digest = site.compile("b{}").await;
    assert_eq!(page.event().await, json!({"path": "/app.css", "digest": digest}));
    sleep(20 * SECOND).await;
    assert_eq!(site.jobs_waiting().await, 0);
}

/// A job of the style sheet, taken before anybody listens.
async fn fresh_job(site: &Site) -> Job {
    let public = site.public.clone();
    let visit = tokio::spawn(async move { get(&public, "/app.css").await.status() });
    let job = site.take_job().await;
    visit.abort();
    job
}

#[tokio::test(start_paused = true)]
async fn nothing_happens_once_no_page_listens() {
    let site = Site::developed();
    let page = site.listen("path=/app.css").await;
    site.compile("a{}").await;
    drop(page);
    sleep(3 * SECOND).await;
    while site.jobs_waiting().await > 0 {
        site.compile("a{}").await;
    }
    sleep(120 * SECOND).await;
    assert_eq!(site.jobs_waiting().await, 0);
}

#[tokio::test(start_paused = true)]
async fn store_is_read_once_a_second_for_a_style_sheet_and_not_at_all_without_a_page() {
    let site = Site::of(false);
    let job = fresh_job(&site).await;
    site.end(&job, compiled("a{}"), Timestamp::now()).await;
    sleep(120 * SECOND).await;
    let reads = || site.reads.reads.swap(0, Ordering::SeqCst);
    reads();
    let pages = [site.listen("path=/app.css").await, site.listen("path=/app.css").await];
    sleep(60 * SECOND).await;
    let read = reads();
    assert!((59..=62).contains(&read), "the store was read {read} times in a minute");
    drop(pages);
    sleep(2 * SECOND).await;
    reads();
    sleep(120 * SECOND).await;
    assert_eq!((reads(), site.jobs_waiting().await), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn failing_origin_is_left_alone_however_many_pages_listen() {
    let site = Site::developed();
    let _page = site.listen("path=/app.css").await;
    let failed = || Outcome::OriginFailed { failure: OriginFailure::Failed, message: "no".to_owned() };
    for _ in 0..5 {
        let job = site.take_job().await;
        site.end(&job, failed(), Timestamp::now()).await;
    }
    sleep(4 * SECOND).await;
    assert_eq!(site.jobs_waiting().await, 0);
    let probe = site.take_job().await;
    site.end(&probe, compiled("a{}"), Timestamp::now()).await;
    site.compile("b{}").await;
}

#[tokio::test(start_paused = true)]
async fn events_name_style_sheets_as_the_page_does() {
    let site = Site::developed();
    let mut page = site.listen("path=%2Fa%2520b.css&path=/other.css&x=1").await;
    let job = site.take_job().await;
    let other = site.take_job().await;
    let spaced = if job.path.as_str() == "/a b.css" { &job } else { &other };
    assert_eq!(spaced.path.as_str(), "/a b.css");
    site.end(spaced, compiled("a{}"), Timestamp::now()).await;
    assert_eq!(page.event().await.get("path").unwrap(), "/a%20b.css");
}

#[tokio::test(start_paused = true)]
async fn streams_and_paths_are_bounded() {
    let site = Site::developed();
    let mut pages = Vec::new();
    for _ in 0..20 {
        pages.push(site.listen("path=/app.css").await);
    }
    let refused = get(&site.public, "/_assets/live?path=/app.css").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    pages.pop();
    pages.push(site.listen("path=/app.css").await);
    drop(pages);
    sleep(3 * SECOND).await;
    let many: Vec<String> = (0..33).map(|number| format!("path=/{number}.css")).collect();
    let _most = site.listen(&many[..32].join("&")).await;
    let more: Vec<String> = (0..9).map(|number| format!("path=/more/{number}.css")).collect();
    let refused = get(&site.public, &format!("/_assets/live?{}", more.join("&"))).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE, "more than 40 style sheets are watched");
    sleep(3 * SECOND).await;
    let _rest = site.listen(&more[..8].join("&")).await;
    for query in [String::new(), "path=/app.js".to_owned(), "path=/../a.css".to_owned(), many.join("&")] {
        let refused = get(&site.public, &format!("/_assets/live?{query}")).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{query}");
        let text = to_bytes(refused.into_body(), 1 << 10).await.unwrap();
        assert!(String::from_utf8_lossy(&text).contains("style sheet"), "{text:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn streams_end_when_the_process_does() {
    let site = Site::developed();
    let mut page = site.listen("path=/app.css").await;
    site.ended.cancel();
    assert_eq!(timeout(SECOND, page.next()).await.unwrap(), None);
    let late = get(&site.public, "/_assets/live?path=/app.css").await;
    assert_eq!(late.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn only_known_sites_have_pages_and_only_where_it_is_on() {
    let store = Arc::new(MemoryStore::default());
    let ports = |store: &Arc<MemoryStore>| WebPorts {
        store: store.clone(),
        queue: Arc::new(MemoryQueue::new(1)),
        refresh_queue: Arc::new(MemoryQueue::new(1)),
        tenants: Arc::new(StoreTenants::new(store.clone())),
        direct: None,
        fleet: Arc::new(Fleet::alone()),
    };
    let unknown = public_router(Arc::new(build(ports(&store)).with_live_reload(live().1)));
    let off = public_router(Arc::new(build(ports(&store))));
    for path in ["/_assets/live?path=/app.css", "/_assets/live.js"] {
        let refused = get(&unknown, path).await;
        assert_eq!(refused.status(), StatusCode::NOT_FOUND);
        assert_eq!(refused.headers().get("x-asset-error").unwrap(), "unknown-host");
        assert_eq!(get(&off, path).await.status(), StatusCode::NOT_FOUND);
    }
    let script = get(&Site::developed().public, "/_assets/live.js").await;
    assert_eq!(script.headers().get("content-type").unwrap(), "text/javascript; charset=utf-8");
}
