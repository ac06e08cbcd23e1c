//! Purges as visitors feel them: which of them speak against a manifest, and waiting for one that none
//! speaks against.
//!
//! This pod keeps no closures in memory. Whether a purged dependency is a file's is looked up in the store,
//! once for each manifest and purge.

pub(crate) mod hint;

use std::sync::Arc;

use jiff::Timestamp;
use moka::future::Cache;
use pipeline::{
    Error,
    key::Key,
    manifest::Manifest,
    names::{HostName, JobId},
    ports::Store,
    record::read_manifest,
};
use tokio::time::Instant;

use crate::{
    hold::Order,
    policy::Policy,
    web::{Unanswered, Web},
};

/// Verdicts that one pod remembers; at some 300 bytes each, 3 MB.
const MAX_VERDICTS: u64 = 10_000;

/// One manifest and the latest purge of a dependency that it was compared with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Compared {
    key: Key,
    job: JobId,
    sources_read_at: Timestamp,
    latest: Timestamp,
}

/// Which manifests have a purged dependency.
pub(crate) struct DependencyPurges {
    store: Arc<dyn Store>,
    /// The cutoff of the purges of its dependencies, where it has any.
    cutoffs: Cache<Compared, Option<Timestamp>>,
}

impl DependencyPurges {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, cutoffs: Cache::builder().max_capacity(MAX_VERDICTS).build() }
    }

    /// The order's policy without the purges of dependencies that this manifest does not have.
    pub(crate) async fn policy_on(&self, order: &Order, manifest: &Manifest) -> Result<Policy, Error> {
        let Order { key, tenant, policy, .. } = order;
        let Some(latest) = policy.purged else { return Ok(*policy) };
        let oldest = manifest
            .last_good
            .as_ref()
            .map_or(manifest.sources_read_at, |good| good.sources_read_at.min(manifest.sources_read_at));
        let certain = tenant.purges.of_path(&key.path);
        if oldest >= latest || certain == policy.purged {
            return Ok(*policy);
        }
        let compared = Compared {
            key: key.clone(),
            job: manifest.job.clone(),
            sources_read_at: manifest.sources_read_at,
            latest,
        };
        let read = async {
            let stored = read_manifest(&*self.store, key).await?.map(|stored| stored.manifest);
            let is_same = |stored: &Manifest| {
                stored.job == manifest.job && stored.sources_read_at == manifest.sources_read_at
            };
            Ok(match stored {
                Some(stored) if is_same(&stored) => tenant.purges.of_dependencies(&stored),
                // It was replaced meanwhile: whoever finds it purged reads the store again.
                Some(_) | None => Some(latest),
            })
        };
        let dependencies = self.cutoffs.try_get_with_by_ref(&compared, read).await;
        let dependencies = dependencies
            .map_err(|shared| Error::of_shared(shared, format!("look up the closure of {key}")))?;
        Ok(Policy { purged: certain.max(dependencies), ..*policy })
    }
}

impl Web {
    /// Waits for a manifest that no purge speaks against, one that was learnt of meanwhile included. The
    /// order then has the policy that the manifest is to be judged by.
    #[expect(clippy::manual_async_fn, reason = "an async fn has room for each of its arguments twice")]
    pub(crate) fn wait<'w>(
        &'w self,
        host: &'w HostName,
        order: &'w mut Order,
    ) -> impl Future<Output = Result<Arc<Manifest>, Unanswered>> + Send + 'w {
        async move {
            let deadline = Instant::now() + self.hold();
            loop {
                let manifest = self.holds.wait(order, deadline).await.map_err(Unanswered::Held)?;
                // Boxed, so that visitors who wait have no room for what comes after.
                if Box::pin(self.is_for(host, order, &manifest)).await? {
                    return Ok(manifest);
                }
            }
        }
    }

    /// Whether no purge speaks against the manifest. Where one does, the order says what the next job is to
    /// be told of.
    async fn is_for(
        &self,
        host: &HostName,
        order: &mut Order,
        manifest: &Manifest,
    ) -> Result<bool, Unanswered> {
        let tenant = self.tenants.lookup(host).await.map_err(Unanswered::Port)?;
        let purged = tenant.as_ref().and_then(|tenant| tenant.purges.at_most_of_path(&order.key.path));
        order.policy.purged = order.policy.purged.max(purged);
        let policy = match tenant.filter(|tenant| tenant.id == order.key.tenant_id) {
            Some(tenant) => {
                order.tenant = tenant;
                self.policy_on(order, manifest).await?
            }
            None => order.policy,
        };
        if policy.is_purged(manifest.sources_read_at) {
            return Ok(false);
        }
        order.policy = policy;
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
