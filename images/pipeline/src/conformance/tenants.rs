//! The contract of [`Tenants`].

use std::sync::Arc;

use crate::{names::HostName, ports::Tenants, purge::HintScope, tenant::Tenant};

/// Checks that a claimed host gives its tenant, again and again and after hints, and that an unclaimed one gives
/// nobody.
/// A registry that knows no unclaimed hosts is given none.
pub async fn tenants(tenants: &dyn Tenants, claimed: &[(HostName, Tenant)], unclaimed: &[HostName]) {
    let hosts = claimed.iter().map(|(host, _)| host).chain(unclaimed).cloned().collect();
    for hint in [None, None, Some(HintScope::Pipeline), Some(HintScope::Hosts(hosts))] {
        if let Some(scope) = &hint {
            tenants.look_again(scope).await;
        }
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
