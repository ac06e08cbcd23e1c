//! Ready answers: the same as the ordinary way's, for nobody else, and for no longer than they are true.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, Bytes, HttpBody, to_bytes},
    http::{HeaderMap, Method, Request, Response, StatusCode},
};
use jiff::{SignedDuration, Timestamp};
use pipeline::{
    Error,
    embedded::{MemoryQueue, MemoryStore},
    key::{AssetPath, Encoding, Key},
    manifest::{Closure, MANIFEST_VERSION, Manifest, Outcome, StoredBody},
    names::{Digest, HostName, JobId},
    options::CompileOptions,
    ports::Tenants,
    purge::{Purge, PurgeScope},
    rate::RateLimits,
    record::{write_body, write_manifest},
    settings::OnOff,
    tenant::Tenant,
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use web::{
    ErrorDisplay, Fronted, Head, HoldSettings, Policy, PublicService, ServeSettings, Web, WebPorts,
    WebSettings, metrics::WebMetrics, public_router, public_service, serve,
};

const POLICY: Policy = Policy {
    errors: ErrorDisplay::Status,
    max_age: Duration::from_mins(5),
    max_stale: Duration::from_hours(24),
    backoff: web::Backoff::PRODUCTION,
    purged: None,
};
const HOSTS: [&str; 2] = ["a.example", "b.example"];
const PATHS: [&str; 2] = ["/app.css", "/theme/app.css"];

/// Tenants in the test's hands, who count how often they are asked for.
#[derive(Default)]
struct Registered {
    tenants: Mutex<Vec<Tenant>>,
    lookups: AtomicU32,
}

#[async_trait]
impl Tenants for Registered {
    async fn lookup(&self, host: &HostName) -> Result<Option<Arc<Tenant>>, Error> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let tenants = self.tenants.lock().unwrap();
        Ok(tenants.iter().find(|tenant| tenant.host == *host).cloned().map(Arc::new))
    }
}

struct Site {
    web: Arc<Web>,
    service: PublicService,
    router: Router,
    tenants: Arc<Registered>,
    metrics: Registry,
}

fn tenant(host: &str, id: &str) -> Tenant {
    Tenant::new(host.parse().unwrap(), id.parse().unwrap(), "http://origin.example/".parse().unwrap())
}

/// The style sheet of a tenant and a path: everybody's is their own.
fn css(tenant_id: &str, path: &str) -> String {
    format!("/* {tenant_id} {path} */")
}

async fn write_file(store: &MemoryStore, tenant_id: &str, path: &str) {
    let fingerprint = CompileOptions::default().fingerprint();
    let key = Key { fingerprint, tenant_id: tenant_id.parse().unwrap(), path: path.parse().unwrap() };
    let css = css(tenant_id, path);
    let digest = Digest::of(css.as_bytes());
    let mut encodings = Vec::new();
    for (encoding, body) in [
        (Encoding::Identity, css.clone()),
        (Encoding::Br, format!("br {css}")),
        (Encoding::Gzip, format!("gzip {css}")),
    ] {
        encodings.push(StoredBody { encoding, length: body.len() as u64 });
        write_body(store, &key, &digest, encoding, Bytes::from(body)).await.unwrap();
    }
    let manifest = Manifest {
        version: MANIFEST_VERSION,
        outcome: Outcome::Compiled { digest, encodings },
        closure: Closure::default(),
        // Ahead of our clock, so that every answer's age is zero.
        sources_read_at: Timestamp::now() + SignedDuration::from_hours(1),
        modified_at: None,
        engine: "grass/0".to_owned(),
        job: JobId::random(),
        failures: 0,
        last_good: None,
    };
    write_manifest(store, &key, manifest).await.unwrap();
}

