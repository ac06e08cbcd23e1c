//! Tenants in the registry, the objects `tenants/<host>.json` of the pipeline's bucket.
//!
//! A host is claimed by a conditional put and carries its owner. What another owner has claimed is
//! reported and never touched. Each owner's hosts stand in a record of its own, written before the first
//! of them is claimed: a look costs as much as the owner has, however many others there are.

mod claims;

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use pipeline::{
    Error, ErrorKind,
    names::{Digest, HostName, TenantId},
    options::Engine,
    ports::{Condition, DeleteOutcome, ETag, PutOutcome, Store},
    purge::Purges,
    rate::RateLimits,
    registry::read_registration,
    tenant::{REGISTRATION_VERSION, Registration, Tenant, registry_object},
};
use url::Url;

pub use claims::{CLAIMS_PREFIX, StoredClaims};

/// Registry objects that are read at the same time.
const CONCURRENT_READS: usize = 16;

/// A tenant that the spec asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedTenant {
    pub host: HostName,
    pub origin: Url,
    pub site_url: Option<Url>,
    pub load_paths: Vec<String>,
    pub development: bool,
    /// In place of the pipeline's.
    pub engine: Option<Engine>,
    /// In place of the pipeline's.
    pub limits: Option<RateLimits>,
}

/// Whether hosts of one owner are one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Each host is a tenant of its own.
    EachItsOwn,
    /// All of them are names of one tenant, with the same files.
    Shared,
}

/// What an owner has in the registry, and what stands in its way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedRegistry {
    /// Absent where the owner never claimed anything.
    pub claims: Option<StoredClaims>,
    /// The registrations of all hosts that are wanted or recorded, whosever they are.
    pub stored: Vec<StoredRegistration>,
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
    /// These are the hosts that the owner may have from now on.
    Record { claims: BTreeSet<HostName>, etag: Option<ETag> },
    /// The owner has nothing.
    Forget,
    /// Only where nobody has the host.
    Claim(Registration),
    /// Only where the registration is still the one that was read.
    Update { registration: Registration, etag: ETag },
    /// Only where the registration is still the one that was read: somebody else may have claimed the host since.
    Remove { host: HostName, etag: ETag },
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

/// A pipeline's name as registrations of its inline tenants carry it.
pub fn owner_name(namespace: &str, pipeline: &str) -> String {
    format!("assetpipeline/{namespace}/{pipeline}")
}

/// What the owner has in the registry, and whose the wanted hosts are.
pub async fn observe_registry(
    store: &dyn Store,
    owner: &str,
    wanted: impl IntoIterator<Item = HostName>,
) -> Result<ObservedRegistry, Error> {
    let claims = claims::fetch(store, owner).await?;
    let mut hosts: BTreeSet<HostName> = wanted.into_iter().collect();
    hosts.extend(claims.iter().flat_map(|claims| claims.hosts.iter().cloned()));
    let names = hosts.iter().map(registry_object);
    let reads = stream::iter(names).map(|name| async move { fetch_registration(store, &name).await });
    let found: Vec<Option<StoredRegistration>> = reads.buffered(CONCURRENT_READS).try_collect().await?;
    Ok(ObservedRegistry { claims, stored: found.into_iter().flatten().collect() })
}

/// All hosts of the tenant that has this one; empty where nobody has claimed it.
pub async fn fetch_names(store: &dyn Store, host: &HostName) -> Result<BTreeSet<HostName>, Error> {
    let Some(Registration { owner, label, .. }) = read_registration(store, host).await? else {
        return Ok(BTreeSet::new());
    };
    let observed = observe_registry(store, &owner, [host.clone()]).await?;
    let registrations = observed.stored.into_iter().map(|stored| stored.registration);
    let same = registrations.filter(|found| found.owner == owner && found.label == label);
    Ok(same.map(|found| found.tenant.host).collect())
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
    identity: Identity,
    wanted: &[WantedTenant],
    observed: &ObservedRegistry,
    random: &str,
) -> Result<TenantsPlan, Error> {
    let mut plan = TenantsPlan::default();
    plan.steps.extend(claims::plan(owner, wanted, observed));
    let ours = || observed.stored.iter().filter(|stored| stored.registration.owner == owner);
    let latest = ours().max_by_key(|stored| stored.registration.generation);
    // They outlive every change, and are one for all names of a tenant.
    let mut shared = Purges::default();
    ours().flat_map(|stored| stored.registration.tenant.purges.records()).for_each(|purge| {
        shared.add(purge.clone());
    });
    for tenant in wanted {
        let existing = observed.stored.iter().find(|stored| stored.registration.tenant.host == tenant.host);
        if let Some(taken) = existing.filter(|stored| stored.registration.owner != owner) {
            plan.taken.push((tenant.host.clone(), taken.registration.owner.clone()));
            continue;
        }
        let (ancestor, seed) = match identity {
            Identity::EachItsOwn => (existing, tenant.host.as_str()),
            Identity::Shared => (latest, owner),
        };
        let mut registration = match ancestor {
            Some(ancestor) => plan_registration(owner, tenant, &ancestor.registration)?,
            None => build_registration(owner, tenant, &new_label(random, seed), 1)?,
        };
        registration.tenant.purges = match identity {
            Identity::EachItsOwn => existing.map_or_else(Purges::default, purges_of),
            Identity::Shared => shared.clone(),
        };
        plan.registered.push((tenant.host.clone(), registration.tenant.id.clone()));
        match existing {
            None => plan.steps.push(TenantStep::Claim(registration)),
            Some(stored) if stored.registration != registration => {
                plan.steps.push(TenantStep::Update { registration, etag: stored.etag.clone() });
            }
            Some(_) => {}
        }
    }
    // Last, so that no label is forgotten while a registration still has an older generation of it.
    plan.steps.extend(plan_removals(owner, wanted, &observed.stored));
    Ok(plan)
}

