//! Tenants with the purge of their whole pipeline among their own.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use moka::future::Cache;
use tokio::time::{Instant, timeout};

use super::{HintScope, Purge, PurgeScope, order::read_pipeline_purge};
use crate::{
    Error, ErrorKind, chain,
    names::HostName,
    ports::{Store, Tenants},
    registry::KNOWN_TIME,
    tenant::Tenant,
};

/// How long the store's answer is taken for true. With the registry's own 2 s a purge is known within 5 s.
const CACHE_TIME: Duration = Duration::from_secs(2);
/// How long a look-up waits for it. A store that does not answer must not take down the tenants that the
/// registry still knows.
const PATIENCE: Duration = Duration::from_millis(300);
/// As long as nothing is known there is nothing to go on with.
const FIRST_PATIENCE: Duration = Duration::from_secs(3);

/// Adds the purge of the whole pipeline to every tenant that is looked up.
pub struct PurgedTenants<T> {
    inner: T,
    store: Arc<dyn Store>,
    latest: Cache<(), Latest>,
    /// What the store last said; `None` until it has said anything.
    told: Mutex<Option<Told>>,
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
}

/// What the store said, be it that there is no purge.
#[derive(Clone, Copy)]
struct Told {
    at: Option<Timestamp>,
    told_at: Instant,
}

impl<T: Tenants> PurgedTenants<T> {
    pub fn new(inner: T, store: Arc<dyn Store>) -> Self {
        Self { inner, store, latest: Cache::new(1), told: Mutex::default() }
    }

    async fn latest(&self) -> Result<Option<Timestamp>, Arc<Error>> {
        if let Some(latest) = self.latest.get(&()).await.filter(Latest::is_current) {
            return latest.at;
        }
        // However many ask, one of them asks the store.
        let read = async { Latest { asked_at: Instant::now(), at: self.read().await.map_err(Arc::new) } };
        let entry = self.latest.entry(()).or_insert_with_if(read, |latest| !latest.is_current()).await;
        entry.into_value().at
    }

    /// An error where there may be a purge that was never heard of: nothing is served on that chance.
    async fn read(&self) -> Result<Option<Timestamp>, Error> {
        let told = *self.told();
        let patience = if told.is_some() { PATIENCE } else { FIRST_PATIENCE };
        let error = match timeout(patience, read_pipeline_purge(&*self.store)).await {
            Ok(Ok(at)) => {
                *self.told() = Some(Told { at, told_at: Instant::now() });
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

    fn told(&self) -> MutexGuard<'_, Option<Told>> {
        // What was told is whole after every write.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl<T: Tenants> Tenants for PurgedTenants<T> {
    async fn lookup(&self, host: &HostName) -> Result<Option<Arc<Tenant>>, Error> {
        let (found, latest) = tokio::join!(self.inner.lookup(host), self.latest());
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
            HintScope::Pipeline => self.latest.invalidate(&()).await,
            HintScope::Hosts(_) => self.inner.look_again(scope).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        embedded::{MemoryStore, SingleTenant},
        ports::{Condition, Object, PutOutcome},
        purge::{Purges, order::purge_pipeline},
    };

    fn tenant() -> Tenant {
        Tenant {
            host: "shop.example".parse().unwrap(),
            id: "shop-g1".parse().unwrap(),
            origin: "https://www.shop.example/".parse().unwrap(),
            load_paths: Vec::new(),
            development: false,
            limits: None,
            purges: Purges::default(),
        }
    }

    #[tokio::test]
    async fn hint_makes_the_purge_of_the_pipeline_known_at_once() {
        let store = Arc::new(MemoryStore::default());
        let tenants = PurgedTenants::new(SingleTenant(Arc::new(tenant())), store.clone());
        let known = async || tenants.lookup(&tenant().host).await.unwrap().unwrap().purges.len();
        assert_eq!(known().await, 0);
        purge_pipeline(&*store, Timestamp::UNIX_EPOCH).await.unwrap();
        tenants.look_again(&HintScope::Hosts(vec![tenant().host])).await;
        assert_eq!(known().await, 0, "it is remembered for 2 s");
        tenants.look_again(&HintScope::Pipeline).await;
        assert_eq!(known().await, 1);
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
        *tenants.told() = Some(Told { at: Some(Timestamp::UNIX_EPOCH), told_at: Instant::now() });
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
