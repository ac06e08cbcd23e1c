//! Holding visitors: one job for each key that somebody waits for, however many wait.
//!
//! Owns this pod's holds, be it that visitors wait here or that other pods wait here for theirs. What
//! brings a hold to its end is its driver's: a job of our own (`drive`), or the key's owner (`forward`).

mod drive;
mod forward;
mod places;

use std::{
    collections::HashMap,
    future::ready,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use drive::Driver;
use futures::future::Either;
use jiff::Timestamp;
use pin_project_lite::pin_project;
use pipeline::{
    job::Task, key::Key, manifest::Manifest, names::JobId, options::CompileOptions, ports::Queue,
    settings::OnOff, tenant::Tenant, trace::TraceParent,
};
use places::{NoPlace, Place, Places};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Notify, Semaphore, mpsc, watch},
    time::{Instant, Timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;
use url::Url;

use crate::{
    breaker::Breakers,
    files::Files,
    fleet::Fleet,
    metrics::{RefusalLabels, WayLabels, WebMetrics},
    policy::Policy,
};

/// Refreshes that one pod has under way at the same time: at 4 kB each, 40 MB. Beyond them, stale files wait
/// for their refresh.
const MAX_REFRESHES: usize = 10_000;
/// How many of them may be one tenant's.
const MAX_REFRESHES_OF_TENANT: usize = MAX_REFRESHES / 2;
/// Hints that one hold remembers; one is enough to make it look.
const HINTS: usize = 4;

/// How visitors are held.
#[derive(Debug, Clone)]
pub struct HoldSettings {
    /// How long a visitor waits at the most.
    pub hold: Duration,
    /// Visitors who may wait at the same time in this process.
    pub max_held: usize,
    /// How many of them may belong to one tenant.
    pub max_held_of_tenant: usize,
    /// Waits of other pods that may be open at the same time in this process; one per key and pod.
    pub max_waits: usize,
    /// Whether the store is asked again while visitors wait.
    pub recheck: OnOff,
    /// Where workers send the direct notice; `None` in a process of one.
    pub reply_to: Option<Url>,
    pub options: CompileOptions,
}

/// What has to be compiled for whom.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) key: Key,
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) policy: Policy,
    pub(crate) asked_at: Timestamp,
    pub(crate) accepts: Accepts,
    /// What whoever asks knows of a manifest; this pod may know more.
    pub(crate) task: Task,
    pub(crate) purpose: Purpose,
    /// The W3C trace context that the request came with, unchecked.
    pub(crate) traceparent: Option<Arc<str>>,
}

/// Which manifests answer an order, beside that of the job that was sent for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Accepts {
    /// One that would be served to a visit now.
    #[default]
    Served,
    /// Only one that was made from sources read since: somebody looks for a change.
    Newer,
}

impl Order {
    /// Whether the manifest answers those who wait: it is that of the job that was sent for them, was
    /// made from sources that were read after they asked, or, where no newer one is looked for, would be
    /// served to a visit now. What was made from sources that were read before a purge answers nobody.
    fn is_answered_by(&self, manifest: &Manifest, job: Option<&JobId>, now: Timestamp) -> bool {
        let is_newer = job == Some(&manifest.job) || manifest.sources_read_at >= self.asked_at;
        let is_news = is_newer && !self.policy.is_purged(manifest.sources_read_at);
        match self.accepts {
            Accepts::Served => is_news || self.policy.judge(Some(manifest), now).is_settled(),
            Accepts::Newer => is_news,
        }
    }

    /// A manifest whose sources were read before this is too old for whoever asks.
    fn not_before(&self) -> Timestamp {
        self.policy.purged.map_or(self.asked_at, |purged| purged.max(self.asked_at))
    }
}

/// What a job is for, by its urgency: what visitors wait for is never left to a refresh.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Purpose {
    /// Nobody waits: what there is, is served meanwhile.
    Refresh,
    /// Visitors wait.
    #[default]
    Visit,
}

/// For whom a hold is joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiter {
    /// A visitor of this pod: the key's owner is asked first.
    Visitor,
    /// Another pod, for its visitors: this pod acts as the owner, whoever is.
    Peer,
}

/// By which way the news of a manifest came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Direct,
    Sns,
    Recheck,
    /// The key's owner answered.
    Owner,
}

impl Way {
    fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Sns => "sns",
            Self::Recheck => "recheck",
            Self::Owner => "owner",
        }
    }
}

/// Why a held visitor gets no style sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HoldEnd {
    #[error("the style sheet is still being compiled; ask again")]
    Deadline,
    #[error("too many visitors are waiting; ask again")]
    Full,
    #[error("the job could not be sent; ask again")]
    Failed,
    #[error("this server is about to stop; ask again")]
    Draining,
}

/// The manifest that answers everybody who waits, and the job that was sent for it, if one was.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) job: Option<JobId>,
}

