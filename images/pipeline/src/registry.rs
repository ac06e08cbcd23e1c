//! The registry of tenants as objects in the store, behind a bounded cache that remembers absence too.
//!
//! A store that cannot be read for a moment takes no known tenant down, and strangers' hosts cannot take
//! the store's time from the known ones.

use std::{
    mem::{size_of, size_of_val},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use moka::{future::Cache, policy::EvictionPolicy};
use prometheus_client::{metrics::counter::Counter, registry::Registry};
use tokio::time::{Instant, timeout};

use crate::{
    Error, ErrorKind, chain,
    names::HostName,
    ports::{Store, Tenants},
    purge::HintScope,
    rate::RateLimit,
    tenant::{REGISTRATION_VERSION, Registration, Tenant, registry_object},
};

/// How long an answer, "nobody" included, is taken for true.
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// How long a failed look-up is not tried again.
const FAILURE_TIME: Duration = Duration::from_secs(1);
/// How long a known tenant is served without a word from the store.
pub(crate) const KNOWN_TIME: Duration = Duration::from_mins(5);
/// How long visitors of a known tenant wait for that word.
const KNOWN_PATIENCE: Duration = Duration::from_millis(300);
/// Bytes of tenants and absences that one process remembers.
const CACHE_BYTES: u64 = 64 << 20;
/// A host is forgotten when nobody has asked for it for this long.
const IDLE: Duration = Duration::from_mins(10);
/// Look-ups a second of hosts that are not known to be somebody's: each costs a read. A process that has
/// just started knows no host, so ten times as many are let through at once.
const STRANGERS_PER_SECOND: NonZeroU32 = NonZeroU32::new(500).expect("it is not 0");
const STRANGERS_AT_ONCE: NonZeroU32 = NonZeroU32::new(5_000).expect("it is not 0");

/// Reads `tenants/<host>.json`.
pub struct StoreTenants {
    store: Arc<dyn Store>,
    answers: Cache<HostName, Answer>,
    strangers: RateLimit,
    stale_answers: Counter,
    refusals: Counter,
}

/// What is known of a host.
#[derive(Clone)]
struct Answer {
    found: Result<Option<Arc<Tenant>>, Arc<Error>>,
    /// When the store was last asked, unless somebody said since then that it would tell something else.
    asked_at: Option<Instant>,
    /// When the store last said so.
    told_at: Instant,
}

impl Answer {
    fn is_current(&self) -> bool {
        let lasts = if self.found.is_ok() { ANSWER_TIME } else { FAILURE_TIME };
        self.asked_at.is_some_and(|asked_at| asked_at.elapsed() < lasts)
    }

    /// The tenant, where it may still be served without asking the store.
    fn known(&self) -> Option<&Arc<Tenant>> {
        let tenant = self.found.as_ref().ok()?.as_ref()?;
        (self.told_at.elapsed() < KNOWN_TIME).then_some(tenant)
    }
}

impl StoreTenants {
    pub fn new(store: Arc<dyn Store>) -> Self {
        let answers = Cache::builder()
            .max_capacity(CACHE_BYTES)
            .weigher(|host: &HostName, answer: &Answer| weigh(host, answer))
            .time_to_idle(IDLE)
            .eviction_policy(EvictionPolicy::tiny_lfu())
            .build();
        Self {
            store,
            answers,
            strangers: RateLimit::per_second(STRANGERS_PER_SECOND, STRANGERS_AT_ONCE),
            stale_answers: Counter::default(),
            refusals: Counter::default(),
        }
    }

    /// Makes its counts part of the process's metrics.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "assets_registry_stale_answers",
            "Look-ups of known tenants that the store did not answer in time",
            self.stale_answers.clone(),
        );
        registry.register(
            "assets_registry_refusals",
            "Look-ups of unknown hosts beyond their limit",
            self.refusals.clone(),
        );
    }

    /// However many ask for a host, one of them asks the store.
    async fn renew(&self, host: &HostName, previous: Option<Answer>) -> Answer {
        let ask = self.ask(host, previous);
        let entry = self.answers.entry_by_ref(host);
        entry.or_insert_with_if(ask, |answer| !answer.is_current()).await.into_value()
    }

    async fn ask(&self, host: &HostName, previous: Option<Answer>) -> Answer {
        let asked_at = Instant::now();
        let Some(known) = previous.as_ref().and_then(Answer::known) else {
            return Answer {
                found: self.read_stranger(host).await,
                asked_at: Some(asked_at),
                told_at: asked_at,
            };
        };
        let late = || Error::new(ErrorKind::Unavailable, format!("look up tenant {host} in time"));
        let read = timeout(KNOWN_PATIENCE, self.read(host)).await.unwrap_or_else(|_| Err(late()));
        match read {
            Ok(found) => Answer { found: Ok(found), asked_at: Some(asked_at), told_at: asked_at },
            Err(error) => {
                self.stale_answers.inc();
                tracing::warn!(tenant.host = %host, error = chain(&error), "serving a tenant as last known");
                let told_at = previous.as_ref().map_or(asked_at, |previous| previous.told_at);
                Answer { found: Ok(Some(known.clone())), asked_at: Some(asked_at), told_at }
            }
        }
    }

    async fn read_stranger(&self, host: &HostName) -> Result<Option<Arc<Tenant>>, Arc<Error>> {
        if let Err(pause) = self.strangers.take() {
            self.refusals.inc();
            let mut error = Error::new(ErrorKind::Throttled, format!("look up unknown host {host}"));
            error.retry_after = Some(pause);
            return Err(Arc::new(error));
        }
        self.read(host).await.map_err(Arc::new)
    }

    async fn read(&self, host: &HostName) -> Result<Option<Arc<Tenant>>, Error> {
        let registration = read_registration(&*self.store, host).await?;
        Ok(registration.map(|registration| Arc::new(registration.tenant)))
    }
}

