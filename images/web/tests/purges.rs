//! Purges as a web pod learns of them: by the operator's hint at once, without it within seconds.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::{
    convert::Infallible,
    future::IntoFuture,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, StatusCode},
};
use jiff::{SignedDuration, Timestamp};
use pipeline::{
    Error,
    embedded::{MemoryQueue, MemoryStore},
    env,
    key::{Encoding, Key},
    manifest::{Closure, MANIFEST_VERSION, Manifest, Outcome, SourceRead, StoredBody},
    names::{Digest, JobId},
    options::CompileOptions,
    peers::Peers,
    ports::{Condition, Object, PutOutcome, Queue, Store},
    purge::{
        HintScope, MAX_HINTED_HOSTS, PURGE_HINT_PATH, Purge, PurgeHint, PurgeHints, PurgeScope,
        PurgedTenants, add_purge, purge_pipeline,
    },
    rate::RateLimits,
    record::{write_body, write_manifest},
    registry::StoreTenants,
    settings::OnOff,
    signature::{SIGNATURE_HEADER, SigningKeys},
    tenant::{REGISTRATION_VERSION, Registration, Tenant, registry_object},
};
use prometheus_client::registry::Registry;
use tokio::{
    net::TcpListener,
    time::{advance, sleep},
};
use tower::ServiceExt;
use web::{
    Backoff, ErrorDisplay, Fleet, HoldSettings, Policy, PublicService, Web, WebPorts, WebSettings,
    internal_router, metrics::WebMetrics, public_service,
};

const KEYS: &str = "0123456789abcdef";

/// Counts the reads of the registry and of the pipeline's purge.
#[derive(Default)]
struct Counted {
    inner: MemoryStore,
    looks: AtomicU32,
}

#[async_trait]
impl Store for Counted {
    async fn get(&self, name: &str) -> Result<Option<Object>, Error> {
        if name.starts_with("tenants/") || name.starts_with("purges/") {
            self.looks.fetch_add(1, Ordering::SeqCst);
        }
        self.inner.get(name).await
    }

    async fn put(&self, name: &str, body: Bytes, condition: Condition) -> Result<PutOutcome, Error> {
        self.inner.put(name, body, condition).await
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        self.inner.delete(name).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.inner.list(prefix).await
    }
}

/// A web pod that has served `/app.css` of `shop.example`, and still does.
struct Site {
    service: PublicService,
    internal: Router,
    queue: Arc<MemoryQueue>,
    store: Arc<Counted>,
    keys: SigningKeys,
}

impl Site {
    async fn new() -> Self {
        let store = Arc::new(Counted::default());
        write_tenant(&store).await;
        write_file(&store, "/app.css", Timestamp::now() - SignedDuration::from_mins(1)).await;
        let queue = Arc::new(MemoryQueue::new(100));
        let ports = WebPorts {
            store: store.clone(),
            queue: queue.clone(),
            refresh_queue: Arc::new(MemoryQueue::new(100)),
            tenants: Arc::new(PurgedTenants::new(StoreTenants::new(store.clone()), store.clone())),
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
            hold: Duration::from_secs(25),
            max_held: 10,
            max_held_of_tenant: 10,
            max_waits: 10,
            recheck: OnOff::On,
            reply_to: None,
            options: CompileOptions::default(),
        };
        let metrics = WebMetrics::register(&mut Registry::default());
        let settings = WebSettings { policy, hold, limits: RateLimits::default(), topic: None };
        let web = Arc::new(Web::new(ports, settings, metrics));
        let keys = SigningKeys::from_text(KEYS).unwrap();
        let internal = internal_router(web.clone(), keys.clone());
        let site = Self { service: public_service(web), internal, queue, store, keys };
        for _ in 0..3 {
            assert!(site.is_served().await);
        }
        site
    }

    /// Whether the file is served at once; else a job was sent for it, which nobody takes.
    async fn is_served(&self) -> bool {
        let answer = tokio::time::timeout(Duration::from_secs(1), self.visit("/app.css")).await;
        answer.is_ok_and(|status| status == StatusCode::OK)
    }

    /// The answer's status, after a hold where there has to be one.
    fn visit(&self, path: &str) -> impl Future<Output = StatusCode> + use<> {
        let request = Request::get(path).header("host", "shop.example").body(Body::empty());
        let asked = self.service.clone().oneshot(request.unwrap());
        async { asked.await.unwrap_or_else(|never: Infallible| match never {}).status() }
    }

