//! Tenants with the purge of their whole pipeline among their own.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::{Instant, timeout};

use super::{HintScope, Purge, PurgeScope, order::read_pipeline_purge};
use crate::{
    Error, ErrorKind, chain,
    names::HostName,
    ports::{Store, Tenants},
    registry::KNOWN_TIME,
    tenant::Tenant,
};

/// How long the store's answer is taken for true. With a ready answer's second a purge is known within 5 s.
const CACHE_TIME: Duration = Duration::from_secs(3);
/// From when on it is asked again while visitors are served by what it said last: all tenants share this
/// answer, and nobody is to wait for it.
const RENEWAL_TIME: Duration = Duration::from_millis(1_500);
/// How long a look-up waits for it. A store that does not answer must not take down the tenants that the
/// registry still knows.
const PATIENCE: Duration = Duration::from_millis(300);
/// As long as nothing is known there is nothing to go on with.
const FIRST_PATIENCE: Duration = Duration::from_secs(3);

/// Adds the purge of the whole pipeline to every tenant that is looked up.
pub struct PurgedTenants<T> {
    inner: T,
    pipeline: Arc<PipelineCutoff>,
}

/// When the whole pipeline was last purged, as far as this process knows.
struct PipelineCutoff {
    store: Arc<dyn Store>,
    latest: Mutex<Option<Latest>>,
    /// Held by who asks the store, whether visitors wait for that or not.
    asking: Arc<tokio::sync::Mutex<()>>,
    /// What the store last said; `None` until it has said anything.
    told: Mutex<Option<Told>>,
    /// Rises when the store is known to say something else now: what it was asked before counts no more.
    turn: AtomicU64,
}

/// One look at the store.
#[derive(Clone)]
struct Latest {
    at: Result<Option<Timestamp>, Arc<Error>>,
    asked_at: Instant,
}

impl Latest {
    fn is_current(&self) -> bool {
        self.at.is_ok() && self.asked_at.elapsed() < CACHE_TIME
    }

    /// Whether who came then can go on with it: a failure is shared by those who waited for it only.
    fn answers(&self, came_at: Instant) -> bool {
        self.is_current() || self.asked_at >= came_at
    }
}

/// What the store said, be it that there is no purge.
#[derive(Clone, Copy)]
struct Told {
    at: Option<Timestamp>,
    told_at: Instant,
}

impl<T: Tenants> PurgedTenants<T> {
    pub fn new(inner: T, store: Arc<dyn Store>) -> Self {
        let pipeline = PipelineCutoff {
            store,
            latest: Mutex::default(),
            asking: Arc::default(),
            told: Mutex::default(),
            turn: AtomicU64::new(0),
        };
        Self { inner, pipeline: Arc::new(pipeline) }
    }
}

impl PipelineCutoff {
    /// What is known, where that can be gone on with.
    fn current(self: &Arc<Self>) -> Option<Latest> {
        let latest = lock(&self.latest).clone().filter(Latest::is_current)?;
        if latest.asked_at.elapsed() >= RENEWAL_TIME {
            self.renew_behind();
        }
        Some(latest)
    }

    /// However many wait, one of them asks the store, and all of them go on with what it says.
    async fn wait_for_latest(&self) -> Result<Option<Timestamp>, Arc<Error>> {
        let came_at = Instant::now();
        let _asking = self.asking.lock().await;
        let answered = lock(&self.latest).clone().filter(|latest| latest.answers(came_at));
        if let Some(latest) = answered {
            return latest.at;
        }
        let turn = self.turn.load(Ordering::Acquire);
        let latest = self.ask().await;
        self.keep(&latest, turn);
        latest.at
    }

    fn renew_behind(self: &Arc<Self>) {
        let Ok(asking) = self.asking.clone().try_lock_owned() else { return };
        let this = self.clone();
        tokio::spawn(async move {
            let _asking = asking;
            let turn = this.turn.load(Ordering::Acquire);
            this.keep(&this.ask().await, turn);
        });
    }

    /// What was asked for before a hint may be what was so before the purge.
    fn keep(&self, latest: &Latest, turn: u64) {
        if self.turn.load(Ordering::Acquire) == turn {
            *lock(&self.latest) = Some(latest.clone());
        }
    }

    fn look_again(&self) {
        self.turn.fetch_add(1, Ordering::AcqRel);
        *lock(&self.latest) = None;
    }

    async fn ask(&self) -> Latest {
        Latest { asked_at: Instant::now(), at: self.read().await.map_err(Arc::new) }
    }

    /// An error where there may be a purge that was never heard of: nothing is served on that chance.
    async fn read(&self) -> Result<Option<Timestamp>, Error> {
        let told = *lock(&self.told);
        let patience = if told.is_some() { PATIENCE } else { FIRST_PATIENCE };
        let error = match timeout(patience, read_pipeline_purge(&*self.store)).await {
            Ok(Ok(at)) => {
                *lock(&self.told) = Some(Told { at, told_at: Instant::now() });
                return Ok(at);
            }
            Ok(Err(error)) => error,
            Err(late) => {
                Error::new(ErrorKind::Unavailable, "read the purge of the whole pipeline").with_source(late)
            }
        };
        match told.filter(|told| told.told_at.elapsed() < KNOWN_TIME) {
            Some(Told { at, .. }) => {
                tracing::warn!(error = chain(&error), "keeping the last known purge of the whole pipeline");
                Ok(at)
            }
            None => Err(error),
        }
    }
}