#[async_trait]
impl Tenants for StoreTenants {
    async fn lookup(&self, host: &HostName) -> Result<Option<Arc<Tenant>>, Error> {
        let previous = self.answers.get(host).await;
        let answer = match previous {
            Some(answer) if answer.is_current() => answer,
            // Apart, so that look-ups that memory answers are not as large as those that it does not.
            previous => Box::pin(self.renew(host, previous)).await,
        };
        answer.found.map_err(|shared| Error::of_shared(shared, format!("look up tenant {host}")))
    }

    async fn look_again(&self, scope: &HintScope) {
        let HintScope::Hosts(hosts) = scope else { return };
        for host in hosts {
            // What was known stays known: the store may not answer.
            if let Some(answer) = self.answers.get(host).await {
                self.answers.insert(host.clone(), Answer { asked_at: None, ..answer }).await;
            }
        }
    }
}

/// Bytes that an entry takes, about.
fn weigh(host: &HostName, answer: &Answer) -> u32 {
    let texts = match &answer.found {
        Ok(Some(tenant)) => {
            let Tenant {
                host,
                id,
                origin,
                site_url,
                load_paths,
                development: _,
                engine: _,
                limits: _,
                purges,
            } = &**tenant;
            let purges = size_of_val(purges.records());
            let load_paths: usize = load_paths.iter().map(|path| path.len() + size_of::<String>()).sum();
            let urls = origin.as_str().len() + site_url.as_ref().map_or(0, |url| url.as_str().len());
            let texts = host.as_str().len() + id.as_str().len() + urls;
            size_of::<Tenant>() + texts + load_paths + purges
        }
        Ok(None) => 0,
        Err(_) => size_of::<Error>(),
    };
    u32::try_from(size_of::<(HostName, Answer)>() + host.as_str().len() + texts).unwrap_or(u32::MAX)
}

/// The host's registration, or `None` where nobody has claimed it.
pub async fn read_registration(store: &dyn Store, host: &HostName) -> Result<Option<Registration>, Error> {
    let name = registry_object(host);
    let Some(object) = store.get(&name).await? else { return Ok(None) };
    let invalid = || Error::new(ErrorKind::Invalid, format!("read registration {name}"));
    let registration: Registration =
        serde_json::from_slice(&object.body).map_err(|source| invalid().with_source(source))?;
    if registration.version == REGISTRATION_VERSION {
        Ok(Some(registration))
    } else {
        Err(invalid().with_source(format!("its version is {}", registration.version)))
    }
}

#[cfg(test)]
mod tests;
