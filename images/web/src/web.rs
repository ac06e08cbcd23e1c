//! One visit's way: tenant, memory, store, hold.

use std::{sync::Arc, time::Duration};

use axum::response::Response;
use jiff::Timestamp;
use pipeline::{
    Error, chain,
    direct::DirectNotices,
    key::Key,
    names::Fingerprint,
    notice::Notice,
    ports::{Queue, Store, Tenants},
    tenant::Tenant,
};

use tokio_util::task::TaskTracker;

use crate::{
    answer::{self, Layer},
    files::Files,
    hold::{HoldEnd, HoldSettings, Holds, Order, Way},
    metrics::{AnswerLabels, WebMetrics},
    negotiate::choose_encoding,
    policy::{ErrorDisplay, Policy, Staleness, Verdict},
    ready::{Mark, Repeatable},
    sns::SnsTopic,
    visit::{NoVisit, Visit},
};

/// What the web tier needs from the outside.
pub struct WebPorts {
    pub store: Arc<dyn Store>,
    pub queue: Arc<dyn Queue>,
    pub tenants: Arc<dyn Tenants>,
    /// For notices that belong to another pod; `None` in a process of one.
    pub direct: Option<DirectNotices>,
}

/// How the web tier works.
pub struct WebSettings {
    pub policy: Policy,
    pub hold: HoldSettings,
    /// The topic whose notices are believed; `None` where there is no SNS.
    pub topic: Option<SnsTopic>,
}

/// One web process.
pub struct Web {
    pub(crate) files: Arc<Files>,
    pub(crate) holds: Arc<Holds>,
    pub(crate) direct: Option<DirectNotices>,
    pub(crate) topic: Option<SnsTopic>,
    pub(crate) metrics: Arc<WebMetrics>,
    pub(crate) relays: TaskTracker,
    tenants: Arc<dyn Tenants>,
    policy: Policy,
    fingerprint: Fingerprint,
}

/// Why a visit has no verdict.
enum Unanswered {
    Held(HoldEnd),
    Port(Error),
}

impl Web {
    pub fn new(ports: WebPorts, settings: WebSettings, metrics: WebMetrics) -> Self {
        let WebPorts { store, queue, tenants, direct } = ports;
        let WebSettings { policy, hold, topic } = settings;
        let metrics = Arc::new(metrics);
        let files = Arc::new(Files::new(store));
        let fingerprint = hold.options.fingerprint();
        let holds = Arc::new(Holds::new(files.clone(), queue, hold, metrics.clone()));
        Self {
            files,
            holds,
            direct,
            topic,
            metrics,
            relays: TaskTracker::new(),
            tenants,
            policy,
            fingerprint,
        }
    }

    /// How long a held visitor waits at the most.
    pub fn hold(&self) -> Duration {
        self.holds.settings.hold
    }

    /// Takes a notice from a worker in this process.
    pub fn hear(&self, notice: &Notice) {
        self.holds.hint(&notice.key, Way::Direct);
    }

    /// Waits until what was begun for visitors and notices has ended; call after the listeners have stopped.
    pub async fn finish(&self) {
        self.relays.close();
        self.relays.wait().await;
        self.holds.finish().await;
    }

    /// Makes every answer be built anew, as after a change that no manifest tells.
    pub fn forget_ready(&self) {
        self.files.marks.change_all();
    }

    /// Counts a visit that a ready answer was given to.
    pub(crate) fn note_ready(&self, tenant: &Tenant) {
        self.metrics.hits.inc();
        tracing::trace!(tenant.id = %tenant.id, "gave a ready answer");
    }

    /// The whole answer to a visit.
    pub(crate) async fn answer(&self, visit: &Visit) -> Response {
        let (layer, response) = match self.tenants.lookup(&visit.host).await {
            Ok(Some(tenant)) => self.answer_tenant(visit, tenant).await,
            Ok(None) => (Layer::None, answer::no_visit(&NoVisit::UnknownHost)),
            Err(error) => (Layer::None, port_failed(&error)),
        };
        let labels = AnswerLabels { layer: layer.as_str(), status: response.status().as_u16() };
        self.metrics.answers.get_or_create(&labels).inc();
        response
    }

