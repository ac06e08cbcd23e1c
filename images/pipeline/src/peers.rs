//! The members of the web tier, by the headless Service's DNS name.

use std::{
    collections::HashSet,
    net::IpAddr,
    time::{Duration, Instant},
};

use tokio::{net::lookup_host, sync::Mutex, time::timeout};
use url::{Host, Url};

use crate::{Error, ErrorKind, env::INTERNAL_PORT};

/// How long an answer of the DNS is taken for true. An address that is not in it is looked up anew.
const MEMBERSHIP_TIME: Duration = Duration::from_secs(5);
/// At most one look-up in this time, so that forged addresses cost no stream of look-ups.
const LOOKUP_INTERVAL: Duration = Duration::from_millis(200);
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// Web pods that are known at the most; far more than one pipeline has.
const MAX_MEMBERS: usize = 1_000;

/// Tells whether an address belongs to a web pod of this pipeline.
pub struct Peers {
    host: String,
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    addresses: HashSet<IpAddr>,
    read_at: Option<Instant>,
}

impl Peers {
    /// `host` is the headless Service's DNS name; the cluster publishes pods that are not ready, too.
    pub fn new(host: String) -> Self {
        Self { host, members: Mutex::default() }
    }

    /// Whether `reply_to` is the internal listener of a web pod. Nothing is ever sent anywhere else.
    pub async fn is_member(&self, reply_to: &Url) -> Result<bool, Error> {
        let Some(address) = literal_address(reply_to) else { return Ok(false) };
        // Looking up under the lock makes concurrent callers share one look-up.
        let mut members = self.members.lock().await;
        let age = members.read_at.map(|read_at| read_at.elapsed());
        let is_known = members.addresses.contains(&address);
        let is_current = match age {
            None => false,
            Some(age) if is_known => age < MEMBERSHIP_TIME,
            Some(age) => age < LOOKUP_INTERVAL,
        };
        if !is_current {
            let found = lookup(&self.host).await;
            // Set whatever came of it: while the DNS fails, callers do not queue up behind its timeouts.
            members.read_at = Some(Instant::now());
            match found {
                Ok(addresses) => members.addresses = addresses,
                Err(error) if !is_known => return Err(error),
                Err(error) => tracing::warn!(error = crate::chain(&error), "keeping the known web pods"),
            }
        }
        Ok(members.addresses.contains(&address))
    }

    /// Looks the members up now, whatever is known; in order, at most 1,000.
    pub async fn refresh(&self) -> Result<Vec<IpAddr>, Error> {
        let addresses = lookup(&self.host).await?;
        let mut sorted: Vec<IpAddr> = addresses.iter().copied().collect();
        *self.members.lock().await = Members { addresses, read_at: Some(Instant::now()) };
        // Cut in order, so that all pods know the same ones.
        sorted.sort_unstable();
        sorted.truncate(MAX_MEMBERS);
        Ok(sorted)
    }
}

fn literal_address(url: &Url) -> Option<IpAddr> {
    if url.scheme() != "http" || url.port() != Some(INTERNAL_PORT) {
        return None;
    }
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

async fn lookup(host: &str) -> Result<HashSet<IpAddr>, Error> {
    let failed = || Error::new(ErrorKind::Unavailable, format!("look up the web pods at {host}"));
    let found = timeout(LOOKUP_TIMEOUT, lookup_host((host, INTERNAL_PORT))).await;
    let found = found.map_err(|late| failed().with_source(late))?;
    Ok(found.map_err(|source| failed().with_source(source))?.map(|address| address.ip()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_internal_listeners_by_address_can_be_members() {
        let address = |url: &str| literal_address(&url.parse().unwrap());
        assert_eq!(address("http://10.1.2.3:8081/notice"), Some([10, 1, 2, 3].into()));
        for url in
            ["http://10.1.2.3/notice", "https://10.1.2.3:8081/", "http://web:8081/", "http://10.1.2.3:8080/"]
        {
            assert_eq!(address(url), None, "{url}");
        }
    }
}
