//! Rate limits of tenants in this pod: what the tenants of one pod may take from one another.
//!
//! Hosts that nobody has are limited where they are looked up ([`pipeline::registry`]); visitors who may
//! wait at the same time, in [`crate::hold`].

use std::{
    collections::HashSet,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use moka::sync::Cache;
use pipeline::{
    key::Key,
    names::TenantId,
    rate::{RateLimit, RateLimits},
    tenant::Tenant,
};

use crate::metrics::{LimitLabels, WebMetrics};

/// Tenants whose use is remembered.
const MAX_TENANTS: u64 = 50_000;
/// A tenant is forgotten when nobody has asked for its files for this long: longer than any limit
/// remembers.
const IDLE: Duration = Duration::from_mins(5);
/// Requests at once, as the number of seconds that they are meant for.
const REQUEST_SECONDS_AT_ONCE: NonZeroU32 = NonZeroU32::new(2).expect("it is not 0");
/// Misses at once, likewise: a pod that has just started knows no file yet.
const MISS_SECONDS_AT_ONCE: NonZeroU32 = NonZeroU32::new(5).expect("it is not 0");
/// At most one log line a tenant in this time.
const LINES_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN;

/// What was too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    Requests,
    Misses,
    ColdPaths,
}

impl Limit {
    /// As metrics and logs name it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Misses => "misses",
            Self::ColdPaths => "cold-paths",
        }
    }
}

/// A tenant has asked for too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this site asks for more than its limit of {}; ask again later", limit.as_str())]
pub(crate) struct TooMany {
    pub(crate) limit: Limit,
    pub(crate) retry_after: Duration,
}

/// The limits of all tenants of one process.
pub(crate) struct Limits {
    settings: RateLimits,
    by_tenant: Cache<TenantId, Arc<TenantLimiter>>,
    /// Keys that somebody is looking up who has paid for it.
    looked_up: Mutex<HashSet<Key>>,
    metrics: Arc<WebMetrics>,
}

/// One tenant's limits. Cheap to keep beside what is answered from memory.
pub(crate) struct TenantLimiter {
    tenant: TenantId,
    settings: RateLimits,
    requests: RateLimit,
    misses: RateLimit,
    cold_paths: RateLimit,
    lines: RateLimit,
    metrics: Arc<WebMetrics>,
}

impl Limits {
    pub(crate) fn new(settings: RateLimits, metrics: Arc<WebMetrics>) -> Self {
        let by_tenant = Cache::builder().max_capacity(MAX_TENANTS).time_to_idle(IDLE).build();
        Self { settings, by_tenant, looked_up: Mutex::default(), metrics }
    }

    /// The tenant's own limits; all of its hosts share them.
    pub(crate) fn of(&self, tenant: &Tenant) -> Arc<TenantLimiter> {
        let settings = tenant.limits.unwrap_or(self.settings);
        let is_other = |limiter: &Arc<TenantLimiter>| limiter.settings != settings;
        if let Some(limiter) = self.by_tenant.get(&tenant.id).filter(|limiter| !is_other(limiter)) {
            return limiter;
        }
        let build = || Arc::new(TenantLimiter::new(tenant.id.clone(), settings, self.metrics.clone()));
        self.by_tenant.entry_by_ref(&tenant.id).or_insert_with_if(build, is_other).into_value()
    }

    /// A look-up that memory cannot answer, for as long as the result lives. Whoever comes while the same
    /// key is being looked up pays nothing: a crowd at one file is one miss.
    pub(crate) fn look_up<'l>(
        &'l self,
        key: &Key,
        limiter: &TenantLimiter,
    ) -> Result<Option<LookUp<'l>>, TooMany> {
        let mut looked_up = self.lock();
        if looked_up.contains(key) {
            return Ok(None);
        }
        limiter.take(Limit::Misses)?;
        looked_up.insert(key.clone());
        Ok(Some(LookUp { limits: self, key: key.clone() }))
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Key>> {
        // No code panics while it holds the lock half-way through a change.
        self.looked_up.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A look-up that is paid for.
pub(crate) struct LookUp<'l> {
    limits: &'l Limits,
    key: Key,
}

impl Drop for LookUp<'_> {
    fn drop(&mut self) {
        self.limits.lock().remove(&self.key);
    }
}

impl TenantLimiter {
    fn new(tenant: TenantId, settings: RateLimits, metrics: Arc<WebMetrics>) -> Self {
        let RateLimits { requests_per_second, misses_per_second, cold_paths_per_minute } = settings;
        let requests_at_once = requests_per_second.saturating_mul(REQUEST_SECONDS_AT_ONCE);
        let misses_at_once = misses_per_second.saturating_mul(MISS_SECONDS_AT_ONCE);
        Self {
            tenant,
            settings,
            requests: RateLimit::per_second(requests_per_second, requests_at_once),
            misses: RateLimit::per_second(misses_per_second, misses_at_once),
            cold_paths: RateLimit::per_minute(cold_paths_per_minute, cold_paths_per_minute),
            lines: RateLimit::per_minute(LINES_PER_MINUTE, NonZeroU32::MIN),
            metrics,
        }
    }

    /// Takes one of what the limit is about.
    pub(crate) fn take(&self, limit: Limit) -> Result<(), TooMany> {
        let taken = match limit {
            Limit::Requests => self.requests.take(),
            Limit::Misses => self.misses.take(),
            Limit::ColdPaths => self.cold_paths.take(),
        };
        taken.map_err(|retry_after| self.refuse(TooMany { limit, retry_after }))
    }

    /// Takes a request, where there is one to take.
    pub(crate) fn try_take_request(&self) -> bool {
        self.requests.take().is_ok()
    }

    fn refuse(&self, too_many: TooMany) -> TooMany {
        let limit = too_many.limit.as_str();
        self.metrics.rate_limited.get_or_create(&LimitLabels { limit }).inc();
        if self.lines.take().is_ok() {
            tracing::warn!(tenant.id = %self.tenant, limit, "a tenant asks for more than its limit");
        }
        too_many
    }
}
