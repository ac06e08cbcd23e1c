//! One tenant of the spec.

use crds::TenantSpec;
use url::Url;

use super::{InvalidSpec, invalid, is_plain_http};
use crate::tenants::WantedTenant;

pub(super) fn validate(tenant: &TenantSpec) -> Result<WantedTenant, InvalidSpec> {
    let TenantSpec { host, origin, load_paths, development } = tenant;
    let field = |name: &str| format!("spec.tenants[{host}].{name}");
    let parsed_host = host.parse().map_err(|error| invalid(&field("host"), &host, &format!("{error}")))?;
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
