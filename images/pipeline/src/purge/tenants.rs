//! Tenants with the purge of their whole pipeline among their own.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use moka::future::Cache;
use tokio::time::timeout;

use super::{Purge, PurgeScope, order::read_pipeline_purge};
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
    latest: Cache<(), Option<Timestamp>>,
    /// What the store last said.
    told: Mutex<Option<Timestamp>>,
}

impl<T: Tenants> PurgedTenants<T> {
    pub fn new(inner: T, store: Arc<dyn Store>) -> Self {
        let latest = Cache::builder().max_capacity(1).time_to_live(CACHE_TIME).build();
        Self { inner, store, latest, told: Mutex::default() }
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
        let (found, latest) = tokio::join!(self.inner.lookup(host), self.latest.get_with((), self.read()));
        Ok(match (found?, latest) {
            (Some(tenant), Some(at)) => {
                let mut purged = (*tenant).clone();
                purged.purges.add(Purge { scope: PurgeScope::Tenant, at });
                Some(Arc::new(purged))
            }
            (found, _) => found,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        embedded::{MemoryStore, SingleTenant},
        purge::{Purges, order::purge_pipeline},
    };

    #[tokio::test]
    async fn purge_of_the_pipeline_is_one_of_every_tenant() {
        let tenant = Tenant {
            host: "shop.example".parse().unwrap(),
            id: "shop-g1".parse().unwrap(),
            origin: "https://www.shop.example/".parse().unwrap(),
            load_paths: Vec::new(),
            development: false,
            limits: None,
            purges: Purges::default(),
        };
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
