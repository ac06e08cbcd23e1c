//! Several web pods with one store and one queue, and lanes between them in memory.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, BodyDataStream, to_bytes},
    http::{HeaderMap, Request, Response, StatusCode},
};
use bytes::Bytes;
use jiff::Timestamp;
use pipeline::{
    Error, ErrorKind,
    embedded::{MemoryQueue, MemoryStore},
    job::Job,
    key::{Encoding, Key},
    manifest::{Closure, MANIFEST_VERSION, Manifest, Outcome, StoredBody},
    names::{Digest, HostName},
    options::CompileOptions,
    ports::{Queue, Tenants},
    purge::{Purge, PurgeScope, Purges},
    rate::RateLimits,
    record::{write_body, write_manifest},
    settings::OnOff,
    signature::SigningKeys,
    tenant::Tenant,
};
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use web::{
    Backoff, ErrorDisplay, Fleet, HoldSettings, LiveSettings, Member, Policy, PublicService, Transport, Web,
    WebPorts, WebSettings, internal_router, metrics::WebMetrics, public_service,
};

pub(crate) const HOLD: Duration = Duration::from_secs(25);
pub(crate) const POLICY: Policy = Policy {
    errors: ErrorDisplay::Status,
    max_age: Duration::from_mins(5),
    max_stale: Duration::from_hours(24),
    backoff: Backoff::PRODUCTION,
    purged: None,
};
/// Who may wait in one pod at the same time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) held: usize,
    pub(crate) held_of_tenant: usize,
    pub(crate) waits: usize,
}

/// More than any crowd here.
pub(crate) const BOUNDS: Bounds = Bounds { held: 1_000, held_of_tenant: 1_000, waits: 1_000 };

const KEYS: &str = "0123456789abcdef";

/// The pods' internal listeners.
#[derive(Default)]
pub(crate) struct Lanes(Mutex<Vec<Lane>>);

#[derive(Clone)]
struct Lane {
    member: Member,
    internal: Router,
    cut: CancellationToken,
    /// What this pod answers instead of its own answer.
    forged: Option<(StatusCode, Bytes)>,
    asked: Vec<(HeaderMap, Bytes)>,
}

impl Lanes {
    fn with<T>(&self, member: Member, act: impl FnOnce(&mut Lane) -> T) -> Option<T> {
        self.0.lock().unwrap().iter_mut().find(|lane| lane.member == member).map(act)
    }

    /// From now on the pod is silent, and whoever waits there notices.
    pub(crate) fn cut(&self, pod: usize) {
        self.with(member(pod), |lane| lane.cut.cancel()).unwrap();
    }

    pub(crate) fn mend(&self, pod: usize) {
        self.with(member(pod), |lane| lane.cut = CancellationToken::new()).unwrap();
    }

    /// From now on the pod answers every wait like this.
    pub(crate) fn forge(&self, pod: usize, status: StatusCode, body: &'static [u8]) {
        self.with(member(pod), |lane| lane.forged = Some((status, Bytes::from_static(body)))).unwrap();
    }

    /// The waits that reached the pod: headers and body.
    pub(crate) fn asked(&self, pod: usize) -> Vec<(HeaderMap, Bytes)> {
        self.with(member(pod), |lane| lane.asked.clone()).unwrap()
    }
}

#[async_trait]
impl Transport for Lanes {
    async fn call(&self, member: Member, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let lost = || Error::new(ErrorKind::Unavailable, format!("ask {member}"));
        let lane = self.with(member, |lane| {
            if request.method() == "POST" && !lane.cut.is_cancelled() {
                lane.asked.push((request.headers().clone(), request.body().clone()));
            }
            lane.clone()
        });
        let Lane { internal, cut, forged, .. } = lane.ok_or_else(lost)?;
        let answered = cut.run_until_cancelled(async {
            let (parts, body) = internal.oneshot(request.map(Body::from)).await.unwrap().into_parts();
            Response::from_parts(parts, to_bytes(body, usize::MAX).await.unwrap())
        });
        let mut answer = answered.await.ok_or_else(lost)?;
        if let Some((status, body)) = forged {
            *answer.status_mut() = status;
            *answer.body_mut() = body;
        }
        Ok(answer)
    }
}

/// One web pod.
pub(crate) struct Pod {
    pub(crate) web: Arc<Web>,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) internal: Router,
    /// Which the pod signs and believes by.
    pub(crate) keys: SigningKeys,
    public: PublicService,
    registry: Registry,
    tenants: Arc<EveryHost>,
}

