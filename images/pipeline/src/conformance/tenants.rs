//! The contract of [`Tenants`].

use std::sync::Arc;

use crate::{names::HostName, ports::Tenants, tenant::Tenant};

/// Checks that a claimed host gives its tenant, again and again, and that an unclaimed one gives nobody.
/// A registry that knows no unclaimed hosts is given none.
pub async fn tenants(tenants: &dyn Tenants, claimed: &[(HostName, Tenant)], unclaimed: &[HostName]) {
    for _ in 0..2 {
        for (host, tenant) in claimed {
            let found = tenants.lookup(host).await.expect("look up a claimed host");
            assert_eq!(found.as_deref(), Some(tenant), "{host} is somebody else's");
        }
        for host in unclaimed {
            let found: Option<Arc<Tenant>> = tenants.lookup(host).await.expect("look up an unclaimed host");
            assert_eq!(found, None, "{host} is nobody's");
        }
    }
}
