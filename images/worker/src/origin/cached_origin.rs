//! What tenants' origins gave lately, so that asking again costs a condition and not a body.
//!
//! Nothing is taken from here without the origin's word that it still holds, so whoever may not read a source
//! any more does not get it from here either. Sources without validators are not kept.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use moka::sync::Cache;
use pipeline::{
    names::TenantId,
    ports::{Fetched, Origin, OriginError, SourceFile, Validators},
};
use url::Url;

/// Tenants whose sources are kept, and the bytes of one tenant's: 64 MiB at the most.
const MAX_TENANTS: u64 = 16;
const MAX_TENANT_BYTES: u64 = 4 << 20;
/// What nobody compiled for so long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);
/// What an entry takes beside its texts.
const ENTRY_BYTES: usize = 200;

type Kept = Cache<String, SourceFile>;

/// The sources of several tenants, each within bounds of its own.
#[derive(Debug, Clone)]
pub(crate) struct SourceCache {
    tenants: Cache<TenantId, Kept>,
}

/// An origin as one tenant's jobs see it.
struct CachedOrigin {
    origin: Arc<dyn Origin>,
    kept: Kept,
}

impl SourceCache {
    pub(crate) fn new() -> Self {
        Self { tenants: Cache::builder().max_capacity(MAX_TENANTS).time_to_idle(FORGOTTEN_AFTER).build() }
    }

    /// The origin, asked with what is known of the tenant's sources.
    pub(crate) fn in_front_of(&self, origin: Arc<dyn Origin>, tenant: &TenantId) -> Arc<dyn Origin> {
        let kept = self.tenants.get_with(tenant.clone(), || {
            let bounded = Cache::builder().max_capacity(MAX_TENANT_BYTES).time_to_idle(FORGOTTEN_AFTER);
            bounded.weigher(|url: &String, source| weigh(url, source)).build()
        });
        Arc::new(CachedOrigin { origin, kept })
    }
}

impl CachedOrigin {
    fn note(&self, url: &Url, fetched: &Fetched) {
        match fetched {
            Fetched::Found(source) if validators(source) != Validators::default() => {
                self.kept.insert(url.to_string(), source.clone());
            }
            Fetched::Found(_) | Fetched::Absent => self.kept.invalidate(url.as_str()),
            Fetched::NotModified => {}
        }
    }
}

#[async_trait]
impl Origin for CachedOrigin {
    async fn fetch(&self, url: &Url, known: Option<&Validators>) -> Result<Fetched, OriginError> {
        // Whoever has validators has no use for the contents, unless they have changed.
        let kept = if known.is_none() { self.kept.get(url.as_str()) } else { None };
        let own = kept.as_ref().map(validators);
        let fetched = self.origin.fetch(url, known.or(own.as_ref())).await?;
        self.note(url, &fetched);
        Ok(match (fetched, kept) {
            (Fetched::NotModified, Some(kept)) => Fetched::Found(kept),
            (fetched, _) => fetched,
        })
    }
}

fn validators(source: &SourceFile) -> Validators {
    Validators { etag: source.etag.clone(), last_modified: source.last_modified.clone() }
}

fn weigh(url: &str, source: &SourceFile) -> u32 {
    let SourceFile { body, etag, last_modified } = source;
    let validators = [etag, last_modified].into_iter().flatten().map(String::len).sum::<usize>();
    u32::try_from(url.len() + body.len() + validators + ENTRY_BYTES).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
