//! Names to addresses for the HTTP client: only those that may be asked, so that what was checked is what is
//! connected to.

use std::{
    error::Error as StdError,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
    vec,
};

use futures::{FutureExt, future::BoxFuture};
use hyper_util::client::legacy::connect::dns::Name;
use moka::future::Cache;
use tokio::net::lookup_host;
use tower::Service;

use super::client::causes;
use crate::origin::guard::{Guard, Reach};

/// Names that are being looked up at the same time.
const MAX_NAMES: u64 = 1_000;
const FORGOTTEN_AFTER: Duration = Duration::from_secs(1);

/// Look-ups that are under way. Who asks for a name meanwhile, as a job does that begins many connections at once,
/// waits for the same answer; nobody is given one that was there before.
#[derive(Clone)]
pub(super) struct Names(Cache<String, Vec<SocketAddr>>);

impl Names {
    pub(super) fn new() -> Self {
        // An answer goes with its look-up, or soon after one that was given up half-way.
        Self(Cache::builder().max_capacity(MAX_NAMES).time_to_live(FORGOTTEN_AFTER).build())
    }

    async fn look_up(&self, name: &str) -> Result<Vec<SocketAddr>, Arc<io::Error>> {
        let look_up = async { lookup_host((name, 0)).await.map(Iterator::collect) };
        let found = self.0.try_get_with_by_ref(name, look_up).await;
        self.0.invalidate(name).await;
        found
    }
}

/// Asks the system's resolver, and hands on only allowed addresses.
#[derive(Clone)]
pub(super) struct GuardedResolver {
    pub(super) guard: Guard,
    pub(super) reach: Reach,
    pub(super) names: Names,
}

/// A host name of which no address may be asked.
#[derive(Debug, thiserror::Error)]
enum RefusedName {
    #[error("{0} is not a public address, and not in a network that this pipeline allows (privateNetworks)")]
    Public(String),
    #[error(
        "{0} has no address in a network that this pipeline allows (privateNetworks); elsewhere only public \
         names are asked, at ports 80 and 443"
    )]
    Named(String),
}

impl GuardedResolver {
    async fn resolve(self, name: Name) -> Result<vec::IntoIter<SocketAddr>, Box<dyn StdError + Send + Sync>> {
        let Self { guard, reach, names } = self;
        let found = names.look_up(name.as_str()).await?;
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
        }
        let allowed: Vec<SocketAddr> =
            found.into_iter().filter(|found| guard.allows(reach, found.ip())).collect();
        if !allowed.is_empty() {
            return Ok(allowed.into_iter());
        }
        let name = name.as_str().to_owned();
        Err(match reach {
            Reach::Public => RefusedName::Public(name),
            Reach::Named => RefusedName::Named(name),
        }
        .into())
    }
}

impl Service<Name> for GuardedResolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Box<dyn StdError + Send + Sync>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        self.clone().resolve(name).boxed()
    }
}

/// The guard's refusal, from wherever the client has buried it.
pub(super) fn find_refusal(error: &(dyn StdError + 'static)) -> Option<String> {
    causes(error).find_map(|cause| cause.downcast_ref::<RefusedName>()).map(ToString::to_string)
}
