//! Purges: from when on nothing is served that was made of sources read before.
//!
//! A purge deletes nothing. It is a record beside the tenant, and every manifest that is older than it, and
//! that it speaks of, is revalidated before it is served.

mod hint;
mod order;
mod tenants;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{key::AssetPath, manifest::Manifest};
pub use hint::{HintScope, MAX_HINTED_HOSTS, PURGE_HINT_PATH, PURGE_HINT_VERSION, PurgeHint, PurgeHints};
pub use order::{
    PIPELINE_PURGE_OBJECT, PIPELINE_PURGE_VERSION, PipelinePurge, add_purge, purge_pipeline,
    read_pipeline_purge,
};
pub use tenants::PurgedTenants;

/// Records that one tenant keeps. More become one record of the whole tenant, which is always safe.
pub const MAX_PURGES: usize = 32;

/// How far the clocks may differ of who purges and who reads sources.
pub const CLOCK_MARGIN: SignedDuration = SignedDuration::from_secs(2);

/// What of a tenant is purged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PurgeScope {
    /// The style sheet that visitors ask for under this path.
    Path(AssetPath),
    /// Every style sheet in whose closure this URL of the origin is.
    Dependency(String),
    /// Everything.
    Tenant,
}

/// One purge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    pub scope: PurgeScope,
    /// When it was ordered, by the clock of who did.
    pub at: Timestamp,
}

/// A tenant's latest purges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Purges(Vec<Purge>);

impl Purge {
    /// Sources that were read at this time or later were surely read after the purge. The end of time where
    /// there is no such time.
    pub fn cutoff(&self) -> Timestamp {
        self.at.checked_add(CLOCK_MARGIN).unwrap_or(Timestamp::MAX)
    }
}

impl Purges {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn records(&self) -> &[Purge] {
        &self.0
    }

    /// Takes a purge in. What a later one of the whole tenant covers is dropped.
    pub fn add(&mut self, purge: Purge) {
        let covers = |by: &Purge, other: &Purge| {
            by.at >= other.at && (by.scope == PurgeScope::Tenant || by.scope == other.scope)
        };
        if self.0.iter().any(|known| covers(known, &purge)) {
            return;
        }
        self.0.retain(|known| !covers(&purge, known));
        self.0.push(purge);
        if self.0.len() > MAX_PURGES
            && let Some(at) = self.0.iter().map(|known| known.at).max()
        {
            self.0 = vec![Purge { scope: PurgeScope::Tenant, at }];
        }
    }

    /// The cutoff of everything that is surely about this path's style sheet.
    pub fn of_path(&self, path: &AssetPath) -> Option<Timestamp> {
        self.latest(|scope| match scope {
            PurgeScope::Path(purged) => purged == path,
            PurgeScope::Tenant => true,
            PurgeScope::Dependency(_) => false,
        })
    }

    /// The cutoff of everything that may be about this path's style sheet, whatever its closure is.
    pub fn at_most_of_path(&self, path: &AssetPath) -> Option<Timestamp> {
        self.of_path(path).max(self.latest(|scope| matches!(scope, PurgeScope::Dependency(_))))
    }

    /// The cutoff of every purge of a dependency that this manifest has. It needs its closures.
    pub fn of_dependencies(&self, manifest: &Manifest) -> Option<Timestamp> {
        self.latest(|scope| match scope {
            PurgeScope::Dependency(url) => manifest.may_depend_on(url),
            PurgeScope::Path(_) | PurgeScope::Tenant => false,
        })
    }

    /// The latest record whose scope is meant.
    fn latest(&self, is_meant: impl Fn(&PurgeScope) -> bool) -> Option<Timestamp> {
        self.0.iter().filter(|purge| is_meant(&purge.scope)).map(Purge::cutoff).max()
    }
}

#[cfg(test)]
mod tests;
