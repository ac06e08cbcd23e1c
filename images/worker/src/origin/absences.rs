//! Files that a tenant's origin hardly ever has, and did not have lately.
//!
//! Beside a source that is there, another spelling of its name is there by mistake, or for `@import` alone. Asking
//! for each of these at every job, a refresh that finds nothing changed included, would be more than half of what
//! an origin is asked, and fill its logs with 404s. So a tenant's jobs believe for a while what one of them was
//! told. What decides which file a load means is never believed.

use std::time::Duration;

use moka::sync::Cache;

/// How long an absence is believed; what appears meanwhile is seen so much later, or at the next purge.
pub(crate) const BELIEVED_FOR: Duration = Duration::from_mins(15);
/// All URLs of one tenant together.
const MAX_TENANT_BYTES: u64 = 1 << 20;

/// One tenant's, by URL.
#[derive(Debug, Clone)]
pub(crate) struct Absences {
    believed: Cache<String, ()>,
}

impl Absences {
    pub(crate) fn new() -> Self {
        let bounded = Cache::builder().max_capacity(MAX_TENANT_BYTES).time_to_live(BELIEVED_FOR);
        let weigh = |url: &String, (): &()| u32::try_from(url.len()).unwrap_or(u32::MAX);
        Self { believed: bounded.weigher(weigh).build() }
    }

    pub(crate) fn has(&self, url: &str) -> bool {
        self.believed.contains_key(url)
    }

    /// The origin has said so.
    pub(crate) fn note(&self, url: &str) {
        self.believed.insert(url.to_owned(), ());
    }
}
