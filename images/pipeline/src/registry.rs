//! The registry of tenants as objects in the store, behind a small cache that remembers absence too.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use moka::future::Cache;

use crate::{
    Error, ErrorKind,
    names::HostName,
    ports::{Store, Tenants},
    tenant::{REGISTRATION_VERSION, Registration, Tenant, registry_object},
};

/// How long an answer, "nobody" included, is taken for true.
const CACHE_TIME: Duration = Duration::from_secs(2);
/// Hosts that one process remembers.
const CACHE_ENTRIES: u64 = 100_000;

/// Reads `tenants/<host>.json`.
pub struct StoreTenants {
    store: Arc<dyn Store>,
    cache: Cache<HostName, Option<Arc<Tenant>>>,
}

impl StoreTenants {
    pub fn new(store: Arc<dyn Store>) -> Self {
        let cache = Cache::builder().max_capacity(CACHE_ENTRIES).time_to_live(CACHE_TIME).build();
        Self { store, cache }
    }
}

#[async_trait]
impl Tenants for StoreTenants {
    async fn lookup(&self, host: &HostName) -> Result<Option<Arc<Tenant>>, Error> {
        let read = async {
            let registration = read_registration(&*self.store, host).await?;
            Ok(registration.map(|registration| Arc::new(registration.tenant)))
        };
        self.cache.try_get_with_by_ref(host, read).await.map_err(|shared: Arc<Error>| {
            let mut error = Error::new(shared.kind, format!("look up tenant {host}"));
            error.retry_after = shared.retry_after;
            error.with_source(shared)
        })
    }
}

/// The host's registration, or `None` where nobody has claimed it.
pub async fn read_registration(store: &dyn Store, host: &HostName) -> Result<Option<Registration>, Error> {
    let name = registry_object(host);
    let Some(object) = store.get(&name).await? else { return Ok(None) };
    let invalid = || Error::new(ErrorKind::Invalid, format!("read registration {name}"));
    let registration: Registration =
        serde_json::from_slice(&object.body).map_err(|source| invalid().with_source(source))?;
    if registration.version == REGISTRATION_VERSION {
        Ok(Some(registration))
    } else {
        Err(invalid().with_source(format!("its version is {}", registration.version)))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{embedded::MemoryStore, ports::Condition};

    fn registration(host: &str, version: u32) -> Registration {
        let tenant = Tenant {
            host: host.parse().unwrap(),
            id: "shop-g1".parse().unwrap(),
            origin: "https://www.shop.example/".parse().unwrap(),
            load_paths: vec!["/node_modules".to_owned()],
            development: false,
        };
        Registration { version, owner: "o".to_owned(), label: "shop".to_owned(), generation: 1, tenant }
    }

    async fn registry_of(registrations: &[Registration]) -> StoreTenants {
        let store = MemoryStore::default();
        for registration in registrations {
            let body = Bytes::from(serde_json::to_vec(registration).unwrap());
            let name = registry_object(&registration.tenant.host);
            store.put(&name, body, Condition::IfAbsent).await.unwrap();
        }
        StoreTenants::new(Arc::new(store))
    }

    #[tokio::test]
    async fn store_tenants_conforms() {
        let registrations = ["a.example", "b.example"].map(|host| registration(host, REGISTRATION_VERSION));
        let claimed =
            registrations.clone().map(|registration| (registration.tenant.host.clone(), registration.tenant));
        let unclaimed = ["c.example".parse().unwrap()];
        crate::conformance::tenants(&registry_of(&registrations).await, &claimed, &unclaimed).await;
    }

    #[tokio::test]
    async fn registration_of_another_version_is_an_error_and_not_nobody() {
        let tenants = registry_of(&[registration("a.example", REGISTRATION_VERSION + 1)]).await;
        let error = tenants.lookup(&"a.example".parse().unwrap()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(crate::chain(&error).contains("a.example"), "{}", crate::chain(&error));
    }
}
