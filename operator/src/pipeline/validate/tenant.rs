//! What a tenant is made of, for inline tenants and for those that are objects of their own.

use crds::{CompileEngine, TenantSpec};
use pipeline::{names::HostName, options::Engine};
use url::Url;

use super::{InvalidSpec, invalid, is_plain_http};
use crate::tenants::WantedTenant;

pub(super) fn validate(tenant: &TenantSpec) -> Result<WantedTenant, InvalidSpec> {
    let TenantSpec { host, origin, site_url, load_paths, development, engine } = tenant;
    let field = |name: &str| format!("spec.tenants[{host}].{name}");
    Ok(WantedTenant {
        host: validate_host(&field("host"), host)?,
        origin: validate_url(&field("origin"), origin)?,
        site_url: site_url.as_ref().map(|url| validate_url(&field("siteUrl"), url)).transpose()?,
        load_paths: validate_load_paths(&field("loadPaths"), load_paths)?,
        development: *development,
        engine: engine.map(validate_engine),
        limits: None,
    })
}

/// By which rule the compiler is chosen, as workers understand it.
pub fn validate_engine(engine: CompileEngine) -> Engine {
    match engine {
        CompileEngine::Auto => Engine::Auto,
        CompileEngine::Grass => Engine::Grass,
        CompileEngine::Sasso => Engine::Sasso,
    }
}

pub fn validate_host(field: &str, host: &str) -> Result<HostName, InvalidSpec> {
    let parsed = host.parse().map_err(|error| invalid(field, &host, &format!("{error}")))?;
    if is_address(host) {
        return Err(invalid(field, &host, "it must be a name; no Ingress takes an address"));
    }
    Ok(parsed)
}

/// Of a site, below which its files lie.
pub fn validate_url(field: &str, text: &str) -> Result<Url, InvalidSpec> {
    let url: Url = text.parse().map_err(|error| invalid(field, &text, &format!("{error}")))?;
    if is_plain_http(&url) {
        Ok(url)
    } else {
        Err(invalid(field, &text, "it must be an http or https URL without user, query or fragment"))
    }
}

pub fn validate_load_paths(field: &str, load_paths: &[String]) -> Result<Vec<String>, InvalidSpec> {
    let is_wrong = |path: &&String| !path.starts_with('/') || path.split('/').any(|segment| segment == "..");
    match load_paths.iter().find(is_wrong) {
        Some(path) => Err(invalid(field, path, "it must begin with / and hold no ..")),
        None => Ok(load_paths.to_vec()),
    }
}

/// Whether it reads as an IPv4 address; those of IPv6 are no host names anyway.
fn is_address(host: &str) -> bool {
    let is_number = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit());
    host.split('.').count() == 4 && host.split('.').all(is_number)
}