pub(crate) struct Site {
    pub(crate) pods: Vec<Pod>,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) queue: Arc<MemoryQueue>,
    pub(crate) refresh_queue: Arc<MemoryQueue>,
    pub(crate) store: Arc<MemoryStore>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// The pod with this number.
pub(crate) fn member(pod: usize) -> Member {
    let last = u8::try_from(pod + 1).unwrap();
    Member((IpAddr::from([10, 0, 0, last]), 8081).into())
}

pub(crate) fn key(path: &str) -> Key {
    let fingerprint = CompileOptions::default().fingerprint();
    Key { fingerprint, tenant_id: "shop-g1".parse().unwrap(), path: path.parse().unwrap() }
}

/// The pods by their rank for this path, as all builds agree on it.
pub(crate) fn ranks(path: &str, pods: usize) -> Vec<usize> {
    let mut ranked: Vec<usize> = (0..pods).collect();
    ranked.sort_by_key(|pod| {
        std::cmp::Reverse(Digest::of(format!("{}\n{}", member(*pod), key(path)).as_bytes()))
    });
    ranked
}

/// A path for which the pods have exactly these ranks.
pub(crate) fn path_with_ranks(wanted: &[usize]) -> String {
    (0..1_000)
        .map(|number| format!("/{number}.css"))
        .find(|path| ranks(path, wanted.len()) == wanted)
        .unwrap()
}

impl Site {
    /// Pods that all know each other.
    pub(crate) fn new(pods: usize) -> Self {
        Self::with(&vec![OnOff::On; pods], BOUNDS)
    }

    /// As `new`, of tenants in development.
    pub(crate) fn developed(pods: usize) -> Self {
        Self::of(&vec![OnOff::On; pods], BOUNDS, Tenancy::InDevelopment)
    }

    /// One pod for each re-check.
    pub(crate) fn with(rechecks: &[OnOff], bounds: Bounds) -> Self {
        Self::of(rechecks, bounds, Tenancy::InProduction)
    }

    fn of(rechecks: &[OnOff], bounds: Bounds, tenancy: Tenancy) -> Self {
        let (queue, refresh_queue) = (Arc::new(MemoryQueue::new(100)), Arc::new(MemoryQueue::new(100)));
        let (lanes, store) = (Arc::default(), Arc::default());
        let mut site = Self { pods: Vec::new(), lanes, queue, refresh_queue, store };
        let pods = rechecks.iter().enumerate();
        site.pods = pods.map(|(pod, recheck)| site.start(pod, *recheck, bounds, tenancy)).collect();
        let everybody: Vec<Member> = (0..rechecks.len()).map(member).collect();
        for pod in &site.pods {
            pod.fleet.set_members(&everybody);
        }
        site
    }

    fn start(&self, pod: usize, recheck: OnOff, bounds: Bounds, tenancy: Tenancy) -> Pod {
        let options = CompileOptions::default();
        let keys = SigningKeys::from_text(KEYS).unwrap();
        let fleet =
            Arc::new(Fleet::new(member(pod), options.fingerprint(), keys.clone(), self.lanes.clone()));
        let tenants = Arc::new(EveryHost { tenancy, purges: Mutex::default() });
        let ports = WebPorts {
            store: self.store.clone(),
            queue: self.queue.clone(),
            refresh_queue: self.refresh_queue.clone(),
            tenants: tenants.clone(),
            direct: None,
            fleet: fleet.clone(),
        };
        let reply_to = Some(format!("http://{}/notice", member(pod)).parse().unwrap());
        let Bounds { held, held_of_tenant, waits } = bounds;
        let hold = HoldSettings {
            hold: HOLD,
            max_held: held,
            max_held_of_tenant: held_of_tenant,
            max_waits: waits,
            recheck,
            reply_to,
            options,
        };
        let mut registry = Registry::default();
        let metrics = WebMetrics::register(&mut registry);
        let settings = WebSettings { policy: POLICY, hold, limits: RateLimits::default(), topic: None };
        let web = Arc::new(Web::new(ports, settings, metrics).with_live_reload(live()));
        web.register(&mut registry);
        let internal = internal_router(web.clone(), keys.clone());
        let lane = Lane {
            member: member(pod),
            internal: internal.clone(),
            cut: CancellationToken::new(),
            forged: None,
            asked: Vec::new(),
        };
        self.lanes.0.lock().unwrap().push(lane);
        Pod { keys, public: public_service(web.clone()), web, fleet, internal, registry, tenants }
    }

    /// Takes the one job that is there, or will be within a second, and says which pod sent it.
    pub(crate) async fn take_job(&self) -> (usize, Job) {
        self.take_from(&self.queue).await
    }