impl Site {
    async fn start() -> Self {
        let store = Arc::new(MemoryStore::default());
        for id in ["a-g1", "b-g1", "a-g2"] {
            for path in PATHS {
                write_file(&store, id, path).await;
            }
        }
        let tenants = Arc::new(Registered::default());
        tenants.tenants.lock().unwrap().extend([tenant(HOSTS[0], "a-g1"), tenant(HOSTS[1], "b-g1")]);
        let queue = Arc::new(MemoryQueue::new(100));
        let ports = WebPorts {
            store,
            queue,
            refresh_queue: Arc::new(MemoryQueue::new(100)),
            tenants: tenants.clone(),
            direct: None,
            fleet: Arc::new(web::Fleet::alone()),
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
        let mut metrics = Registry::default();
        let settings = WebSettings { policy: POLICY, hold, limits: RateLimits::default(), topic: None };
        let web = Arc::new(Web::new(ports, settings, WebMetrics::register(&mut metrics)));
        Self {
            service: public_service(web.clone()),
            router: public_router(web.clone()),
            web,
            tenants,
            metrics,
        }
    }

    async fn get(&self, host: &str, path: &str) -> Answer {
        let request = Request::get(path).header("host", host).body(Body::empty()).unwrap();
        answer_of(self.service.clone().oneshot(request).await.unwrap()).await
    }

    /// Look-ups of tenants that the visits cost.
    async fn lookups_of(&self, visits: impl Future<Output = ()>) -> u32 {
        let before = self.tenants.lookups.load(Ordering::SeqCst);
        visits.await;
        self.tenants.lookups.load(Ordering::SeqCst) - before
    }
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

async fn answer_of<B>(response: Response<B>) -> Answer
where
    B: HttpBody<Data = Bytes, Error = axum::Error> + Send + 'static,
{
    let (parts, body) = response.into_parts();
    let body = to_bytes(Body::new(body), usize::MAX).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, body }
}

#[tokio::test(start_paused = true)]
async fn repeated_hit_asks_nothing_for_a_second_and_is_counted() {
    let site = Site::start().await;
    let visit = async || {
        assert_eq!(site.get("a.example", "/app.css").await.body, css("a-g1", "/app.css"));
    };
    // From the store, then from memory, which is kept.
    assert_eq!(
        site.lookups_of(async {
            visit().await;
            visit().await;
        })
        .await,
        2
    );
    let many = async {
        for _ in 0..50 {
            visit().await;
        }
    };
    assert_eq!(site.lookups_of(many).await, 0);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(site.lookups_of(visit()).await, 1, "an answer was given for longer than a second");
    assert_eq!(site.lookups_of(visit()).await, 0);
    site.web.forget_ready();
    assert_eq!(site.lookups_of(visit()).await, 1, "an answer was given that was to be forgotten");
    let mut text = String::new();
    encode(&mut text, &site.metrics).unwrap();
    assert!(text.contains("assets_web_answers_total{layer=\"memory\",status=\"200\"} 54"), "{text}");
    assert!(text.contains("assets_web_answers_total{layer=\"store\",status=\"200\"} 1"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn front_gives_what_is_ready_within_the_tenants_limit_and_counts_it() {
    let site = Site::start().await;
    let front = site.service.front().unwrap();
    let find = |host, target| {
        let head = Head { target, host, accept_encoding: None };
        usize::from(front.find(&head).is_some())
    };
    assert_eq!(find("a.example", "/app.css"), 0, "nobody has asked before");
    for _ in 0..2 {
        site.get("a.example", "/app.css").await;
    }
    assert_eq!((find("a.example", "/app.css"), find("a.example", "/app.css?x=1")), (1, 1));
    assert_eq!((find("b.example", "/app.css"), find("a.example", "/theme/app.css")), (0, 0));
    let at_once = usize::try_from(RateLimits::default().requests_per_second.get()).unwrap() * 2;
    let given: usize = (0..at_once).map(|_| find("a.example", "/app.css")).sum();
    // Four were asked for before.
    assert_eq!((given, find("a.example", "/app.css")), (at_once - 4, 0));
    let mut text = String::new();
    encode(&mut text, &site.metrics).unwrap();
    let hits = format!("assets_web_answers_total{{layer=\"memory\",status=\"200\"}} {}", given + 3);
    assert!(text.contains(&hits), "{text}");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(find("a.example", "/app.css"), 0, "an answer was given for longer than a second");
}

#[tokio::test(start_paused = true)]
async fn changed_tenant_is_seen_after_a_second() {
    let site = Site::start().await;
    for _ in 0..3 {
        assert_eq!(site.get("a.example", "/app.css").await.body, css("a-g1", "/app.css"));
    }
    *site.tenants.tenants.lock().unwrap() = vec![tenant("a.example", "a-g2")];
    tokio::time::advance(Duration::from_secs(1)).await;
    for _ in 0..3 {
        assert_eq!(site.get("a.example", "/app.css").await.body, css("a-g2", "/app.css"));
    }
}

#[tokio::test(start_paused = true)]
async fn purge_that_one_visit_learns_of_is_known_to_the_ready_answers_of_its_file() {
    let site = Site::start().await;
    for _ in 0..3 {
        assert_eq!(site.get("a.example", "/app.css").await.body, css("a-g1", "/app.css"));
    }
    let mut purged = tenant("a.example", "a-g1");
    let at = Timestamp::now() + SignedDuration::from_hours(2);
    purged.purges.add(Purge { scope: PurgeScope::Tenant, at });
    *site.tenants.tenants.lock().unwrap() = vec![purged];
    // No time passes, so what is kept would still be given.
    assert_eq!(site.lookups_of(async { drop(site.get("a.example", "/app.css").await) }).await, 0);
    let coded = Request::get("/app.css").header("host", "a.example").header("accept-encoding", "br");
    let learning = site.service.clone().oneshot(coded.body(Body::empty()).unwrap());
    let plain = site.get("a.example", "/app.css");
    let (learnt, plain) = tokio::join!(learning, plain);
    assert_eq!(learnt.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(plain.status, StatusCode::SERVICE_UNAVAILABLE, "{plain:?}");
}

/// A request from what matters to the answer, and from what must not.
fn any_request(random: &mut StdRng) -> (Option<&'static str>, Request<Body>) {
    let hosts = [
        ("a.example", Some("a-g1")),
        ("A.Example", Some("a-g1")),
        ("a.example:80", Some("a-g1")),
        ("a.example.", Some("a-g1")),
        ("b.example", Some("b-g1")),
        ("b.example:8080", Some("b-g1")),
        ("c.example", None),
        ("a.example.b.example", None),
        ("[::1]", None),
        ("", None),
    ];
    let paths =
        ["/app.css", "/%61pp.css", "/theme/app.css", "/theme/./app.css", "/app.css/", "//app.css", "/"];
    let digest = Digest::of(css("a-g1", "/app.css").as_bytes());
    let version = format!("?v={}", &digest.as_str()[..12]);
    let queries = ["", "?", "?x=1", "?v=00000000", &version];
    let codings = [None, Some(""), Some("br"), Some("gzip, br;q=0"), Some("gzip;q=0.5, br;q=0.4"), Some("*")];
    let methods = [Method::GET, Method::GET, Method::GET, Method::HEAD, Method::OPTIONS, Method::DELETE];
    let (host, tenant_id) = *hosts.choose(random).unwrap();
    let (path, query) = (paths.choose(random).unwrap(), queries.choose(random).unwrap());
    let is_absolute = !host.is_empty() && random.random_bool(0.3);
    let origin = if is_absolute { format!("http://{host}") } else { String::new() };
    let mut request = Request::builder()
        .method(methods.choose(random).unwrap())
        .uri(format!("{origin}{path}{query}"))
        .header("x-forwarded-host", *HOSTS.choose(random).unwrap());
    if !is_absolute {
        request = request.header("host", host);
    } else if random.random_bool(0.5) {
        request = request.header("host", *HOSTS.choose(random).unwrap());
    }
    if let Some(coding) = codings.choose(random).unwrap() {
        request = request.header("accept-encoding", *coding);
    }
    if random.random_bool(0.2) {
        let tag = format!("\"{digest}-br\"");
        request = request.header("if-none-match", *[&*tag, "*", "\"x\""].choose(random).unwrap());
    }
    (tenant_id, request.body(Body::empty()).unwrap())
}

fn copy_of(request: &Request<Body>) -> Request<Body> {
    let mut copy = Request::new(Body::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    copy.headers_mut().clone_from(request.headers());
    copy
}

#[tokio::test(start_paused = true)]
async fn ready_answers_are_those_of_the_ordinary_way_and_nobody_elses() {
    const CASES: u32 = 20_000;
    const SEED: u64 = 4;
    let site = Site::start().await;
    for host in HOSTS {
        for path in PATHS {
            site.get(host, path).await;
        }
    }
    let mut random = StdRng::seed_from_u64(SEED);
    let (mut of_service, mut of_router) = (0, 0);
    for case in 0..CASES {
        let (tenant_id, request) = any_request(&mut random);
        let copy = copy_of(&request);
        // Of other paths, which lead to the site, there is no file that could be ready.
        let is_of_style_sheet = request.uri().path().parse::<AssetPath>().is_ok();
        let shown = format!("seed {SEED}, case {case}: {request:?}");
        let before = site.tenants.lookups.load(Ordering::SeqCst);
        let ready = answer_of(site.service.clone().oneshot(request).await.unwrap()).await;
        let between = site.tenants.lookups.load(Ordering::SeqCst);
        let ordinary = answer_of(site.router.clone().oneshot(copy).await.unwrap()).await;
        if is_of_style_sheet {
            of_service += between - before;
            of_router += site.tenants.lookups.load(Ordering::SeqCst) - between;
        }
        assert_eq!(ready, ordinary, "{shown}");
        if ready.status == StatusCode::OK && !ready.body.is_empty() {
            let body = String::from_utf8(ready.body.to_vec()).unwrap();
            assert!(body.contains(tenant_id.unwrap_or("nobody's")), "{shown}: {body}");
        }
    }
    // What is left: conditions, and hosts that nobody has claimed.
    assert!(of_service * 2 < of_router, "only few answers were ready: {of_service} of {of_router}");
}

/// A listener of the site's, for as long as it lives.
async fn listen(site: &Site) -> (SocketAddr, CancellationToken, JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let served = tokio::spawn(serve(listener, site.service.clone(), ServeSettings::PUBLIC, stop.clone()));
    (address, stop, served)
}

/// As many answers to `GET` as the request has, as they came, but for their dates.
async fn ask(stream: &mut TcpStream, request: &str) -> Vec<String> {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answers = Vec::new();
    for _ in 0..request.matches("\r\n\r\n").count() {
        let mut answer = String::new();
        while !answer.ends_with("\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap().into());
        }
        // None with 304.
        let length = answer.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next());
        let mut body = vec![0; length.unwrap_or("0").parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        let lines = answer.lines().filter(|line| !line.starts_with("date: ")).collect::<Vec<_>>();
        assert_eq!(lines.len() + 1, answer.lines().count(), "{answer}");
        answers.push(lines.join("\n") + &String::from_utf8(body).unwrap());
    }
    answers
}

#[tokio::test]
async fn answers_before_the_http_engine_are_the_engines_own_byte_for_byte() {
    const CASES: u32 = 2_000;
    const SEED: u64 = 7;
    let site = Site::start().await;
    let (address, stop, served) = listen(&site).await;
    let connect = async || TcpStream::connect(address).await.unwrap();
    let (mut front, mut engine) = (connect().await, connect().await);
    // Two requests at once are the engine's, and all that come after them.
    ask(&mut engine, &"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".repeat(2)).await;
    let mut random = StdRng::seed_from_u64(SEED);
    let mut of_memory = 0;
    for case in 0..CASES {
        let (_, request) = any_request(&mut random);
        if *request.method() != Method::GET {
            continue;
        }
        let headers = request.headers().iter();
        let headers = headers.map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()));
        let text = format!("GET {} HTTP/1.1\r\n{}\r\n", request.uri(), headers.collect::<String>());
        // What another second's age or another layer would tell apart: both ways give what memory has.
        ask(&mut engine, &text).await;
        let (before, expected) = (ask(&mut front, &text).await, ask(&mut engine, &text).await);
        assert_eq!(before, expected, "seed {SEED}, case {case}: {text}");
        of_memory += usize::from(before[0].contains("hit; detail=memory"));
    }
    assert!(of_memory > 100, "{of_memory}");
    stop.cancel();
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn head_is_told_the_length_and_sent_no_body() {
    let site = Site::start().await;
    let (address, stop, served) = listen(&site).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        |method: &str, more: &str| format!("{method} /app.css HTTP/1.1\r\nHost: a.example\r\n{more}\r\n");
    let heads = request("HEAD", "").repeat(3) + &request("GET", "Connection: close\r\n");
    stream.write_all(heads.as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    let css = css("a-g1", "/app.css");
    let length = format!("content-length: {}\r\n", css.len());
    assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 4, "{answers}");
    assert_eq!(answers.matches(&length).count(), 4, "{answers}");
    assert_eq!(answers.matches(&css).count(), 1, "{answers}");
    assert!(answers.ends_with(&css), "{answers}");
    stop.cancel();
    served.await.unwrap().unwrap();
}
