//! Names to the addresses that may be asked: a client connects to what its resolver hands out and to nothing else.

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

use crate::address;

/// Hands out what it is allowed to.
pub(super) struct AskableResolver {
    pub(super) is_askable: fn(IpAddr) -> bool,
    /// Set where it has handed out an address that is not public.
    pub(super) met_private: Arc<AtomicBool>,
}

/// Why there is no address.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookupError {
    #[error("could not look up the name")]
    Unknown(#[source] io::Error),
    #[error("the name leads nowhere that may be asked")]
    Forbidden,
}

impl Resolve for AskableResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (is_askable, met_private) = (self.is_askable, Arc::clone(&self.met_private));
        Box::pin(async move {
            // The client puts the URL's port in the place of 0.
            let found = lookup_host((name.as_str(), 0)).await.map_err(LookupError::Unknown)?;
            let askable: Vec<_> = found.filter(|address| is_askable(address.ip())).collect();
            if askable.is_empty() {
                return Err(LookupError::Forbidden.into());
            }
            if askable.iter().any(|address| !address::is_public(address.ip().to_canonical())) {
                met_private.store(true, Ordering::Relaxed);
            }
            Ok(Box::new(askable.into_iter()) as Addrs)
        })
    }
}