/// What ended a hold. `None` while it is open.
type Outcome = Option<Result<Ended, HoldEnd>>;

/// What holds need from the rest of the process.
pub(crate) struct HoldParts {
    pub(crate) files: Arc<Files>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) refresh_queue: Arc<dyn Queue>,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) metrics: Arc<WebMetrics>,
}

/// All holds of one process.
pub(crate) struct Holds {
    pub(crate) settings: HoldSettings,
    parts: HoldParts,
    /// Told of what became of each job.
    pub(crate) breakers: Breakers,
    places: Arc<Places>,
    waits: Semaphore,
    refreshes: Arc<Places>,
    by_key: Mutex<HashMap<Key, Hold>>,
    drivers: TaskTracker,
    /// Nobody new is held.
    draining: CancellationToken,
    /// Every hold ends.
    ending: CancellationToken,
}

/// One key's hold, as visitors and notices see it.
struct Hold {
    started: Instant,
    /// The purge that its job was told of: whoever knows of a later one needs another job.
    purged: Option<Timestamp>,
    purpose: Purpose,
    hints: mpsc::Sender<Way>,
    /// Told when another pod waits here, so that the hold has to be the owner's.
    owning: Arc<Notify>,
    outcome: watch::Receiver<Outcome>,
}

impl Holds {
    pub(crate) fn new(parts: HoldParts, settings: HoldSettings) -> Self {
        Self {
            places: Arc::new(Places::new(settings.max_held, settings.max_held_of_tenant)),
            waits: Semaphore::new(settings.max_waits),
            refreshes: Arc::new(Places::new(MAX_REFRESHES, MAX_REFRESHES_OF_TENANT)),
            settings,
            breakers: Breakers::new(parts.metrics.clone()),
            parts,
            by_key: Mutex::default(),
            drivers: TaskTracker::new(),
            draining: CancellationToken::new(),
            ending: CancellationToken::new(),
        }
    }

    /// Waits until a job has ended that answers the order, having one sent where none is under way. A
    /// visitor who leaves frees the place; the job goes on.
    pub(crate) fn wait(
        self: &Arc<Self>,
        order: &Order,
        deadline: Instant,
    ) -> impl Future<Output = Result<Arc<Manifest>, HoldEnd>> + Send + use<> {
        match self.begin_wait(order) {
            Ok((place, outcome)) => {
                let ended = end_of(outcome, deadline);
                Either::Left(Waiting { place, ended, holds: self.clone() })
            }
            Err(end) => Either::Right(ready(Err(end))),
        }
    }

    fn begin_wait(self: &Arc<Self>, order: &Order) -> Result<(Place, watch::Receiver<Outcome>), HoldEnd> {
        if self.is_draining() {
            return Err(self.refuse("draining", HoldEnd::Draining));
        }
        let place = match self.places.take(&order.key.tenant_id) {
            Ok(place) => place,
            Err(NoPlace::ForTenant) => return Err(self.refuse("tenant", HoldEnd::Full)),
            Err(NoPlace::ForAnybody) => return Err(self.refuse("total", HoldEnd::Full)),
        };
        Ok((place, self.join(order, Waiter::Visitor)?))
    }

    /// As `wait`, for another pod's visitors: longer, since each of them has a deadline of their own.
    pub(crate) async fn wait_for_peer(self: &Arc<Self>, order: &Order) -> Result<Ended, HoldEnd> {
        let deadline = Instant::now() + 2 * self.settings.hold;
        if self.is_draining() {
            return Err(HoldEnd::Draining);
        }
        let _wait = self.waits.try_acquire().map_err(|_| HoldEnd::Full)?;
        end_of(self.join(order, Waiter::Peer)?, deadline).await.unwrap_or(Err(HoldEnd::Deadline))
    }

    /// Has a job sent where none is under way, and does not wait for it. Where too many are under way
    /// already, a later visit asks again.
    pub(crate) fn refresh(self: &Arc<Self>, order: Order) {
        if !self.is_draining() {
            let _ = self.join(&Order { purpose: Purpose::Refresh, ..order }, Waiter::Visitor);
        }
    }