fn purges_of(stored: &StoredRegistration) -> Purges {
    stored.registration.tenant.purges.clone()
}

/// The removal of this owner's registrations that are not wanted any more.
fn plan_removals(owner: &str, wanted: &[WantedTenant], stored: &[StoredRegistration]) -> Vec<TenantStep> {
    let is_wanted = |host: &HostName| wanted.iter().any(|tenant| tenant.host == *host);
    let ours = stored.iter().filter(|stored| stored.registration.owner == owner);
    let dropped = ours.filter(|stored| !is_wanted(&stored.registration.tenant.host));
    let remove = |stored: &StoredRegistration| TenantStep::Remove {
        host: stored.registration.tenant.host.clone(),
        etag: stored.etag.clone(),
    };
    dropped.map(remove).collect()
}

/// The removal of everything that the owner has; empty once it has nothing.
pub fn plan_departure(owner: &str, observed: &ObservedRegistry) -> Vec<TenantStep> {
    let mut steps = plan_removals(owner, &[], &observed.stored);
    steps.extend(observed.claims.is_some().then_some(TenantStep::Forget));
    steps
}

/// Old files must not be served for new sources, so a change of what they are made from raises the generation.
fn plan_registration(
    owner: &str,
    wanted: &WantedTenant,
    stored: &Registration,
) -> Result<Registration, Error> {
    let makes_the_same = stored.tenant.origin == wanted.origin
        && stored.tenant.site_url == wanted.site_url
        && stored.tenant.load_paths == wanted.load_paths;
    let generation = if makes_the_same { stored.generation } else { stored.generation + 1 };
    build_registration(owner, wanted, &stored.label, generation)
}

fn build_registration(
    owner: &str,
    wanted: &WantedTenant,
    label: &str,
    generation: u64,
) -> Result<Registration, Error> {
    let WantedTenant { host, origin, site_url, load_paths, development, engine, limits } = wanted.clone();
    let id = TenantId::at_generation(label, generation).map_err(|source| {
        Error::new(ErrorKind::Invalid, format!("name tenant {host}")).with_source(source)
    })?;
    let purges = Purges::default();
    let tenant = Tenant { host, id, origin, site_url, load_paths, development, engine, limits, purges };
    Ok(Registration {
        version: REGISTRATION_VERSION,
        owner: owner.to_owned(),
        label: label.to_owned(),
        generation,
        tenant,
    })
}

fn new_label(random: &str, seed: &str) -> String {
    let mut digest = Digest::of(format!("{random}/{seed}").as_bytes()).to_string();
    digest.truncate(16);
    format!("t{digest}")
}

/// Does the writes for `owner`. A lost race is no error: it ends the work, and the next round sees who won.
pub async fn apply_tenants(store: &dyn Store, owner: &str, steps: Vec<TenantStep>) -> Result<(), Error> {
    for step in steps {
        let written = match step {
            TenantStep::Record { claims, etag } => claims::write(store, owner, claims, etag).await?,
            TenantStep::Forget => claims::delete(store, owner).await?,
            TenantStep::Claim(registration) => put(store, &registration, Condition::IfAbsent).await?,
            TenantStep::Update { registration, etag } => {
                put(store, &registration, Condition::IfMatch(etag)).await?
            }
            TenantStep::Remove { host, etag } => {
                match store.delete_if(&registry_object(&host), &etag).await? {
                    DeleteOutcome::Deleted => Race::Won,
                    DeleteOutcome::PreconditionFailed => Race::Lost,
                }
            }
        };
        if written == Race::Lost {
            tracing::info!(owner, "the registry changed meanwhile; reading again");
            break;
        }
    }
    Ok(())
}

/// How a conditional write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Race {
    Won,
    Lost,
}

impl From<PutOutcome> for Race {
    fn from(outcome: PutOutcome) -> Self {
        match outcome {
            PutOutcome::Stored(_) => Self::Won,
            PutOutcome::PreconditionFailed => Self::Lost,
        }
    }
}

async fn put(store: &dyn Store, registration: &Registration, condition: Condition) -> Result<Race, Error> {
    let name = registry_object(&registration.tenant.host);
    let body = serde_json::to_vec(registration).map_err(|source| {
        Error::new(ErrorKind::Invalid, format!("write registration {name}")).with_source(source)
    })?;
    Ok(store.put(&name, body.into(), condition).await?.into())
}

#[cfg(test)]
mod tests;