/// What is told is whole after every write.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl<T: Tenants> Tenants for PurgedTenants<T> {
    async fn lookup(&self, host: &HostName) -> Result<Option<Arc<Tenant>>, Error> {
        let (found, latest) = if let Some(latest) = self.pipeline.current() {
            (self.inner.lookup(host).await, latest.at)
        } else {
            // Boxed, so that look-ups that memory answers are not as large as those that it does not.
            tokio::join!(self.inner.lookup(host), Box::pin(self.pipeline.wait_for_latest()))
        };
        let Some(tenant) = found? else { return Ok(None) };
        let latest =
            latest.map_err(|shared| Error::of_shared(shared, format!("learn what was purged at {host}")))?;
        Ok(Some(match latest {
            Some(at) => {
                let mut purged = (*tenant).clone();
                purged.purges.add(Purge { scope: PurgeScope::Tenant, at });
                Arc::new(purged)
            }
            None => tenant,
        }))
    }

    async fn look_again(&self, scope: &HintScope) {
        match scope {
            HintScope::Pipeline => self.pipeline.look_again(),
            HintScope::Hosts(_) => self.inner.look_again(scope).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        conformance::noted::{Journal, Noted},
        embedded::{MemoryStore, SingleTenant},
        ports::{Condition, Object, PutOutcome},
        purge::order::purge_pipeline,
    };

    fn tenant() -> Tenant {
        Tenant::new(
            "shop.example".parse().unwrap(),
            "shop-g1".parse().unwrap(),
            "https://www.shop.example/".parse().unwrap(),
        )
    }

    #[tokio::test]
    async fn hint_makes_the_purge_of_the_pipeline_known_at_once() {
        let store = Arc::new(MemoryStore::default());
        let tenants = PurgedTenants::new(SingleTenant(Arc::new(tenant())), store.clone());
        let known = async || tenants.lookup(&tenant().host).await.unwrap().unwrap().purges.len();
        assert_eq!(known().await, 0);
        purge_pipeline(&*store, Timestamp::UNIX_EPOCH).await.unwrap();
        tenants.look_again(&HintScope::Hosts(vec![tenant().host])).await;
        assert_eq!(known().await, 0, "it is remembered for 3 s");
        tenants.look_again(&HintScope::Pipeline).await;
        assert_eq!(known().await, 1);
    }

    const SLOWNESS: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn visitors_are_served_by_what_is_known_while_it_is_asked_for_anew() {
        let store = Arc::new(MemoryStore::default());
        let slow = Arc::new(Noted::new(store.clone(), &Journal::new(SLOWNESS), "web"));
        let tenants = PurgedTenants::new(SingleTenant(Arc::new(tenant())), slow);
        let known = async || {
            let asked_at = Instant::now();
            let purges = tenants.lookup(&tenant().host).await.unwrap().unwrap().purges.len();
            (purges, asked_at.elapsed())
        };
        assert_eq!(known().await, (0, SLOWNESS));
        purge_pipeline(&*store, Timestamp::UNIX_EPOCH).await.unwrap();
        tokio::time::advance(RENEWAL_TIME).await;
        assert_eq!(known().await, (0, Duration::ZERO), "the store is asked behind this visit");
        tokio::time::sleep(2 * SLOWNESS).await;
        assert_eq!(known().await, (1, Duration::ZERO));
        tokio::time::advance(CACHE_TIME).await;
        assert_eq!(known().await, (1, SLOWNESS), "nobody came, so nobody asked");
    }

    /// A store that never answers.
    struct Silent;

    #[async_trait]
    impl Store for Silent {
        async fn get(&self, _: &str) -> Result<Option<Object>, Error> {
            std::future::pending().await
        }

        async fn put(&self, _: &str, _: Bytes, _: Condition) -> Result<PutOutcome, Error> {
            std::future::pending().await
        }

        async fn delete(&self, _: &str) -> Result<(), Error> {
            std::future::pending().await
        }

        async fn list(&self, _: &str) -> Result<Vec<String>, Error> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tenant_is_not_known_before_it_is_known_what_was_purged() {
        let tenants = PurgedTenants::new(SingleTenant(Arc::new(tenant())), Arc::new(Silent));
        let error = tenants.lookup(&tenant().host).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable);
    }

    #[tokio::test(start_paused = true)]
    async fn last_known_purge_stands_for_five_minutes_of_silence() {
        let tenants = PurgedTenants::new(SingleTenant(Arc::new(tenant())), Arc::new(Silent));
        *lock(&tenants.pipeline.told) =
            Some(Told { at: Some(Timestamp::UNIX_EPOCH), told_at: Instant::now() });
        let known = async || tenants.lookup(&tenant().host).await.map(|found| found.unwrap().purges.len());
        assert_eq!(known().await.unwrap(), 1);
        tokio::time::advance(KNOWN_TIME).await;
        assert_eq!(known().await.unwrap_err().kind, ErrorKind::Unavailable);
    }

    #[tokio::test]
    async fn purge_of_the_pipeline_is_one_of_every_tenant() {
        let tenant = tenant();
        let store = Arc::new(MemoryStore::default());
        let open = || PurgedTenants::new(SingleTenant(Arc::new(tenant.clone())), store.clone());
        let claimed = [(tenant.host.clone(), tenant.clone())];
        crate::conformance::tenants(&open(), &claimed, &[]).await;
        let at = Timestamp::UNIX_EPOCH;
        purge_pipeline(&*store, at).await.unwrap();
        let mut purged = tenant.clone();
        purged.purges.add(Purge { scope: PurgeScope::Tenant, at });
        crate::conformance::tenants(&open(), &[(tenant.host.clone(), purged)], &[]).await;
    }
}
