//! From what a person wrote to what can be planned. Pure.
//!
//! The API server refuses most wrong specs already; the same rules stand here for objects that were stored
//! before a rule existed.

use std::collections::BTreeSet;

use crds::{AssetTenant, AssetTenantSpec};
use kube::ResourceExt;

use crate::{
    pipeline::validate::{
        InvalidSpec, validate_engine, validate_host, validate_load_paths, validate_rate_limits, validate_url,
    },
    tenants::WantedTenant,
};

/// A tenant whose every field is known to be usable.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidTenant {
    pub owner: String,
    /// One for each host, the first one first.
    pub wanted: Vec<WantedTenant>,
}

/// The tenant's name as its registrations carry it.
pub fn owner_of(object: &AssetTenant) -> String {
    format!("{OWNER_KIND}{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}

/// What an owner's name begins with that is an `AssetTenant`'s.
pub(super) const OWNER_KIND: &str = "assettenant/";

pub fn validate(object: &AssetTenant) -> Result<ValidTenant, InvalidSpec> {
    // The pipeline's name is looked up as it stands.
    let AssetTenantSpec { pipeline_ref: _, hosts, origin, site_url, load_paths, development, engine, limits } =
        &object.spec;
    if object.metadata.namespace.is_none() {
        return Err(InvalidSpec::Unidentified("namespace"));
    }
    let origin = validate_url("spec.origin", origin)?;
    let site_url = site_url.as_ref().map(|url| validate_url("spec.siteUrl", url)).transpose()?;
    let load_paths = validate_load_paths("spec.loadPaths", load_paths)?;
    let limits = limits.as_ref().map(validate_rate_limits).transpose()?;
    let engine = engine.map(validate_engine);
    let mut seen = BTreeSet::new();
    let mut wanted = Vec::new();
    for host in hosts {
        let host = validate_host("spec.hosts", host)?;
        if seen.insert(host.clone()) {
            let (origin, site_url, load_paths) = (origin.clone(), site_url.clone(), load_paths.clone());
            let development = *development;
            wanted.push(WantedTenant { host, origin, site_url, load_paths, development, engine, limits });
        }
    }
    Ok(ValidTenant { owner: owner_of(object), wanted })
}