    /// Holds nobody new from now on.
    pub(crate) fn drain(&self) {
        self.draining.cancel();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Returns when no other pod waits here any more; call after `drain`.
    pub(crate) async fn until_peers_are_answered(&self) {
        // The semaphore is never closed, and has as many permits as it was made with.
        let all = u32::try_from(self.settings.max_waits).unwrap_or(u32::MAX);
        let _ = self.waits.acquire_many(all).await;
    }

    /// Ends every hold, and waits until that is done: whoever still waits has to ask elsewhere.
    pub(crate) async fn finish(&self) {
        self.drain();
        self.ending.cancel();
        self.drivers.close();
        self.drivers.wait().await;
    }

    /// Whether a job of this key is under way.
    pub(crate) fn is_open(&self, key: &Key) -> bool {
        self.lock().contains_key(key)
    }

    /// Whether a job is under way that the order would be answered by.
    pub(crate) fn is_joined_by(&self, order: &Order) -> bool {
        self.lock().get(&order.key).is_some_and(|hold| self.is_for(hold, order))
    }

    /// Makes the key's hold look at the store, if there is one.
    pub(crate) fn hint(&self, key: &Key, way: Way) {
        self.parts.metrics.notices.get_or_create(&WayLabels { way: way.as_str() }).inc();
        if let Some(hold) = self.lock().get(key) {
            // A full channel already holds a hint that has not been followed yet.
            let _ = hold.hints.try_send(way);
        }
    }

    /// Visitors who wait here.
    pub(crate) fn held(&self) -> usize {
        self.places.taken()
    }

    /// Other pods' waits.
    pub(crate) fn waits(&self) -> usize {
        self.settings.max_waits.saturating_sub(self.waits.available_permits())
    }

    /// Keys that have a hold.
    pub(crate) fn open(&self) -> usize {
        self.lock().len()
    }

    /// How long the visitor who came first has waited; nothing where nobody waits.
    pub(crate) fn oldest_wait(&self) -> Duration {
        self.places.oldest_wait().unwrap_or_default()
    }

    fn refuse(&self, why: &'static str, end: HoldEnd) -> HoldEnd {
        self.parts.metrics.visitors_refused.get_or_create(&RefusalLabels { why }).inc();
        end
    }

    /// Whether the hold's end answers the order, too.
    fn is_for(&self, hold: &Hold, order: &Order) -> bool {
        let is_in_time = match order.purpose {
            Purpose::Visit => hold.started.elapsed() < self.settings.hold,
            Purpose::Refresh => true,
        };
        is_in_time && hold.purged >= order.policy.purged && hold.purpose >= order.purpose
    }

    /// `Err` only for a refresh.
    fn join(self: &Arc<Self>, order: &Order, waiter: Waiter) -> Result<watch::Receiver<Outcome>, HoldEnd> {
        let mut holds = self.lock();
        if let Some(hold) = holds.get(&order.key)
            && self.is_for(hold, order)
        {
            if waiter == Waiter::Peer {
                hold.owning.notify_one();
            }
            return Ok(hold.outcome.clone());
        }
        let place = match order.purpose {
            Purpose::Visit => None,
            Purpose::Refresh => Some(self.refreshes.take(&order.key.tenant_id).map_err(|_| HoldEnd::Full)?),
        };
        let started = Instant::now();
        let (hints, hinted) = mpsc::channel(HINTS);
        let (sender, outcome) = watch::channel(None);
        let owning = Arc::new(Notify::new());
        let (purged, purpose) = (order.policy.purged, order.purpose);
        let trace = TraceParent::continuing(order.traceparent.as_deref());
        let span = tracing::info_span!("hold", key = %order.key, trace.id = trace.trace_id());
        let hold = Hold { started, purged, purpose, hints, owning: owning.clone(), outcome: outcome.clone() };
        holds.insert(order.key.clone(), hold);
        let order = order.clone();
        let driver = Driver { holds: self.clone(), order, trace, waiter, started, hinted, owning, place };
        self.drivers.spawn(driver.run(sender).instrument(span));
        Ok(outcome)
    }

    /// Forgets a hold that has ended, unless a newer one has taken its place.
    fn forget(&self, key: &Key, owning: &Arc<Notify>) {
        let mut holds = self.lock();
        if holds.get(key).is_some_and(|hold| Arc::ptr_eq(&hold.owning, owning)) {
            holds.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Hold>> {
        // No code panics while it holds the lock half-way through a change.
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end_of(
    mut outcome: watch::Receiver<Outcome>,
    deadline: Instant,
) -> Timeout<impl Future<Output = Result<Ended, HoldEnd>> + Send> {
    let ended = async move {
        loop {
            if let Some(ended) = outcome.borrow_and_update().clone() {
                return ended;
            }
            // The driver is gone without a word only when the process stops.
            outcome.changed().await.map_err(|_| HoldEnd::Failed)?;
        }
    };
    timeout_at(deadline, ended)
}

pin_project! {
    /// A visitor who waits. Spelled out, since each of the many has one: what an async fn would keep beside
    /// these is a third more.
    struct Waiting<E> {
        place: Place,
        #[pin]
        ended: Timeout<E>,
        holds: Arc<Holds>,
    }
}

impl<E: Future<Output = Result<Ended, HoldEnd>>> Future for Waiting<E> {
    type Output = Result<Arc<Manifest>, HoldEnd>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(ended) = this.ended.poll(context) {
            return Poll::Ready(ended.unwrap_or(Err(HoldEnd::Deadline)).map(|ended| ended.manifest));
        }
        ready!(this.place.poll_lost(context));
        Poll::Ready(Err(this.holds.refuse("put_out", HoldEnd::Full)))
    }
}

#[cfg(test)]
mod tests;