    /// As `take_job`, of those that nobody waits for.
    pub(crate) async fn take_refresh(&self) -> (usize, Job) {
        self.take_from(&self.refresh_queue).await
    }

    async fn take_from(&self, queue: &MemoryQueue) -> (usize, Job) {
        let taken = queue.receive(1, Duration::from_secs(1), Duration::from_mins(1)).await.unwrap();
        let [delivery] = taken.as_slice() else { panic!("no job was sent") };
        queue.delete(std::slice::from_ref(&delivery.receipt)).await.unwrap();
        let job = Job::from_message(&delivery.body).unwrap();
        let reply_to = job.reply_to.clone().unwrap();
        let sender = (0..self.pods.len()).find(|pod| reply_to.as_str().contains(&member(*pod).to_string()));
        (sender.unwrap(), job)
    }

    /// The worker's part: bodies, then the manifest.
    pub(crate) async fn compile(&self, job: &Job, css: &'static str) {
        self.compile_at(job, css, Timestamp::now()).await;
    }

    /// As `compile`, by a worker that read the sources at this time.
    pub(crate) async fn compile_at(&self, job: &Job, css: &'static str, sources_read_at: Timestamp) {
        let digest = Digest::of(css.as_bytes());
        let encodings = vec![StoredBody { encoding: Encoding::Identity, length: css.len() as u64 }];
        let body = Bytes::from_static(css.as_bytes());
        write_body(&*self.store, &job.key(), &digest, Encoding::Identity, body).await.unwrap();
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            outcome: Outcome::Compiled { digest, encodings },
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

    pub(crate) async fn jobs_waiting(&self) -> u64 {
        self.queue.depth().await.unwrap().visible + self.refresh_queue.depth().await.unwrap().visible
    }
}

impl Pod {
    /// A visitor who waits in a task of their own.
    pub(crate) fn visitor(&self, path: &str) -> JoinHandle<Answer> {
        self.visitor_with(path, &[("host", "shop.example")])
    }

    pub(crate) fn visitor_with(&self, path: &str, headers: &[(&str, &str)]) -> JoinHandle<Answer> {
        let request = Request::get(path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(Body::empty()).unwrap();
        let public = self.public.clone();
        tokio::spawn(async move {
            let (parts, body) = public.oneshot(request).await.unwrap().into_parts();
            let body = to_bytes(Body::new(body), usize::MAX).await.unwrap();
            Answer { status: parts.status, headers: parts.headers, body }
        })
    }

    /// A page that listens for the style sheet: its answer, and then its events.
    pub(crate) async fn listen(&self, path: &str) -> BodyDataStream {
        let request = Request::get(format!("/_assets/live?path={path}")).header("host", "shop.example");
        let answer = self.public.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        Body::new(answer.into_body()).into_data_stream()
    }

    /// From now on this pod, and no other one, knows of this purge of everything.
    pub(crate) fn learn_of_purge(&self, at: Timestamp) {
        self.tenants.purges.lock().unwrap().add(Purge { scope: PurgeScope::Tenant, at });
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.visitor(path).await.unwrap()
    }

    /// The samples of this metric that are not zero, as they are scraped.
    pub(crate) fn samples(&self, name: &str) -> Vec<String> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let samples = text.lines().filter_map(|line| line.strip_prefix(name));
        samples.filter(|sample| !sample.ends_with(" 0")).map(str::to_owned).collect()
    }
}

fn live() -> LiveSettings {
    LiveSettings {
        max_streams: 10,
        max_streams_per_tenant: 10,
        max_watched: 10,
        max_watched_per_tenant: 10,
        refresh_every: Duration::from_secs(2),
        ended: CancellationToken::new(),
    }
}

/// What all tenants of a site are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tenancy {
    InProduction,
    InDevelopment,
}

/// Every host `<name>.example` is a tenant `<name>-g1`; with what one pod knows of their purges.
struct EveryHost {
    tenancy: Tenancy,
    purges: Mutex<Purges>,
}

#[async_trait]
impl Tenants for EveryHost {
    async fn lookup(&self, host: &HostName) -> Result<Option<Arc<Tenant>>, Error> {
        let Some(name) = host.as_str().strip_suffix(".example") else { return Ok(None) };
        Ok(Some(Arc::new(Tenant {
            development: self.tenancy == Tenancy::InDevelopment,
            purges: self.purges.lock().unwrap().clone(),
            ..Tenant::new(
                host.clone(),
                format!("{name}-g1").parse().unwrap(),
                "http://origin.example/".parse().unwrap(),
            )
        })))
    }
}
