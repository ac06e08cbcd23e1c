//! What visitors and load balancers meet, as far as the status tells it.

use crate::pipeline::validate::{Timeouts, Tls, ValidPipeline};

/// It follows from the spec alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Front {
    /// Where the first tenant's visitors ask: scheme and host.
    pub url: Option<String>,
    /// Of the Ingress, where the spec asks for one.
    pub ingress_class: Option<String>,
    pub timeouts: Timeouts,
}

pub(super) fn build_front(valid: &ValidPipeline) -> Front {
    let url = valid.ingress.as_ref().zip(valid.tenants.first()).map(|(ingress, tenant)| {
        let scheme = match ingress.tls {
            Tls::Acm { .. } | Tls::Secret(_) => "https",
            Tls::None => "http",
        };
        format!("{scheme}://{}", tenant.host)
    });
    let ingress_class = valid.ingress.as_ref().map(|ingress| ingress.class_name.clone());
    Front { url, ingress_class, timeouts: valid.timeouts }
}