    async fn answer_tenant(&self, visit: &Visit, tenant: Arc<Tenant>) -> (Layer, Response) {
        let policy = self.policy_for(&tenant);
        let key = Key {
            fingerprint: self.fingerprint.clone(),
            tenant_id: tenant.id.clone(),
            path: visit.path.clone(),
        };
        // Before the manifest is read, so that no later change is missed.
        let mark = self.files.marks.take(&key);
        let order = Order { key, tenant, policy, asked_at: Timestamp::now() };
        match self.judge(&order).await {
            Ok((layer, verdict)) => (layer, self.respond(visit, &order, mark, layer, verdict).await),
            Err(Unanswered::Held(end)) => (Layer::Held, answer::not_in_time(end)),
            Err(Unanswered::Port(error)) => (Layer::None, port_failed(&error)),
        }
    }

    async fn judge(&self, order: &Order) -> Result<(Layer, Verdict), Unanswered> {
        let Order { key, policy, asked_at, tenant: _ } = order;
        if let Some(manifest) = self.files.remembered(key).await {
            let verdict = policy.judge(Some(&manifest), *asked_at);
            let is_refreshing = matches!(verdict, Verdict::Serve { .. }) && self.holds.is_open(key);
            if verdict.is_settled() || is_refreshing {
                return Ok((Layer::Memory, verdict));
            }
        }
        let manifest = self.files.read(key).await.map_err(Unanswered::Port)?;
        let verdict = policy.judge(manifest.as_deref(), *asked_at);
        match verdict {
            Verdict::Wait => {
                let manifest = self.holds.wait(order.clone()).await.map_err(Unanswered::Held)?;
                Ok((Layer::Held, policy.judge_answer(&manifest, Timestamp::now())))
            }
            Verdict::Serve { staleness: Staleness::Refresh, .. } => {
                self.holds.refresh(order.clone());
                Ok((Layer::Store, verdict))
            }
            Verdict::Serve { .. } | Verdict::Fail { .. } => Ok((Layer::Store, verdict)),
        }
    }

    async fn respond(
        &self,
        visit: &Visit,
        order: &Order,
        mark: Mark,
        layer: Layer,
        verdict: Verdict,
    ) -> Response {
        match verdict {
            Verdict::Serve { good, age, staleness } => {
                let encoding = choose_encoding(visit.accept_encoding.as_deref(), &good.encodings);
                let now = Timestamp::now();
                let file = answer::File {
                    digest: &good.digest,
                    encoding,
                    modified_at: good.modified(),
                    age,
                    staleness,
                    layer,
                    policy: &order.policy,
                    now,
                    took: now.duration_since(order.asked_at).try_into().unwrap_or_default(),
                };
                if file.is_known_to(visit) {
                    return file.not_modified(visit);
                }
                match self.files.body(&order.key, &good, encoding).await {
                    Ok(body) => {
                        let repeatable = Repeatable::of(&file, visit, &order.tenant, mark, &body);
                        let mut answer = file.serve(visit, body);
                        repeatable.and_then(|repeatable| answer.extensions_mut().insert(repeatable));
                        answer
                    }
                    Err(error) => port_failed(&error),
                }
            }
            Verdict::Fail { failure, message } => answer::failed(failure, &message),
            Verdict::Wait => answer::not_in_time(HoldEnd::Deadline),
        }
    }

    fn policy_for(&self, tenant: &Tenant) -> Policy {
        if tenant.development {
            Policy { errors: ErrorDisplay::Show, failure_age: Duration::ZERO, ..self.policy }
        } else {
            self.policy
        }
    }
}

fn port_failed(error: &Error) -> Response {
    tracing::error!(error = chain(error), "could not answer a visitor");
    answer::unavailable("the style sheet cannot be looked up now; ask again", error.retry_after)
}
