//! One visit's way: tenant, memory, store, hold.

use std::{sync::Arc, time::Duration};

use axum::response::Response;
use jiff::Timestamp;
use pipeline::{
    Error, ErrorKind, chain,
    direct::Direct,
    job::Task,
    key::{AssetPath, Key},
    manifest::Manifest,
    names::{Digest, HostName},
    notice::Notice,
    ports::{Queue, Store, Tenants},
    rate::{RateLimit, RateLimits},
    tenant::Tenant,
};

use prometheus_client::registry::Registry;
use tokio_util::task::TaskTracker;

use crate::{
    answer::{self, Layer, file::is_prefix},
    breaker::Refusal,
    files::Files,
    fingerprints::Fingerprints,
    fleet::{Fleet, WaitRequest},
    gauges::Gauges,
    hold::{Accepts, HoldEnd, HoldParts, HoldSettings, Holds, Order, Purpose, Way},
    limits::{Limit, Limits, LookUp, TenantLimiter, TooMany},
    live::{Live, LiveSettings},
    lookups::Lookups,
    metrics::{AnswerLabels, WebMetrics},
    negotiate::choose_encoding,
    policy::{Backoff, ErrorDisplay, Policy, Staleness, Verdict},
    purge::{DependencyPurges, hint},
    ready::{Mark, Repeatable},
    sns::SnsTopic,
    visit::{NoVisit, Told, Visit},
};

/// What the web tier needs from the outside.
pub struct WebPorts {
    pub store: Arc<dyn Store>,
    /// For jobs that visitors wait for.
    pub queue: Arc<dyn Queue>,
    /// For jobs that nobody waits for.
    pub refresh_queue: Arc<dyn Queue>,
    pub tenants: Arc<dyn Tenants>,
    /// For notices that belong to another pod; `None` in a process of one.
    pub direct: Option<Arc<dyn Direct>>,
    pub fleet: Arc<Fleet>,
}

/// How the web tier works.
pub struct WebSettings {
    pub policy: Policy,
    pub hold: HoldSettings,
    /// How much each tenant may ask of this process.
    pub limits: RateLimits,
    /// The topic whose notices are believed; `None` where there is no SNS.
    pub topic: Option<SnsTopic>,
}

/// One web process.
pub struct Web {
    pub(crate) files: Arc<Files>,
    pub(crate) holds: Arc<Holds>,
    lookups: Lookups,
    pub(crate) direct: Option<Arc<dyn Direct>>,
    pub(crate) topic: Option<SnsTopic>,
    pub(crate) metrics: Arc<WebMetrics>,
    pub(crate) relays: TaskTracker,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) fingerprints: Fingerprints,
    /// `None` where live reload is off.
    pub(crate) live: Option<Live>,
    pub(crate) tenants: Arc<dyn Tenants>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) limits: Limits,
    dependencies: DependencyPurges,
    pub(crate) hints: RateLimit,
    policy: Policy,
}

/// What an answer is given again under.
struct Keep {
    mark: Mark,
    limiter: Arc<TenantLimiter>,
}

/// What is known of a visit before anybody is held.
enum Judged<'w> {
    Settled(Layer, Verdict),
    /// A job has to end first. The look-up that was paid for lasts until then, so that nobody who joins
    /// pays again.
    Wait(Option<Box<LookUp<'w>>>),
}

/// Why a visit has no verdict.
pub(crate) enum Unanswered {
    Held(HoldEnd),
    TooMany(TooMany),
    OriginLeftAlone(Refusal),
    Port(Error),
}

impl Web {
    pub fn new(ports: WebPorts, settings: WebSettings, metrics: WebMetrics) -> Self {
        let WebPorts { store, queue, refresh_queue, tenants, direct, fleet } = ports;
        let WebSettings { policy, hold, limits, topic } = settings;
        let metrics = Arc::new(metrics);
        let dependencies = DependencyPurges::new(store.clone());
        let files = Arc::new(Files::new(store.clone()));
        let fingerprints = Fingerprints::new(&hold.options);
        let around = HoldParts {
            files: files.clone(),
            queue,
            refresh_queue,
            fleet: fleet.clone(),
            metrics: metrics.clone(),
        };
        let holds = Arc::new(Holds::new(around, hold));
        Self {
            lookups: Lookups::new(files.clone()),
            files,
            holds,
            direct,
            topic,
            limits: Limits::new(limits, metrics.clone()),
            metrics,
            relays: TaskTracker::new(),
            fleet,
            fingerprints,
            live: None,
            tenants,
            store,
            dependencies,
            hints: hint::limit(),
            policy,
        }
    }

    /// Adds what is true at the moment of a scrape.
    pub fn register(&self, registry: &mut Registry) {
        let gauges = Gauges { holds: self.holds.clone(), fleet: self.fleet.clone() };
        registry.register_collector(Box::new(gauges));
    }

