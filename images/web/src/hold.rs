//! Holding visitors: one job for each key that somebody waits for, however many wait.

mod drive;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use drive::Driver;
use jiff::Timestamp;
use pipeline::{
    key::Key, manifest::Manifest, options::CompileOptions, ports::Queue, settings::OnOff, tenant::Tenant,
};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::{Instant, timeout_at},
};
use tokio_util::task::TaskTracker;
use url::Url;

use crate::{breaker::Breakers, files::Files, metrics::WebMetrics, policy::Policy};

/// Hints that one hold remembers; one is enough to make it look.
const HINTS: usize = 4;

/// How visitors are held.
#[derive(Debug, Clone)]
pub struct HoldSettings {
    /// How long a visitor waits at the most.
    pub hold: Duration,
    /// Visitors who may wait at the same time in this process.
    pub max_held: usize,
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
}

/// By which way the news of a manifest came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Direct,
    Sns,
    Recheck,
}

impl Way {
    fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Sns => "sns",
            Self::Recheck => "recheck",
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
}

/// The manifest that answers everybody who waits, or why there is none. `None` while they wait.
type Outcome = Option<Result<Arc<Manifest>, HoldEnd>>;

/// All holds of one process.
pub(crate) struct Holds {
    pub(crate) files: Arc<Files>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) settings: HoldSettings,
    pub(crate) metrics: Arc<WebMetrics>,
    /// Told of what became of each job.
    pub(crate) breakers: Breakers,
    places: Semaphore,
    by_key: Mutex<HashMap<Key, Hold>>,
    drivers: TaskTracker,
}

/// One key's hold, as visitors and notices see it.
struct Hold {
    started: Instant,
    hints: mpsc::Sender<Way>,
    outcome: watch::Receiver<Outcome>,
}

impl Holds {
    pub(crate) fn new(
        files: Arc<Files>,
        queue: Arc<dyn Queue>,
        settings: HoldSettings,
        metrics: Arc<WebMetrics>,
    ) -> Self {
        let places = Semaphore::new(settings.max_held);
        Self {
            files,
            queue,
            settings,
            breakers: Breakers::new(metrics.clone()),
            metrics,
            places,
            by_key: Mutex::default(),
            drivers: TaskTracker::new(),
        }
    }

    /// Waits until a job has ended that answers the order, sending one where none is under way. A visitor
    /// who leaves frees the place; the job goes on.
    pub(crate) async fn wait(self: &Arc<Self>, order: Order) -> Result<Arc<Manifest>, HoldEnd> {
        let deadline = Instant::now() + self.settings.hold;
        let _place = self.places.try_acquire().map_err(|_| HoldEnd::Full)?;
        let _held = HeldVisitor::new(&self.metrics);
        let mut outcome = self.join(order);
        let ended = timeout_at(deadline, outcome.wait_for(Option::is_some)).await;
        match ended {
            Err(_) => Err(HoldEnd::Deadline),
            // The driver is gone without a word only when the process stops.
            Ok(Err(_)) => Err(HoldEnd::Failed),
            Ok(Ok(outcome)) => outcome.clone().unwrap_or(Err(HoldEnd::Failed)),
        }
    }

    /// Sends a job where none is under way, and does not wait for it.
    pub(crate) fn refresh(self: &Arc<Self>, order: Order) {
        self.join(order);
    }

    /// Waits until every hold has ended; call when no visitor is left.
    pub(crate) async fn finish(&self) {
        self.drivers.close();
        self.drivers.wait().await;
    }

    /// Whether a job of this key is under way.
    pub(crate) fn is_open(&self, key: &Key) -> bool {
        self.lock().contains_key(key)
    }

    /// Makes the key's hold look at the store, if there is one.
    pub(crate) fn hint(&self, key: &Key, way: Way) {
        if let Some(hold) = self.lock().get(key) {
            // A full channel already holds a hint that has not been followed yet.
            let _ = hold.hints.try_send(way);
        }
    }

    fn join(self: &Arc<Self>, order: Order) -> watch::Receiver<Outcome> {
        let mut holds = self.lock();
        if let Some(hold) = holds.get(&order.key)
            && hold.started.elapsed() < self.settings.hold
        {
            return hold.outcome.clone();
        }
        let started = Instant::now();
        let (hints, hinted) = mpsc::channel(HINTS);
        let (sender, outcome) = watch::channel(None);
        let driver = Driver { holds: self.clone(), order: order.clone(), started, hinted };
        holds.insert(order.key, Hold { started, hints, outcome: outcome.clone() });
        self.drivers.spawn(driver.run(sender));
        outcome
    }

    /// Forgets a hold that has ended, unless a newer one has taken its place.
    fn forget(&self, key: &Key, started: Instant) {
        let mut holds = self.lock();
        if holds.get(key).is_some_and(|hold| hold.started == started) {
            holds.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Hold>> {
        // No code panics while it holds the lock half-way through a change.
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a visitor as held for as long as it lives.
struct HeldVisitor<'m>(&'m WebMetrics);

impl<'m> HeldVisitor<'m> {
    fn new(metrics: &'m WebMetrics) -> Self {
        metrics.visitors_held.inc();
        Self(metrics)
    }
}

impl Drop for HeldVisitor<'_> {
    fn drop(&mut self) {
        self.0.visitors_held.dec();
    }
}
