//! A web process that listens to a topic, and the server that it fetches certificates from.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use pipeline::{
    embedded::{MemoryQueue, MemoryStore, MemorySubscriptions, SingleTenant},
    job::Job,
    manifest::{Closure, MANIFEST_VERSION, Manifest, Outcome},
    notice::{NOTICE_VERSION, Notice},
    options::CompileOptions,
    ports::Queue,
    rate::RateLimits,
    record::write_manifest,
    settings::OnOff,
    signature::SigningKeys,
    tenant::Tenant,
};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use web::{
    Authority, ErrorDisplay, Fleet, HoldSettings, Policy, SnsTopic, Web, WebPorts, WebSettings,
    metrics::WebMetrics, public_router,
};

use crate::message::TOPIC;

/// The pipeline's, by which its pods sign.
pub(crate) const KEY: &str = "0123456789abcdef";

/// What a certificate server answers under a path.
#[derive(Clone)]
pub(crate) enum Answer {
    File(Vec<u8>),
    Status(StatusCode),
    Redirect(String),
}

/// Files over HTTP on loopback, and how often each host and path was asked for.
#[derive(Clone, Default)]
pub(crate) struct CertificateServer {
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl CertificateServer {
    /// Serves under the path of this URL.
    pub(crate) fn put(&self, url: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path_of(url), answer);
    }

    /// Host and path of all requests so far, counted.
    pub(crate) fn asked(&self) -> BTreeMap<String, usize> {
        self.asked.lock().unwrap().clone()
    }

    async fn listen(&self) -> String {
        serve(Router::new().fallback(answer).with_state(self.clone())).await
    }
}

fn path_of(url: &str) -> String {
    let (_, rest) = url.split_once("://").unwrap();
    format!("/{}", rest.split_once('/').unwrap().1)
}

async fn answer(State(server): State<CertificateServer>, request: Request) -> Response {
    let host = request.headers().get("host").unwrap().to_str().unwrap().to_owned();
    let path = request.uri().path().to_owned();
    *server.asked.lock().unwrap().entry(format!("{host}{path}")).or_default() += 1;
    match server.answers.lock().unwrap().get(&path).cloned() {
        Some(Answer::File(bytes)) => bytes.into_response(),
        Some(Answer::Status(status)) => status.into_response(),
        Some(Answer::Redirect(to)) => (StatusCode::FOUND, [(LOCATION, to)]).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

/// A web process without a re-check: only notices end a hold.
pub(crate) struct Site {
    pub(crate) web: Arc<Web>,
    pub(crate) certificates: CertificateServer,
    pub(crate) subscriptions: Arc<MemorySubscriptions>,
    pub(crate) registry: Registry,
    queue: Arc<MemoryQueue>,
    store: Arc<MemoryStore>,
    address: String,
    client: reqwest::Client,
}

impl Site {
    pub(crate) async fn trusting(authority: &str) -> Self {
        let certificates = CertificateServer::default();
        let endpoint = certificates.listen().await.parse().unwrap();
        let subscriptions = Arc::new(MemorySubscriptions::default());
        let authority = Authority::from_pem(authority).unwrap();
        let topic = SnsTopic::new(TOPIC, authority, Some(endpoint), subscriptions.clone()).unwrap();
        let topic = topic.proving(SigningKeys::from_text(KEY).unwrap());
        let (queue, store) = (Arc::new(MemoryQueue::new(100)), Arc::new(MemoryStore::default()));
        let tenants = Arc::new(SingleTenant(Arc::new(tenant())));
        let ports = WebPorts {
            store: store.clone(),
            queue: queue.clone(),
            refresh_queue: Arc::new(MemoryQueue::new(100)),
            tenants,
            direct: None,
            fleet: Arc::new(Fleet::alone()),
        };
        let options = CompileOptions::default();
        let hold = Duration::from_secs(25);
        let hold = HoldSettings {
            hold,
            max_held: 10,
            max_held_of_tenant: 10,
            max_waits: 10,
            recheck: OnOff::Off,
            reply_to: None,
            options,
        };
        let settings =
            WebSettings { policy: policy(), hold, limits: RateLimits::default(), topic: Some(topic) };
        let mut registry = Registry::default();
        let web = Arc::new(Web::new(ports, settings, WebMetrics::register(&mut registry)));
        let address = serve(public_router(web.clone())).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { web, certificates, subscriptions, registry, queue, store, address, client }
    }

    /// POSTs as SNS does.
    pub(crate) async fn post(&self, body: impl Into<reqwest::Body>) -> StatusCode {
        self.post_with(body, &[("content-type", "text/plain; charset=UTF-8")]).await
    }

    pub(crate) async fn post_with(
        &self,
        body: impl Into<reqwest::Body>,
        headers: &[(&str, &str)],
    ) -> StatusCode {
        let url = format!("{}/work_complete", self.address);
        let request = headers
            .iter()
            .fold(self.client.post(url), |request, (name, value)| request.header(*name, *value));
        request.body(body).send().await.unwrap().status()
    }

    /// Asks at the path that SNS posts to.
    pub(crate) async fn ask(&self, method: reqwest::Method) -> reqwest::Response {
        self.client.request(method, format!("{}/work_complete", self.address)).send().await.unwrap()
    }

    /// A visitor who waits, in a task of their own; gives the status.
    pub(crate) fn visitor(&self, path: &str) -> tokio::task::JoinHandle<StatusCode> {
        let request = self.client.get(format!("{}{path}", self.address));
        tokio::spawn(async move { request.send().await.unwrap().status() })
    }

    /// Ends the one job that is there with a failure, and gives the notice of it.
    pub(crate) async fn end_job(&self) -> String {
        let taken = self.queue.receive(1, Duration::from_secs(5), Duration::from_mins(1)).await.unwrap();
        let [delivery] = taken.as_slice() else { panic!("no job was sent") };
        let job = Job::from_message(&delivery.body).unwrap();
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            outcome: Outcome::SourceNotFound { message: "gone".to_owned() },
            closure: Closure::default(),
            sources_read_at: Timestamp::now(),
            modified_at: None,
            engine: "grass/0".to_owned(),
            job: job.id.clone(),
            failures: 0,
            last_good: None,
        };
        let stored = write_manifest(&*self.store, &job.key(), manifest).await.unwrap();
        let notice = Notice {
            version: NOTICE_VERSION,
            key: job.key(),
            job: job.id,
            etag: stored.etag,
            reply_to: None,
        };
        serde_json::to_string(&notice).unwrap()
    }

    /// The number of messages with this outcome.
    pub(crate) fn count(&self, outcome: &str) -> usize {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let name = format!("assets_web_sns_messages_total{{outcome=\"{outcome}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
    }
}

fn tenant() -> Tenant {
    Tenant::new(
        "shop.example".parse().unwrap(),
        "shop-g1".parse().unwrap(),
        "http://origin.example/".parse().unwrap(),
    )
}

fn policy() -> Policy {
    Policy {
        errors: ErrorDisplay::Status,
        max_age: Duration::from_mins(5),
        max_stale: Duration::from_hours(24),
        backoff: web::Backoff::PRODUCTION,
        purged: None,
    }
}