    /// Tells pages of changes, too.
    pub fn with_live_reload(self, settings: LiveSettings) -> Self {
        Self { live: Some(Live::new(settings)), ..self }
    }

    /// How long a held visitor waits at the most.
    pub fn hold(&self) -> Duration {
        self.holds.settings.hold
    }

    /// Takes a notice from a worker in this process.
    pub fn hear(&self, notice: &Notice) {
        self.holds.hint(&notice.key, Way::Direct);
    }

    /// Holds nobody new from now on, be it a visitor or another pod; those who are held stay.
    pub fn drain(&self) {
        self.fleet.leave();
        self.holds.drain();
    }

    /// Returns when no other pod waits here any more; call after `drain`.
    pub async fn until_peers_are_answered(&self) {
        self.holds.until_peers_are_answered().await;
    }

    /// Ends what was begun for visitors, other pods and notices; call after the visitors are gone.
    pub async fn finish(&self) {
        let live = async {
            if let Some(live) = &self.live {
                live.finish().await;
            }
        };
        // Beside each other: a page's watcher may be reading, and other pods wait for a word from here.
        tokio::join!(live, self.holds.finish());
        self.relays.close();
        self.relays.wait().await;
    }

    /// What another pod waits for, by the policy of this one.
    pub(crate) fn order_of(&self, request: WaitRequest) -> Order {
        let WaitRequest { key, tenant, asked_at, accepts, purged, task, purpose, traceparent, .. } = request;
        let mut policy = self.policy_for(&tenant, &key.path);
        policy.purged = policy.purged.max(purged);
        let traceparent = traceparent.map(Into::into);
        Order { key, tenant: Arc::new(tenant), policy, asked_at, accepts, task, purpose, traceparent }
    }

    /// Makes every answer be built anew, as after a change that no manifest tells.
    pub fn forget_ready(&self) {
        self.files.marks.change_all();
    }

    /// Counts a visit that there is a ready answer to.
    pub(crate) fn note_ready(&self, limiter: &TenantLimiter) -> Result<(), TooMany> {
        limiter.take(Limit::Requests)?;
        self.metrics.hits.inc();
        Ok(())
    }

    /// As [`Web::note_ready`], where who is refused here is refused, and counted, on the ordinary way.
    pub(crate) fn try_note_ready(&self, limiter: &TenantLimiter) -> bool {
        let is_taken = limiter.try_take_request();
        if is_taken {
            self.metrics.hits.inc();
        }
        is_taken
    }

    /// The whole answer to a visit.
    #[expect(clippy::manual_async_fn, reason = "an async fn has room for each of its arguments twice")]
    pub(crate) fn answer<'w>(&'w self, visit: &'w mut Visit) -> impl Future<Output = Response> + Send + 'w {
        async move {
            let (mut order, keep) = match self.begin(visit).await {
                Ok(begun) => begun,
                Err(refusal) => return self.count(Layer::None, refusal),
            };
            let found = self.find(visit, &mut order, &keep.limiter).await;
            let (layer, response) = Box::pin(self.respond(visit, &order, keep, found)).await;
            self.count(layer, response)
        }
    }

    pub(crate) fn count(&self, layer: Layer, response: Response) -> Response {
        let labels = AnswerLabels { layer: layer.as_str(), status: response.status().as_u16() };
        self.metrics.answers.get_or_create(&labels).inc();
        response
    }

    /// The tenant of a host, or why there is none, as an answer.
    pub(crate) async fn find_tenant(&self, host: &HostName) -> Result<Arc<Tenant>, Response> {
        match self.tenants.lookup(host).await {
            Ok(Some(tenant)) => Ok(tenant),
            Ok(None) => Err(answer::no_visit(&NoVisit::UnknownHost)),
            Err(Error { kind: ErrorKind::Throttled, retry_after, .. }) => {
                let retry_after = retry_after.unwrap_or_default();
                Err(answer::limited("too many hosts are looked up; ask again", retry_after))
            }
            Err(error) => Err(port_failed(&error)),
        }
    }

    /// What is known of a visit before its style sheet is looked for, or why it is not.
    async fn begin(&self, visit: &mut Visit) -> Result<(Order, Keep), Response> {
        let tenant = self.find_tenant(&visit.host).await?;
        // One text for all who ask for the host.
        visit.host = tenant.host.clone();
        let limiter = self.limits.of(&tenant);
        limiter.take(Limit::Requests).map_err(|too_many| answer::rate_limited(&too_many))?;
        let traceparent = visit.traceparent.take();
        let order = Order { traceparent, ..self.order_now(tenant, visit.path.clone()) };
        // Before the manifest is read, so that no later change is missed.
        let keep = Keep { mark: self.files.marks.take(&order.key), limiter };
        Ok((order, keep))
    }

