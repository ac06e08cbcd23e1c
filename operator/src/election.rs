//! Leader election: of several operators one writes, by a Lease of the cluster.
//!
//! The Lease is only ever replaced in the very version that was read, so that of two who want it one gets it.
//! Nobody's clock is compared with another's: who waits counts from when it saw the Lease change last, who has it
//! from before it asked. The times are client-go's defaults (`tools/leaderelection`). `kube-lease-manager`, the
//! crate for this, patches an expired Lease without a version: two that wait may both take it.

mod claim;
mod term;

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use pipeline::chain;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::claim::{Claim, Sight};
pub use self::term::{Term, TermIsOver};

/// A Lease that was not renewed for so long is anybody's.
const LEASE: Duration = Duration::from_secs(15);
/// How long after a renewal writes may begin: what has begun then has the rest of [`LEASE`] to end.
const TERM: Duration = Duration::from_secs(10);
/// Between two looks, or two renewals.
const PERIOD: Duration = Duration::from_secs(2);
/// For one request about the Lease.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// One that would lead.
pub struct Election {
    leases: Api<Lease>,
    name: String,
    identity: String,
    /// The Lease as it was last seen.
    sight: Option<Sight>,
}

impl Election {
    /// `identity` must be this process's alone; it stands in the Lease.
    pub fn new(client: Client, namespace: &str, name: String, identity: String) -> Self {
        Self { leases: Api::namespaced(client, namespace), name, identity, sight: None }
    }

    /// Waits until this process leads; `None` once it is to stop.
    pub async fn win(&mut self, shutdown: &CancellationToken) -> Option<Term> {
        while !shutdown.is_cancelled() {
            let asked = Instant::now();
            match self.claim().await {
                Ok(true) => {
                    tracing::info!(lease = self.name, identity = self.identity, "leads");
                    return Some(Term::until(asked + TERM));
                }
                Ok(false) => {}
                Err(error) => self.tell_failure(&error),
            }
            shutdown.run_until_cancelled(sleep(PERIOD)).await;
        }
        None
    }

    /// Renews the Lease, until `done`. Ends before that where somebody else may have it.
    pub async fn keep(&mut self, term: &Term, done: &CancellationToken) {
        let mut renewed = Instant::now();
        while done.run_until_cancelled(sleep(PERIOD)).await.is_some() {
            let asked = Instant::now();
            match self.renew().await {
                Ok(true) => {
                    renewed = asked;
                    term.extend(asked + TERM);
                }
                Ok(false) => {
                    tracing::warn!(
                        lease = self.name,
                        identity = self.identity,
                        "lost its lease, and starts anew"
                    );
                    return;
                }
                Err(error) => self.tell_failure(&error),
            }
            if renewed.elapsed() > LEASE {
                tracing::warn!(lease = self.name, "could not renew its lease in time, and starts anew");
                return;
            }
        }
    }

    /// Lets the next one begin at once. Nothing is lost where that fails: the Lease runs out.
    pub async fn resign(mut self) {
        if !self.sight.as_ref().is_some_and(|sight| sight.is_held_by(&self.identity)) {
            return;
        }
        let free = LeaseSpec { lease_duration_seconds: Some(1), ..self.spec(None) };
        match self.replace(free).await {
            Ok(true) => tracing::info!(lease = self.name, "gave its lease back"),
            Ok(false) => {}
            Err(error) => self.tell_failure(&error),
        }
    }

    /// Whether the Lease is ours now, which it was not.
    async fn claim(&mut self) -> Result<bool, ElectionError> {
        self.look().await?;
        match self.sight.as_ref().map_or(Claim::Create, |sight| sight.judge(&self.identity, Instant::now())) {
            Claim::Wait => Ok(false),
            Claim::Create => self.create().await,
            Claim::Take => {
                let spec = self.spec(Some(self.identity.clone()));
                self.replace(LeaseSpec { acquire_time: spec.renew_time.clone(), ..spec }).await
            }
        }
    }

    /// Whether the Lease is still ours. An answer that was lost leaves a version that we do not know.
    async fn renew(&mut self) -> Result<bool, ElectionError> {
        if self.replace(self.renewed()).await? {
            return Ok(true);
        }
        self.look().await?;
        let is_ours = self.sight.as_ref().is_some_and(|sight| sight.is_held_by(&self.identity));
        if is_ours { self.replace(self.renewed()).await } else { Ok(false) }
    }

    fn renewed(&self) -> LeaseSpec {
        let acquire_time = self.sight.as_ref().and_then(Sight::acquire_time);
        LeaseSpec { acquire_time, ..self.spec(Some(self.identity.clone())) }
    }

    fn spec(&self, holder: Option<String>) -> LeaseSpec {
        let transitions = self.sight.as_ref().map_or(0, |sight| sight.transitions_to(holder.as_deref()));
        LeaseSpec {
            holder_identity: holder,
            lease_duration_seconds: i32::try_from(LEASE.as_secs()).ok(),
            lease_transitions: Some(transitions),
            renew_time: Some(MicroTime(jiff::Timestamp::now())),
            ..LeaseSpec::default()
        }
    }

    async fn look(&mut self) -> Result<(), ElectionError> {
        let found = bounded(self.leases.get_opt(&self.name)).await?;
        self.sight = found.map(|lease| Sight::after(self.sight.take(), lease, Instant::now()));
        Ok(())
    }

    async fn create(&mut self) -> Result<bool, ElectionError> {
        let spec = self.spec(Some(self.identity.clone()));
        let spec = LeaseSpec { acquire_time: spec.renew_time.clone(), ..spec };
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        let lease = Lease { metadata, spec: Some(spec) };
        self.note(bounded(self.leases.create(&PostParams::default(), &lease)).await)
    }

    /// Whether it was still as we had seen it.
    async fn replace(&mut self, spec: LeaseSpec) -> Result<bool, ElectionError> {
        let Some(sight) = &self.sight else { return Ok(false) };
        let lease = sight.with(spec);
        self.note(bounded(self.leases.replace(&self.name, &PostParams::default(), &lease)).await)
    }

    fn note(&mut self, written: Result<Lease, ElectionError>) -> Result<bool, ElectionError> {
        match written {
            Ok(lease) => {
                self.sight = Some(Sight::after(self.sight.take(), lease, Instant::now()));
                Ok(true)
            }
            Err(ElectionError::Cluster(kube::Error::Api(status))) if [404, 409].contains(&status.code) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn tell_failure(&self, error: &ElectionError) {
        tracing::warn!(lease = self.name, error = chain(error), "could not read or write the lease");
    }
}

/// The API server did not say whose the Lease is.
#[derive(Debug, thiserror::Error)]
enum ElectionError {
    #[error("the API server refused, or was not reached")]
    Cluster(#[source] kube::Error),
    #[error("the API server did not answer within {} s", REQUEST_TIMEOUT.as_secs())]
    TimedOut,
}

async fn bounded<T>(request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, ElectionError> {
    match timeout(REQUEST_TIMEOUT, request).await {
        Ok(answer) => answer.map_err(ElectionError::Cluster),
        Err(_) => Err(ElectionError::TimedOut),
    }
}

#[cfg(test)]
mod tests;
