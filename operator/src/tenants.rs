//! The spec's tenants in the registry, the objects `tenants/<host>.json` of the pipeline's bucket.
//!
//! A host is claimed by a conditional put and carries its owner. What another owner has claimed is
//! reported and never touched.

use futures::{StreamExt, TryStreamExt, stream};
use pipeline::{
    Error, ErrorKind,
    names::{Digest, HostName, TenantId},
    ports::{Condition, ETag, PutOutcome, Store},
    tenant::{REGISTRATION_VERSION, REGISTRY_PREFIX, Registration, Tenant, registry_object},
};
use url::Url;

/// Registry objects that are read at the same time.
const CONCURRENT_READS: usize = 16;

/// A tenant that the spec asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedTenant {
    pub host: HostName,
    pub origin: Url,
    pub load_paths: Vec<String>,
    pub development: bool,
}

/// A registration as the store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRegistration {
    pub registration: Registration,
    pub etag: ETag,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantStep {
    /// Only where nobody has the host.
    Claim(Registration),
    /// Only where the registration is still the one that was read.
    Update {
        registration: Registration,
        etag: ETag,
    },
    Remove(HostName),
}

/// The writes, and what became of the wanted tenants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantsPlan {
    pub steps: Vec<TenantStep>,
    /// Hosts that another owner has claimed, with that owner.
    pub taken: Vec<(HostName, String)>,
    /// Hosts that are ours, with the id under which their files lie.
    pub registered: Vec<(HostName, TenantId)>,
}

/// The owner's name as registrations carry it.
pub fn owner_name(namespace: &str, pipeline: &str) -> String {
    format!("assetpipeline/{namespace}/{pipeline}")
}

/// All registrations of the bucket.
pub async fn observe_registrations(store: &dyn Store) -> Result<Vec<StoredRegistration>, Error> {
    let names = store.list(REGISTRY_PREFIX).await?;
    let reads = stream::iter(names).map(|name| async move { fetch_registration(store, &name).await });
    let found: Vec<Option<StoredRegistration>> = reads.buffered(CONCURRENT_READS).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn fetch_registration(store: &dyn Store, name: &str) -> Result<Option<StoredRegistration>, Error> {
    let Some(object) = store.get(name).await? else { return Ok(None) };
    let invalid = || Error::new(ErrorKind::Invalid, format!("read registration {name}"));
    let registration: Registration =
        serde_json::from_slice(&object.body).map_err(|source| invalid().with_source(source))?;
    if registration.version == REGISTRATION_VERSION {
        Ok(Some(StoredRegistration { registration, etag: object.etag }))
    } else {
        Err(invalid().with_source(format!("its version is {}", registration.version)))
    }
}

/// The writes that bring the registry to what is wanted. `random` makes new tenants' labels unique for ever.
pub fn plan_tenants(
    owner: &str,
    wanted: &[WantedTenant],
    stored: &[StoredRegistration],
    random: &str,
) -> Result<TenantsPlan, Error> {
    let mut plan = TenantsPlan::default();
    for tenant in wanted {
        let existing = stored.iter().find(|stored| stored.registration.tenant.host == tenant.host);
        match existing {
            None => {
                let registration = build_registration(owner, tenant, &new_label(random, &tenant.host), 1)?;
                plan.registered.push((tenant.host.clone(), registration.tenant.id.clone()));
                plan.steps.push(TenantStep::Claim(registration));
            }
            Some(stored) if stored.registration.owner != owner => {
                plan.taken.push((tenant.host.clone(), stored.registration.owner.clone()));
            }
            Some(stored) => {
                let registration = plan_registration(owner, tenant, &stored.registration)?;
                plan.registered.push((tenant.host.clone(), registration.tenant.id.clone()));
                if registration != stored.registration {
                    plan.steps.push(TenantStep::Update { registration, etag: stored.etag.clone() });
                }
            }
        }
    }
    plan.steps.extend(plan_removals(owner, wanted, stored));
    Ok(plan)
}

/// The removal of this owner's registrations that are not wanted any more.
pub fn plan_removals(owner: &str, wanted: &[WantedTenant], stored: &[StoredRegistration]) -> Vec<TenantStep> {
    let is_wanted = |host: &HostName| wanted.iter().any(|tenant| tenant.host == *host);
    let ours = stored.iter().filter(|stored| stored.registration.owner == owner);
    let hosts = ours.map(|stored| &stored.registration.tenant.host).filter(|host| !is_wanted(host));
    hosts.map(|host| TenantStep::Remove(host.clone())).collect()
}

/// Old files must not be served for new sources, so a change of what is read raises the generation.
fn plan_registration(
    owner: &str,
    wanted: &WantedTenant,
    stored: &Registration,
) -> Result<Registration, Error> {
    let reads_the_same =
        stored.tenant.origin == wanted.origin && stored.tenant.load_paths == wanted.load_paths;
    let generation = if reads_the_same { stored.generation } else { stored.generation + 1 };
    build_registration(owner, wanted, &stored.label, generation)
}

fn build_registration(
    owner: &str,
    wanted: &WantedTenant,
    label: &str,
    generation: u64,
) -> Result<Registration, Error> {
    let WantedTenant { host, origin, load_paths, development } = wanted.clone();
    let id = TenantId::at_generation(label, generation).map_err(|source| {
        Error::new(ErrorKind::Invalid, format!("name tenant {host}")).with_source(source)
    })?;
    let tenant = Tenant { host, id, origin, load_paths, development, limits: None };
    Ok(Registration {
        version: REGISTRATION_VERSION,
        owner: owner.to_owned(),
        label: label.to_owned(),
        generation,
        tenant,
    })
}

fn new_label(random: &str, host: &HostName) -> String {
    let mut digest = Digest::of(format!("{random}/{host}").as_bytes()).to_string();
    digest.truncate(16);
    format!("t{digest}")
}

/// Does the writes. A lost race is no error: the next round sees who won.
pub async fn apply_tenants(store: &dyn Store, steps: Vec<TenantStep>) -> Result<(), Error> {
    for step in steps {
        match step {
            TenantStep::Claim(registration) => put(store, &registration, Condition::IfAbsent).await?,
            TenantStep::Update { registration, etag } => {
                put(store, &registration, Condition::IfMatch(etag)).await?;
            }
            TenantStep::Remove(host) => store.delete(&registry_object(&host)).await?,
        }
    }
    Ok(())
}

async fn put(store: &dyn Store, registration: &Registration, condition: Condition) -> Result<(), Error> {
    let name = registry_object(&registration.tenant.host);
    let body = serde_json::to_vec(registration).map_err(|source| {
        Error::new(ErrorKind::Invalid, format!("write registration {name}")).with_source(source)
    })?;
    match store.put(&name, body.into(), condition).await? {
        PutOutcome::Stored(_) => {}
        PutOutcome::PreconditionFailed => {
            tracing::info!(object = name, "registration changed meanwhile; reading again");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