    /// The order of somebody who asks for the tenant's style sheet now.
    pub(crate) fn order_now(&self, tenant: Arc<Tenant>, path: AssetPath) -> Order {
        let policy = self.policy_for(&tenant, &path);
        let key = self.key_of(&tenant, path);
        Order {
            key,
            tenant,
            policy,
            asked_at: Timestamp::now(),
            accepts: Accepts::Served,
            task: Task::Compile,
            purpose: Purpose::Visit,
            traceparent: None,
        }
    }

    /// The name of a tenant's style sheet.
    pub(crate) fn key_of(&self, tenant: &Tenant, path: AssetPath) -> Key {
        let fingerprint = self.fingerprints.of(tenant).clone();
        Key { fingerprint, tenant_id: tenant.id.clone(), path }
    }

    /// The verdict, at once or after a hold. Visitors who wait keep neither what comes before and after a
    /// hold, which is boxed, nor what only answers from memory need.
    #[expect(clippy::manual_async_fn, reason = "as with `answer`")]
    fn find<'w>(
        &'w self,
        visit: &'w mut Visit,
        order: &'w mut Order,
        limiter: &'w TenantLimiter,
    ) -> impl Future<Output = Result<(Layer, Verdict), Unanswered>> + Send + 'w {
        async move {
            let _paid = match Box::pin(self.judge(visit, order, limiter)).await? {
                Judged::Settled(layer, verdict) => return Ok((layer, verdict)),
                Judged::Wait(paid) => paid,
            };
            visit.place = None;
            let manifest = self.wait(&visit.host, order).await?;
            Ok((Layer::Held, order.policy.judge_answer(&manifest, Timestamp::now())))
        }
    }

    async fn judge<'w>(
        &'w self,
        visit: &Visit,
        order: &Order,
        limiter: &TenantLimiter,
    ) -> Result<Judged<'w>, Unanswered> {
        let Order { key, policy, asked_at, .. } = order;
        let remembered = Box::pin(self.judge_remembered(order)).await?;
        let digest = remembered.as_ref().and_then(Verdict::digest);
        let is_outdated = self.is_outdated(digest, visit.version.as_deref(), visit.told);
        let stale = match remembered {
            Some(verdict) if !is_outdated && verdict.is_settled() => {
                return Ok(Judged::Settled(Layer::Memory, verdict));
            }
            // It is being refreshed.
            Some(verdict @ Verdict::Serve { .. }) if !is_outdated && self.holds.is_open(key) => {
                return Ok(Judged::Settled(Layer::Memory, verdict));
            }
            Some(verdict @ Verdict::Serve { .. }) => Some(verdict),
            Some(Verdict::Fail { .. } | Verdict::Wait) | None => None,
        };
        // Who joins a hold or a look-up pays nothing, and is held until the hold ends.
        let is_free = self.holds.is_joined_by(order) || self.lookups.is_under_way(key);
        let paid = if is_free { Ok(None) } else { self.limits.look_up(key, limiter) };
        let paid = paid.map(|paid| paid.map(Box::new));
        let or_stale = |why| stale.map(|stale| Judged::Settled(Layer::Memory, stale)).ok_or(why);
        let paid = match paid {
            Ok(paid) => paid,
            Err(too_many) => return or_stale(Unanswered::TooMany(too_many)),
        };
        let manifest = match self.lookups.read(key).await {
            Ok(manifest) => manifest,
            Err(error) => {
                tracing::warn!(%key, error = chain(&error), "could not read a manifest");
                return or_stale(Unanswered::Port(error));
            }
        };
        let policy = match &manifest {
            Some(manifest) => self.policy_on(order, manifest).await?,
            None => *policy,
        };
        let verdict = policy.judge(manifest.as_deref(), *asked_at);
        match verdict {
            Verdict::Wait => {
                let verdict = self.admit(order, limiter, manifest.as_deref())?;
                Ok(verdict.map_or(Judged::Wait(paid), |verdict| Judged::Settled(Layer::Store, verdict)))
            }
            Verdict::Serve { staleness: Staleness::Refresh, .. } => {
                if self.holds.breakers.admit(&order.tenant.origin).is_ok() {
                    self.holds.refresh(order.clone());
                }
                Ok(Judged::Settled(Layer::Store, verdict))
            }
            Verdict::Serve { .. } | Verdict::Fail { .. } => Ok(Judged::Settled(Layer::Store, verdict)),
        }
    }

    /// Whether the visit's page was told of something else than what memory holds, by a pod that knew more.
    /// The look at the store that follows counts as a miss.
    pub(crate) fn is_outdated(&self, remembered: Option<&Digest>, version: Option<&str>, told: Told) -> bool {
        let is_named = || version.zip(remembered).is_some_and(|(version, digest)| is_prefix(version, digest));
        self.live.is_some() && told == Told::OfAChange && !is_named()
    }

    /// What this pod remembers comes to, without a look at the store.
    async fn judge_remembered(&self, order: &Order) -> Result<Option<Verdict>, Unanswered> {
        let Some(manifest) = self.files.remembered(&order.key).await else { return Ok(None) };
        let policy = self.policy_on(order, &manifest).await?;
        if policy.is_purged(manifest.sources_read_at) {
            // What was kept of it for other visits goes, too.
            self.files.marks.change(&order.key);
        }
        Ok(Some(policy.judge(Some(&manifest), order.asked_at)))
    }

    pub(crate) async fn policy_on(&self, order: &Order, manifest: &Manifest) -> Result<Policy, Unanswered> {
        Box::pin(self.dependencies.policy_on(order, manifest)).await.map_err(Unanswered::Port)
    }

    /// Whether a job may be sent for a visitor who cannot be answered without one; the verdict where its
    /// origin is left alone, and something is known that can be served.
    fn admit(
        &self,
        order: &Order,
        limiter: &TenantLimiter,
        manifest: Option<&Manifest>,
    ) -> Result<Option<Verdict>, Unanswered> {
        let Order { policy, asked_at, tenant, .. } = order;
        if self.holds.is_joined_by(order) {
            return Ok(None);
        }
        let breakers = &self.holds.breakers;
        let mut refusal = breakers.refusal(&tenant.origin);
        if refusal.is_none() {
            if manifest.and_then(Manifest::good).is_none() {
                limiter.take(Limit::ColdPaths).map_err(Unanswered::TooMany)?;
            }
            refusal = breakers.admit(&tenant.origin).err();
        }
        let Some(refusal) = refusal else { return Ok(None) };
        let verdict = manifest.and_then(|manifest| policy.judge_without_origin(manifest, *asked_at));
        verdict.map(Some).ok_or(Unanswered::OriginLeftAlone(refusal))
    }

    /// Whether a job may be sent for nobody but a page that listens.
    pub(crate) fn may_send(&self, order: &Order, manifest: Option<&Manifest>) -> bool {
        matches!(self.admit(order, &self.limits.of(&order.tenant), manifest), Ok(None))
    }

    async fn respond(
        &self,
        visit: &Visit,
        order: &Order,
        keep: Keep,
        found: Result<(Layer, Verdict), Unanswered>,
    ) -> (Layer, Response) {
        match found {
            Ok((layer, verdict)) => (layer, self.serve(visit, order, keep, layer, verdict).await),
            Err(Unanswered::Held(end)) => (Layer::Held, answer::not_in_time(end)),
            Err(Unanswered::TooMany(too_many)) => (Layer::None, answer::rate_limited(&too_many)),
            Err(Unanswered::OriginLeftAlone(refusal)) => (Layer::None, answer::origin_left_alone(&refusal)),
            Err(Unanswered::Port(error)) => (Layer::None, port_failed(&error)),
        }
    }

    async fn serve(
        &self,
        visit: &Visit,
        order: &Order,
        keep: Keep,
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
                    engine: &good.engine,
                    policy: &order.policy,
                    now,
                    took: now.duration_since(order.asked_at).try_into().unwrap_or_default(),
                };
                if file.is_known_to(visit) {
                    return file.not_modified(visit);
                }
                match self.files.body(&order.key, &good, encoding).await {
                    Ok(body) => {
                        let repeatable = Repeatable::of(&file, visit, keep.limiter, keep.mark, &body);
                        let mut answer = file.serve(visit, body);
                        repeatable.and_then(|repeatable| answer.extensions_mut().insert(repeatable));
                        answer
                    }
                    Err(error) => port_failed(&error),
                }
            }
            Verdict::Fail { failure, message, engine } => answer::failed(failure, &message, &engine),
            Verdict::Wait => answer::not_in_time(HoldEnd::Deadline),
        }
    }

    pub(crate) fn policy_for(&self, tenant: &Tenant, path: &AssetPath) -> Policy {
        let purged = tenant.purges.at_most_of_path(path);
        if tenant.development {
            let backoff = Backoff::DEVELOPMENT.or_sooner(self.policy.backoff);
            Policy { errors: ErrorDisplay::Show, backoff, purged, ..self.policy }
        } else {
            Policy { purged, ..self.policy }
        }
    }
}

fn port_failed(error: &Error) -> Response {
    tracing::error!(error = chain(error), "could not answer a visitor");
    answer::unavailable("the style sheet cannot be looked up now; ask again", error.retry_after)
}
