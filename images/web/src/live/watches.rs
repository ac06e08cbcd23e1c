//! Watching style sheets for which pages listen: one look at the store a second for each, however many
//! listen. What another pod has had compiled is seen like anything else, whatever this pod remembers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use pipeline::{
    chain,
    key::Key,
    manifest::Manifest,
    names::{JobId, TenantId},
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::task::TaskTracker;

use crate::{
    hold::{Accepts, Order},
    policy::{Policy, Verdict},
    web::Web,
};

/// Between two looks at a manifest.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a style sheet is now, as pages are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Good { digest: String },
    Bad { error: String },
}

/// News of a style sheet, for a page that calls it by `label`.
pub(super) struct News {
    pub(super) label: Arc<str>,
    pub(super) state: State,
}

struct Listener {
    label: Arc<str>,
    news: mpsc::Sender<News>,
}

impl Listener {
    /// A page that does not read is let go: it asks again, and is then told how things stand.
    fn tell(&self, state: &State) -> bool {
        self.news.try_send(News { label: self.label.clone(), state: state.clone() }).is_ok()
    }
}

struct Watch {
    /// As the page that came last gave it, so that no watch outlives a change of its site's registration.
    order: Order,
    listeners: Vec<Listener>,
    state: Option<State>,
}

/// No more style sheets can be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// All style sheets for which pages of this process listen.
pub(super) struct Watches {
    max: usize,
    max_per_tenant: usize,
    refresh_every: Duration,
    by_key: Mutex<HashMap<Key, Watch>>,
    watchers: TaskTracker,
}

impl Watches {
    pub(super) fn new(max: usize, max_per_tenant: usize, refresh_every: Duration) -> Self {
        Self { max, max_per_tenant, refresh_every, by_key: Mutex::default(), watchers: TaskTracker::new() }
    }

    /// Sends news of the order's style sheet to `news` until nobody receives them, beginning with what is
    /// known of it.
    pub(super) fn join(
        self: &Arc<Self>,
        web: &Arc<Web>,
        order: Order,
        label: Arc<str>,
        news: mpsc::Sender<News>,
    ) -> Result<(), Full> {
        let listener = Listener { label, news };
        let mut by_key = self.lock();
        if let Some(watch) = by_key.get_mut(&order.key) {
            if let Some(state) = &watch.state {
                listener.tell(state);
            }
            watch.order = order;
            watch.listeners.push(listener);
            return Ok(());
        }
        if !self.has_room(&by_key, &order.key.tenant_id) {
            return Err(Full);
        }
        let key = order.key.clone();
        by_key.insert(key.clone(), Watch { order, listeners: vec![listener], state: None });
        let watcher = Watcher {
            watches: self.clone(),
            web: web.clone(),
            key,
            looked_at: None,
            seen: None,
            rested_since: None,
        };
        self.watchers.spawn(watcher.run());
        Ok(())
    }

    /// Waits until nobody is listened to; call when all streams are told to end.
    pub(super) async fn finish(&self) {
        self.watchers.close();
        self.watchers.wait().await;
    }

    /// Tells everybody who listens, if there are news. Answers whether anybody is left; else the watch is over.
    fn tell(&self, key: &Key, state: Option<State>) -> bool {
        let mut by_key = self.lock();
        let Some(watch) = by_key.get_mut(key) else { return false };
        watch.listeners.retain(|listener| !listener.news.is_closed());
        if let Some(state) = state.filter(|state| watch.state.as_ref() != Some(state)) {
            watch.listeners.retain(|listener| listener.tell(&state));
            watch.state = Some(state);
        }
        let is_over = watch.listeners.is_empty();
        if is_over {
            by_key.remove(key);
        }
        !is_over
    }

    fn has_room(&self, by_key: &HashMap<Key, Watch>, tenant: &TenantId) -> bool {
        let own = by_key.keys().filter(|key| key.tenant_id == *tenant).count();
        by_key.len() < self.max && own < self.max_per_tenant
    }

    /// What is watched, asked for now; `None` where nobody listens any more.
    fn order_now(&self, key: &Key) -> Option<Order> {
        Some(Order { asked_at: Timestamp::now(), ..self.lock().get(key)?.order.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Watch>> {
        // No code panics while it holds the lock half-way through a change.
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task behind one watch. It ends within a second of the last page's leaving.
struct Watcher {
    watches: Arc<Watches>,
    web: Arc<Web>,
    key: Key,
    looked_at: Option<Instant>,
    /// The job that ended last, as of the last look.
    seen: Option<JobId>,
    /// Since when the sources have been left alone, by us and by other pods.
    rested_since: Option<Instant>,
}

impl Watcher {
    async fn run(mut self) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(order) = self.watches.order_now(&self.key) else { return };
            let state = self.look(order).await;
            if !self.watches.tell(&self.key, state) {
                return;
            }
        }
    }

    /// What the style sheet is now, as far as it is known. Nobody else may ask for it, so a job is sent where
    /// a visitor would have one sent, and for a tenant in development every now and then.
    async fn look(&mut self, mut order: Order) -> Option<State> {
        let manifest = match self.web.files.read(&self.key).await {
            Ok(manifest) => manifest,
            Err(error) => {
                tracing::warn!(key = %self.key, error = chain(&error), "could not look at a watched file");
                return None;
            }
        };
        self.note(manifest.as_deref());
        if order.tenant.development {
            order.accepts = Accepts::Newer;
        }
        if self.is_refresh_due(&order, manifest.as_deref()) {
            self.rested_since = Some(Instant::now());
            self.web.holds.refresh(order.clone());
        }
        state_of(&order.policy, manifest.as_deref()?, order.asked_at)
    }

    /// A job that has ended since the last look was begun by somebody: the next one has time. So pages that
    /// listen at several pods cost hardly more jobs than those of one.
    fn note(&mut self, manifest: Option<&Manifest>) {
        let job = manifest.map(|manifest| manifest.job.clone());
        if self.seen != job {
            self.rested_since = self.rested_since.max(self.looked_at);
        }
        self.seen = job;
        self.looked_at = Some(Instant::now());
    }

    fn is_refresh_due(&self, order: &Order, manifest: Option<&Manifest>) -> bool {
        let is_rested = self.rested_since.is_none_or(|since| since.elapsed() >= self.watches.refresh_every);
        let is_wanted =
            order.accepts == Accepts::Newer || !order.policy.judge(manifest, order.asked_at).is_settled();
        is_rested && is_wanted && !self.web.holds.is_open(&self.key) && self.web.may_send(order, manifest)
    }
}

/// What a visitor would see of this manifest, were it new.
fn state_of(policy: &Policy, manifest: &Manifest, now: Timestamp) -> Option<State> {
    match policy.judge_answer(manifest, now) {
        Verdict::Serve { good, .. } => Some(State::Good { digest: good.digest.to_string() }),
        Verdict::Fail { message, .. } => Some(State::Bad { error: message }),
        Verdict::Wait => None,
    }
}
