//! Purges that people order by annotations: carried out on the registry, told in the status, then removed.
//!
//! A request is carried out at least once: one whose outcome was not told before a crash is done again,
//! which only makes more of what was purged anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crds::{MAX_PURGE_STATUSES, PURGE_ANNOTATION_PREFIX, PurgeRequest, PurgeStatus};
use jiff::Timestamp;
use pipeline::{
    chain,
    key::AssetPath,
    names::HostName,
    ports::Store,
    purge::{HintScope, MAX_HINTED_HOSTS, Purge, PurgeHint, PurgeScope, add_purge, purge_pipeline},
    tenant::{Tenant, source_url},
};
use url::Url;

use crate::tenants::fetch_names;

/// Requests that are carried out in one round; the others wait for the next one.
const MAX_PER_ROUND: usize = 16;

/// What is to be done about the requests of one pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PurgesPlan {
    /// Requests by id, still as text.
    pub todo: Vec<(String, String)>,
    /// Names of the annotations whose outcome the status tells.
    pub done: Vec<String>,
}

/// What came of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppliedPurges {
    pub statuses: Vec<PurgeStatus>,
    /// Requests that the next round has to carry out.
    pub left: usize,
}

/// Without the keys.
impl fmt::Debug for HintTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HintTarget").field("peers_host", &self.peers_host).finish_non_exhaustive()
    }
}

