//! The registry of tenants, by host.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{Error, names::HostName, purge::HintScope, tenant::Tenant};

/// Who is served under a host name.
#[async_trait]
pub trait Tenants: Send + Sync {
    /// The tenant of this host, or `None` where nobody has claimed it. May be some seconds old.
    async fn lookup(&self, host: &HostName) -> Result<Option<Arc<Tenant>>, Error>;

    /// What is remembered of this may be old: the next look-up asks anew, and where that fails, goes on with
    /// what was known. Does nothing where nothing is remembered.
    async fn look_again(&self, _scope: &HintScope) {}
}
