//! One tenant of the spec.

use crds::TenantSpec;
use url::Url;

use super::{InvalidSpec, invalid, is_plain_http};
use crate::tenants::WantedTenant;

pub(super) fn validate(tenant: &TenantSpec) -> Result<WantedTenant, InvalidSpec> {
    let TenantSpec { host, origin, load_paths, development } = tenant;
    let field = |name: &str| format!("spec.tenants[{host}].{name}");
    let parsed_host = host.parse().map_err(|error| invalid(&field("host"), &host, &format!("{error}")))?;
    if is_address(host) {
        return Err(invalid(&field("host"), &host, "it must be a name; no Ingress takes an address"));
    }
    let url: Url = origin.parse().map_err(|error| invalid(&field("origin"), &origin, &format!("{error}")))?;
    if !is_plain_http(&url) {
        let problem = "it must be an http or https URL without user, query or fragment";
        return Err(invalid(&field("origin"), &origin, problem));
    }
    let is_wrong = |path: &&String| !path.starts_with('/') || path.split('/').any(|segment| segment == "..");
    if let Some(path) = load_paths.iter().find(is_wrong) {
        return Err(invalid(&field("loadPaths"), &path, "it must begin with / and hold no .."));
    }
    Ok(WantedTenant {
        host: parsed_host,
        origin: url,
        load_paths: load_paths.clone(),
        development: *development,
    })
}

/// Whether it reads as an IPv4 address; those of IPv6 are no host names anyway.
fn is_address(host: &str) -> bool {
    let is_number = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit());
    host.split('.').count() == 4 && host.split('.').all(is_number)
}
