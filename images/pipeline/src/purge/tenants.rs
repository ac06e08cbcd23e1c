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
    Error, chain,
    names::HostName,
    ports::{Store, Tenants},
    tenant::Tenant,
};

/// How long the store's answer is taken for true. With the registry's own 2 s a purge is known within 5 s.
const CACHE_TIME: Duration = Duration::from_secs(2);
/// How long a look-up waits for it. A store that does not answer must not take down the tenants that the
/// registry still knows.
const PATIENCE: Duration = Duration::from_millis(300);

/// Adds the purge of the whole pipeline to every tenant that is looked up.
pub struct PurgedTenants<T> {
    inner: T,
    store: Arc<dyn Store>,
    latest: Cache<(), Latest>,
    /// What the store last said.
    told: Mutex<Option<Timestamp>>,
}

/// One look at the store.
#[derive(Clone, Copy)]
struct Latest {
    at: Option<Timestamp>,
    asked_at: Instant,
}

impl Latest {
    fn is_current(&self) -> bool {
        self.asked_at.elapsed() < CACHE_TIME
    }
}

impl<T: Tenants> PurgedTenants<T> {
    pub fn new(inner: T, store: Arc<dyn Store>) -> Self {
        Self { inner, store, latest: Cache::new(1), told: Mutex::default() }
    }

    async fn latest(&self) -> Option<Timestamp> {
        if let Some(latest) = self.latest.get(&()).await.filter(Latest::is_current) {
            return latest.at;
        }
        // However many ask, one of them asks the store.
        let read = async { Latest { asked_at: Instant::now(), at: self.read().await } };
        let entry = self.latest.entry(()).or_insert_with_if(read, |latest| !latest.is_current()).await;
        entry.into_value().at
    }

    async fn read(&self) -> Option<Timestamp> {
        let failure = match timeout(PATIENCE, read_pipeline_purge(&*self.store)).await {
            Ok(Ok(at)) => {
                *self.told() = at;
                return at;
            }
            Ok(Err(error)) => chain(&error),
            Err(late) => chain(&late),
        };
        tracing::warn!(error = failure, "keeping the last known purge of the whole pipeline");
        *self.told()
    }

    fn told(&self) -> MutexGuard<'_, Option<Timestamp>> {
        // A time is whole after every write.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl<T: Tenants> Tenants for PurgedTenants<T> {
    async fn lookup(&self, host: &HostName) -> Result<Option<Arc<Tenant>>, Error> {
        let (found, latest) = tokio::join!(self.inner.lookup(host), self.latest());
        Ok(match (found?, latest) {
            (Some(tenant), Some(at)) => {
                let mut purged = (*tenant).clone();
                purged.purges.add(Purge { scope: PurgeScope::Tenant, at });
                Some(Arc::new(purged))
            }
            (found, _) => found,
        })
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
    use super::*;
    use crate::{
        embedded::{MemoryStore, SingleTenant},
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
