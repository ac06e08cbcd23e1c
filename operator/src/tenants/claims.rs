//! An owner's record: which hosts it may have in the registry. A superset of what it has, always.

use std::collections::BTreeSet;

use pipeline::{
    Error, ErrorKind,
    names::HostName,
    ports::{Condition, ETag, Store},
};
use serde::{Deserialize, Serialize};

use super::{ObservedRegistry, Race, TenantStep, WantedTenant};

/// The `version` that this build writes and understands.
const CLAIMS_VERSION: u32 = 1;
/// The prefix of all owners' records.
pub const CLAIMS_PREFIX: &str = "owners/";

/// A record as the store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredClaims {
    pub hosts: BTreeSet<HostName>,
    pub etag: ETag,
}

/// The object `owners/<owner>.json`.
#[derive(Serialize, Deserialize)]
struct Claims {
    version: u32,
    hosts: BTreeSet<HostName>,
}

/// Where the owner's record lies; an owner is `<kind>/<namespace>/<name>`, and none of these holds a slash.
fn object_of(owner: &str) -> String {
    format!("{CLAIMS_PREFIX}{owner}.json")
}

pub(super) async fn fetch(store: &dyn Store, owner: &str) -> Result<Option<StoredClaims>, Error> {
    let name = object_of(owner);
    let Some(object) = store.get(&name).await? else { return Ok(None) };
    let invalid = || Error::new(ErrorKind::Invalid, format!("read {name}"));
    let claims: Claims =
        serde_json::from_slice(&object.body).map_err(|source| invalid().with_source(source))?;
    if claims.version == CLAIMS_VERSION {
        Ok(Some(StoredClaims { hosts: claims.hosts, etag: object.etag }))
    } else {
        Err(invalid().with_source(format!("its version is {}", claims.version)))
    }
}

/// The write that makes the record tell what is wanted, and what the owner still has beside it.
pub(super) fn plan(owner: &str, wanted: &[WantedTenant], observed: &ObservedRegistry) -> Option<TenantStep> {
    let ours = observed.stored.iter().filter(|stored| stored.registration.owner == owner);
    let mut hosts: BTreeSet<HostName> = wanted.iter().map(|tenant| tenant.host.clone()).collect();
    hosts.extend(ours.map(|stored| stored.registration.tenant.host.clone()));
    match &observed.claims {
        Some(claims) if claims.hosts == hosts => None,
        None if hosts.is_empty() => None,
        Some(_) if hosts.is_empty() => Some(TenantStep::Forget),
        claims => {
            let etag = claims.as_ref().map(|claims| claims.etag.clone());
            Some(TenantStep::Record { claims: hosts, etag })
        }
    }
}

pub(super) async fn write(
    store: &dyn Store,
    owner: &str,
    hosts: BTreeSet<HostName>,
    etag: Option<ETag>,
) -> Result<Race, Error> {
    let name = object_of(owner);
    let body = serde_json::to_vec(&Claims { version: CLAIMS_VERSION, hosts })
        .map_err(|source| Error::new(ErrorKind::Invalid, format!("write {name}")).with_source(source))?;
    let condition = etag.map_or(Condition::IfAbsent, Condition::IfMatch);
    Ok(store.put(&name, body.into(), condition).await?.into())
}

pub(super) async fn delete(store: &dyn Store, owner: &str) -> Result<Race, Error> {
    store.delete(&object_of(owner)).await?;
    Ok(Race::Won)
}