    async fn jobs(&self) -> u64 {
        self.queue.depth().await.unwrap().visible
    }

    async fn hint(&self, scope: HintScope) -> StatusCode {
        let (body, signature) = PurgeHint::new(scope).seal(&self.keys, Timestamp::now());
        self.post(body, &signature).await
    }

    async fn post(&self, body: Vec<u8>, signature: &str) -> StatusCode {
        let request = Request::post(PURGE_HINT_PATH).header(SIGNATURE_HEADER, signature);
        let request = request.body(Body::from(body)).unwrap();
        self.internal.clone().oneshot(request).await.unwrap().status()
    }

    /// Looks at the registry and at the pipeline's purge since the last call.
    fn looks(&self) -> u32 {
        self.store.looks.swap(0, Ordering::SeqCst)
    }

    async fn purge(&self, scope: PurgeScope) {
        let purge = |_: &Tenant| Ok::<_, Infallible>(Purge { scope: scope.clone(), at: Timestamp::now() });
        add_purge(&*self.store, &"shop.example".parse().unwrap(), purge).await.unwrap().unwrap().unwrap();
        self.looks();
    }
}

async fn write_tenant(store: &Counted) {
    let tenant = Tenant::new(
        "shop.example".parse().unwrap(),
        "shop-g1".parse().unwrap(),
        "http://origin.example/".parse().unwrap(),
    );
    let name = registry_object(&tenant.host);
    let (owner, label) = ("o".to_owned(), "shop".to_owned());
    let registration = Registration { version: REGISTRATION_VERSION, owner, label, generation: 1, tenant };
    let body = serde_json::to_vec(&registration).unwrap();
    store.put(&name, body.into(), Condition::IfAbsent).await.unwrap();
}

async fn write_file(store: &Counted, path: &str, sources_read_at: Timestamp) {
    let key = Key {
        fingerprint: CompileOptions::default().fingerprint(),
        tenant_id: "shop-g1".parse().unwrap(),
        path: path.parse().unwrap(),
    };
    let (digest, body) = (Digest::of(b"a{}"), Bytes::from_static(b"a{}"));
    write_body(store, &key, &digest, Encoding::Identity, body).await.unwrap();
    let encodings = vec![StoredBody { encoding: Encoding::Identity, length: 3 }];
    let url = format!("http://origin.example{}", key.path.sources()[0]);
    let source = SourceRead { url, sha256: digest.clone(), etag: None, last_modified: None };
    let manifest = Manifest {
        version: MANIFEST_VERSION,
        outcome: Outcome::Compiled { digest, encodings },
        closure: Closure { read: vec![source], absent: Vec::new() },
        sources_read_at,
        modified_at: None,
        engine: "grass/0".to_owned(),
        job: JobId::random(),
        failures: 0,
        last_good: None,
    };
    write_manifest(store, &key, manifest).await.unwrap();
}

fn shop() -> HintScope {
    HintScope::Hosts(vec!["shop.example".parse().unwrap()])
}

#[tokio::test(start_paused = true)]
async fn hinted_purge_is_known_to_the_next_visit() {
    let site = Site::new().await;
    site.purge(PurgeScope::Tenant).await;
    assert!(site.is_served().await, "no time has passed, and nothing was told");
    assert_eq!(site.hint(shop()).await, StatusCode::NO_CONTENT);
    assert!(!site.is_served().await, "a file from before the purge was served after the hint");
    assert_eq!((site.jobs().await, site.looks()), (1, 1));

    let site = Site::new().await;
    purge_pipeline(&*site.store, Timestamp::now()).await.unwrap();
    site.looks();
    assert_eq!(site.hint(HintScope::Pipeline).await, StatusCode::NO_CONTENT);
    assert!(!site.is_served().await, "a file from before the purge was served after the hint");
    assert_eq!((site.jobs().await, site.looks()), (1, 1));
}

