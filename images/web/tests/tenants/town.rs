//! One web process with several tenants, whose worker is the test.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use pipeline::{
    embedded::{MemoryQueue, MemoryStore},
    job::Job,
    key::{Encoding, Key},
    manifest::{Closure, MANIFEST_VERSION, Manifest, Outcome, StoredBody},
    names::{Digest, JobId},
    options::CompileOptions,
    ports::{Condition, Queue, Store},
    rate::RateLimits,
    record::{write_body, write_manifest},
    registry::StoreTenants,
    settings::OnOff,
    tenant::{REGISTRATION_VERSION, Registration, Tenant, registry_object},
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::task::JoinHandle;
use tower::ServiceExt;
use web::{
    ErrorDisplay, HoldSettings, Policy, PublicService, Web, WebPorts, WebSettings, metrics::WebMetrics,
    public_service,
};

pub(crate) const POLICY: Policy = Policy {
    errors: ErrorDisplay::Status,
    max_age: Duration::from_mins(5),
    max_stale: Duration::from_hours(24),
    backoff: web::Backoff::PRODUCTION,
    purged: None,
};

/// Far above what a test does.
pub(crate) const UNLIMITED: RateLimits = RateLimits {
    requests_per_second: NonZeroU32::MAX,
    misses_per_second: NonZeroU32::MAX,
    cold_paths_per_minute: NonZeroU32::MAX,
};

pub(crate) struct Town {
    pub(crate) public: PublicService,
    pub(crate) queue: Arc<MemoryQueue>,
    store: Arc<MemoryStore>,
    registry: Registry,
}

impl Town {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self::with(limits, POLICY)
    }

    pub(crate) fn with(limits: RateLimits, policy: Policy) -> Self {
        let (store, queue) = (Arc::new(MemoryStore::default()), Arc::new(MemoryQueue::new(100)));
        let mut registry = Registry::default();
        let ports = WebPorts {
            store: store.clone(),
            queue: queue.clone(),
            // Which job goes where does not matter here.
            refresh_queue: queue.clone(),
            tenants: Arc::new(StoreTenants::new(store.clone())),
            direct: None,
            fleet: Arc::new(web::Fleet::alone()),
        };
        let hold = HoldSettings {
            hold: Duration::from_secs(25),
            max_held: 1000,
            max_held_of_tenant: 1000,
            max_waits: 10,
            recheck: OnOff::On,
            reply_to: None,
            options: CompileOptions::default(),
        };
        let settings = WebSettings { policy, hold, limits, topic: None };
        let web = Web::new(ports, settings, WebMetrics::register(&mut registry));
        Self { public: public_service(Arc::new(web)), queue, store, registry }
    }

    /// Registers a host; its tenant's id and origin are made from `name`.
    pub(crate) async fn settle(&self, host: &str, name: &str) {
        self.settle_limited(host, name, None).await;
    }

    pub(crate) async fn settle_limited(&self, host: &str, name: &str, limits: Option<RateLimits>) {
        let tenant = Tenant {
            limits,
            ..Tenant::new(
                host.parse().unwrap(),
                format!("{name}-g1").parse().unwrap(),
                format!("http://{name}.origin.example/").parse().unwrap(),
            )
        };
        let registration = Registration {
            version: REGISTRATION_VERSION,
            owner: "test".to_owned(),
            label: name.to_owned(),
            generation: 1,
            tenant,
        };
        let name = registry_object(&registration.tenant.host);
        let body = serde_json::to_vec(&registration).unwrap();
        self.store.put(&name, body.into(), Condition::None).await.unwrap();
    }

    pub(crate) fn key(name: &str, path: &str) -> Key {
        Key {
            fingerprint: CompileOptions::default().fingerprint(),
            tenant_id: format!("{name}-g1").parse().unwrap(),
            path: path.parse().unwrap(),
        }
    }

    /// Ends a job of the key as if one had been sent, `age` ago.
    pub(crate) async fn write(&self, key: &Key, outcome: Outcome, age: SignedDuration) {
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            outcome,
            closure: Closure::default(),
            sources_read_at: Timestamp::now() - age,
            engine: "grass/0".to_owned(),
            job: JobId::random(),
            failures: 0,
            last_good: None,
            modified_at: None,
        };
        write_manifest(&*self.store, key, manifest).await.unwrap();
    }

    /// Stores what the key's style sheet would be: `css` as it is, and two codings of it.
    pub(crate) async fn compiled(&self, key: &Key, css: &str) -> Outcome {
        let digest = Digest::of(css.as_bytes());
        let mut encodings = Vec::new();
        for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Br] {
            let body = coded(css, encoding);
            encodings.push(StoredBody { encoding, length: body.len() as u64 });
            write_body(&*self.store, key, &digest, encoding, body).await.unwrap();
        }
        Outcome::Compiled { digest, encodings }
    }

    pub(crate) async fn get(&self, host: &str, path: &str) -> Answer {
        let request = Request::get(path).header("host", host).body(Body::empty()).unwrap();
        send(&self.public, request).await
    }

    /// A visitor who waits in a task of their own.
    pub(crate) fn visitor(&self, host: &str, path: &str) -> JoinHandle<Answer> {
        let request = Request::get(path).header("host", host).body(Body::empty()).unwrap();
        let public = self.public.clone();
        tokio::spawn(async move { send(&public, request).await })
    }

    /// Takes the one job that is there, or will be within a second.
    pub(crate) async fn take_job(&self) -> Job {
        let taken = self.queue.receive(1, Duration::from_secs(1), Duration::from_mins(1)).await.unwrap();
        let [delivery] = taken.as_slice() else { panic!("no job was sent") };
        self.queue.delete(std::slice::from_ref(&delivery.receipt)).await.unwrap();
        Job::from_message(&delivery.body).unwrap()
    }

    /// Ends the next job.
    pub(crate) async fn end(&self, outcome: Outcome) {
        let job = self.take_job().await;
        self.write(&job.key(), outcome, SignedDuration::ZERO).await;
    }

    pub(crate) async fn jobs_waiting(&self) -> u64 {
        self.queue.depth().await.unwrap().visible
    }

    /// A line of the metrics, such as `assets_web_jobs_sent_total`, or nothing where it was never counted.
    pub(crate) fn count(&self, series: &str) -> u64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }
}

/// What the tests take for a content coding.
pub(crate) fn coded(css: &str, encoding: Encoding) -> Bytes {
    match encoding {
        Encoding::Identity => css.to_owned(),
        Encoding::Gzip | Encoding::Br | Encoding::Br11 => format!("{encoding} of {css}"),
    }
    .into()
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

pub(crate) async fn send(service: &PublicService, request: Request<Body>) -> Answer {
    let (parts, body) = service.clone().oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(Body::new(body), usize::MAX).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, body }
}