impl PurgesPlan {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What was carried out in one round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CarriedOut {
    pub statuses: Vec<PurgeStatus>,
    /// What web pods are to be told.
    pub hints: Vec<PurgeHint>,
}

/// Where the web pods are, and what they believe.
#[derive(Clone, PartialEq, Eq)]
pub struct HintTarget {
    /// DNS name of the headless Service of all web pods.
    pub peers_host: String,
    /// The keys that sign what pods say to pods, one a line.
    pub keys: String,
}

/// What web pods are to be told.
#[derive(Clone, PartialEq, Eq)]
pub struct HintOrder {
    pub target: HintTarget,
    pub hints: Vec<PurgeHint>,
}

/// One purge that was carried out.
#[derive(Debug)]
struct Purged {
    /// For people.
    what: String,
    hosts: Purgees,
}

/// Whose records have changed.
#[derive(Debug)]
enum Purgees {
    Everybody,
    Hosts(BTreeSet<HostName>),
}

/// A request in types that cannot be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Order {
    Pipeline,
    Tenant { host: HostName, scope: OrderedScope },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum OrderedScope {
    Tenant,
    Path(AssetPath),
    /// Absolute path at the origin, or a URL.
    Dependency(String),
}

/// From the pipeline's annotations and what its status tells.
pub fn plan_purges(annotations: &BTreeMap<String, String>, told: &[PurgeStatus]) -> PurgesPlan {
    let mut plan = PurgesPlan::default();
    for (name, value) in annotations {
        let Some(id) = name.strip_prefix(PURGE_ANNOTATION_PREFIX) else { continue };
        if told.iter().any(|status| status.id == id) {
            plan.done.push(name.clone());
        } else if plan.todo.len() < MAX_PER_ROUND {
            plan.todo.push((id.to_owned(), value.clone()));
        }
    }
    plan
}

/// The status's list with these outcomes at its end. No outcome is dropped before its request is gone, which
/// is in the next round.
pub fn merge_statuses(told: &[PurgeStatus], news: &[PurgeStatus]) -> Vec<PurgeStatus> {
    let is_new = |status: &&PurgeStatus| !news.iter().any(|new| new.id == status.id);
    let mut all: Vec<PurgeStatus> = told.iter().filter(is_new).chain(news).cloned().collect();
    all.drain(..all.len().saturating_sub(MAX_PURGE_STATUSES + news.len()));
    all
}

/// Carries the requests out. A failure of the store leaves a request to the next round.
pub async fn apply_purges(
    store: &dyn Store,
    pipeline: &str,
    todo: Vec<(String, String)>,
    now: Timestamp,
) -> CarriedOut {
    let mut statuses = Vec::new();
    let mut changed = Vec::new();
    for (id, request) in todo {
        let outcome = match parse(&request) {
            Ok(order) => apply_order(store, order, now).await,
            Err(refusal) => Ok(Err(refusal)),
        };
        match outcome {
            Ok(Ok(Purged { what, hosts })) => {
                tracing::info!(pipeline.name = pipeline, purge.id = id, purge.what = what, "purged");
                statuses.push(PurgeStatus { id, purged: Some(what), refused: None });
                changed.push(hosts);
            }
            Ok(Err(refused)) => {
                tracing::info!(pipeline.name = pipeline, purge.id = id, reason = refused, "refused a purge");
                statuses.push(PurgeStatus { id, purged: None, refused: Some(refused) });
            }
            Err(error) => {
                tracing::warn!(
                    pipeline.name = pipeline,
                    purge.id = id,
                    error = chain(&error),
                    "could not purge"
                );
            }
        }
    }
    CarriedOut { statuses, hints: build_hints(changed) }
}

/// As few hints as name everybody.
fn build_hints(changed: Vec<Purgees>) -> Vec<PurgeHint> {
    let mut hosts = BTreeSet::new();
    let mut hints = Vec::new();
    for purgees in changed {
        match purgees {
            Purgees::Everybody => hints = vec![PurgeHint::new(HintScope::Pipeline)],
            Purgees::Hosts(changed) => hosts.extend(changed),
        }
    }
    let hosts: Vec<HostName> = hosts.into_iter().collect();
    let chunks = hosts.chunks(MAX_HINTED_HOSTS).map(|hosts| HintScope::Hosts(hosts.to_vec()));
    hints.extend(chunks.map(PurgeHint::new));
    hints
}

/// What was purged, or why nothing was.
async fn apply_order(
    store: &dyn Store,
    order: Order,
    at: Timestamp,
) -> Result<Result<Purged, String>, pipeline::Error> {
    let (host, scope) = match order {
        Order::Pipeline => {
            purge_pipeline(store, at).await?;
            let what = "every style sheet of the pipeline".to_owned();
            return Ok(Ok(Purged { what, hosts: Purgees::Everybody }));
        }
        Order::Tenant { host, scope } => (host, scope),
    };
    let plan = |tenant: &Tenant| plan_purge(&scope, tenant, at);
    let purge = match add_purge(store, &host, plan).await? {
        None => return Ok(Err(format!("no tenant of this pipeline has the host {host}"))),
        Some(Err(refusal)) => return Ok(Err(refusal)),
        Some(Ok(purge)) => purge,
    };
    // Its files are served under all of its names.
    let mut hosts = fetch_names(store, &host).await?;
    for name in hosts.iter().filter(|name| **name != host) {
        add_purge(store, name, plan).await?;
    }
    let what = match purge.scope {
        PurgeScope::Tenant => format!("every style sheet of {host}"),
        PurgeScope::Path(path) => format!("{path} of {host}"),
        PurgeScope::Dependency(url) => format!("every style sheet of {host} that is made with {url}"),
    };
    hosts.insert(host);
    Ok(Ok(Purged { what, hosts: Purgees::Hosts(hosts) }))
}

fn plan_purge(scope: &OrderedScope, tenant: &Tenant, at: Timestamp) -> Result<Purge, String> {
    let scope = match scope {
        OrderedScope::Tenant => PurgeScope::Tenant,
        OrderedScope::Path(path) => PurgeScope::Path(path.clone()),
        OrderedScope::Dependency(dependency) => {
            PurgeScope::Dependency(resolve_dependency(dependency, &tenant.origin)?)
        }
    };
    Ok(Purge { scope, at })
}

/// The URL as closures hold it.
fn resolve_dependency(dependency: &str, origin: &Url) -> Result<String, String> {
    if dependency.starts_with('/') {
        let url = source_url(origin, dependency).ok_or_else(|| format!("{origin} cannot be an origin"))?;
        return Ok(url.into());
    }
    let url: Url = dependency.parse().map_err(|error| format!("{dependency:?} is no URL: {error}"))?;
    let origin = origin.as_str().trim_end_matches('/');
    let is_below = url.as_str().strip_prefix(origin).is_some_and(|rest| rest.starts_with('/'));
    if is_below { Ok(url.into()) } else { Err(format!("{url} does not lie below the origin {origin}")) }
}

fn parse(request: &str) -> Result<Order, String> {
    let request: PurgeRequest =
        serde_json::from_str(request).map_err(|error| format!("the request cannot be read: {error}"))?;
    let PurgeRequest { host, path, dependency } = request;
    let Some(host) = host else {
        return match (path, dependency) {
            (None, None) => Ok(Order::Pipeline),
            (Some(_), _) | (_, Some(_)) => Err("a path or a dependency needs its host".to_owned()),
        };
    };
    let host = HostName::from_authority(&host).map_err(|error| error.to_string())?;
    let scope = match (path, dependency) {
        (None, None) => OrderedScope::Tenant,
        (Some(path), None) => OrderedScope::Path(path.parse().map_err(|error| format!("{error}"))?),
        (None, Some(dependency)) => OrderedScope::Dependency(dependency),
        (Some(_), Some(_)) => return Err("name a path or a dependency, not both".to_owned()),
    };
    Ok(Order::Tenant { host, scope })
}

#[cfg(test)]
mod tests;