#[tokio::test]
async fn operators_hint_reaches_the_pods_over_the_wire() {
    let site = Site::new().await;
    site.purge(PurgeScope::Tenant).await;
    // An address of this test's own, since the port is always the same.
    let address = Ipv4Addr::from(0x7f00_0000 | rand::random_range(0x100..0x00ff_ff00));
    let listener = TcpListener::bind((address, env::INTERNAL_PORT)).await.unwrap();
    let serving = tokio::spawn(axum::serve(listener, site.internal.clone()).into_future());
    let peers = Peers::new(address.to_string());
    let strangers = SigningKeys::from_text("fedcba9876543210").unwrap();
    let hints = [PurgeHint::new(HintScope::Pipeline), PurgeHint::new(shop())];
    PurgeHints::new().unwrap().send(&hints, &strangers, &peers).await;
    assert_eq!(site.looks(), 0);
    PurgeHints::new().unwrap().send(&hints, &site.keys, &peers).await;
    assert!(!site.is_served().await, "a file from before the purge was served after the hint");
    assert_eq!((site.jobs().await, site.looks()), (1, 2));
    serving.abort();
}

#[tokio::test(start_paused = true)]
async fn purge_whose_hint_was_lost_is_known_within_seconds() {
    for scope in [shop(), HintScope::Pipeline] {
        let site = Site::new().await;
        match scope {
            HintScope::Pipeline => purge_pipeline(&*site.store, Timestamp::now()).await.unwrap(),
            HintScope::Hosts(_) => site.purge(PurgeScope::Tenant).await,
        }
        advance(Duration::from_millis(3_001)).await;
        assert!(!site.is_served().await);
    }
}

#[tokio::test(start_paused = true)]
async fn purge_of_a_dependency_discards_no_held_answer_that_does_not_have_it() {
    for (dependency, is_answered) in
        [("http://origin.example/other.scss", true), ("http://origin.example/new.scss", false)]
    {
        let site = Site::new().await;
        let held = tokio::spawn(site.visit("/new.css"));
        while site.jobs().await == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        site.purge(PurgeScope::Dependency(dependency.to_owned())).await;
        assert_eq!(site.hint(shop()).await, StatusCode::NO_CONTENT);
        write_file(&site.store, "/new.css", Timestamp::now()).await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(held.is_finished(), is_answered, "{dependency}");
        assert_eq!(site.jobs().await, if is_answered { 1 } else { 2 });
        assert!(!is_answered || held.await.unwrap() == StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn forged_hints_are_refused_and_cost_nothing() {
    let site = Site::new().await;
    site.looks();
    let now = Timestamp::now();
    let (body, signature) = PurgeHint::new(shop()).seal(&site.keys, now);
    let (other_body, _) = PurgeHint::new(HintScope::Pipeline).seal(&site.keys, now);
    let strangers = SigningKeys::from_text("fedcba9876543210").unwrap();
    let old = PurgeHint::new(shop()).seal(&site.keys, now - SignedDuration::from_secs(90)).1;
    for (body, signature) in [
        (body.clone(), String::new()),
        (body.clone(), strangers.sign(&body, now)),
        (body.clone(), old),
        (other_body, signature),
    ] {
        assert_eq!(site.post(body, &signature).await, StatusCode::UNAUTHORIZED);
    }
    let many = (0..=MAX_HINTED_HOSTS).map(|host| format!("h{host}.example").parse().unwrap()).collect();
    for body in [
        br#"{"version":1,"key":{},"job":"x","etag":"e"}"#.to_vec(),
        PurgeHint::new(HintScope::Hosts(many)).seal(&site.keys, now).0,
        b"{}".to_vec(),
    ] {
        let signature = site.keys.sign(&body, now);
        assert_eq!(site.post(body, &signature).await, StatusCode::BAD_REQUEST);
    }
    assert!(site.is_served().await);
    assert_eq!((site.looks(), site.jobs().await), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn repeated_hint_costs_no_more_than_ten_looks_a_second() {
    let site = Site::new().await;
    sleep(Duration::from_secs(5)).await;
    site.looks();
    let (body, signature) = PurgeHint::new(shop()).seal(&site.keys, Timestamp::now());
    let mut refused = 0;
    for _ in 0..1_000 {
        let status = site.post(body.clone(), &signature).await;
        refused += u32::from(status == StatusCode::TOO_MANY_REQUESTS);
        assert!(site.is_served().await);
    }
    assert_eq!(refused, 990);
    // And one that the visits need anyway, for the pipeline's purge.
    assert_eq!(site.looks(), 10 + 1);
    assert_eq!(site.jobs().await, 0);
}
