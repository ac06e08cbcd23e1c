//! A registry with one tenant for every host.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{Error, names::HostName, ports::Tenants, tenant::Tenant};

/// Whoever asks gets the same tenant: the laptop's pipeline does not care how it is called.
pub struct SingleTenant(pub Arc<Tenant>);

#[async_trait]
impl Tenants for SingleTenant {
    async fn lookup(&self, _host: &HostName) -> Result<Option<Arc<Tenant>>, Error> {
        Ok(Some(self.0.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn single_tenant_conforms() {
        let tenant = Tenant {
            development: true,
            ..Tenant::new(
                "localhost".parse().unwrap(),
                "local".parse().unwrap(),
                "file:///srv/site/".parse().unwrap(),
            )
        };
        let claimed = ["localhost", "shop.example"].map(|host| (host.parse().unwrap(), tenant.clone()));
        crate::conformance::tenants(&SingleTenant(Arc::new(tenant)), &claimed, &[]).await;
    }
}
