//! "Look at the purges now": what the operator tells web pods, so that a purge is known at once.
//!
//! A hint only. It says nothing of what is purged: a pod that gets it reads the records, and one that does
//! not reads them within some seconds all the same.

use std::{net::IpAddr, time::Duration};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::{
    Error, chain,
    direct::internal_client,
    env::INTERNAL_PORT,
    names::HostName,
    peers::Peers,
    signature::{SIGNATURE_HEADER, SigningKeys},
};

/// The path of a web pod's internal listener that takes hints.
pub const PURGE_HINT_PATH: &str = "/purge";
/// The `version` that this build writes and understands.
pub const PURGE_HINT_VERSION: u32 = 1;
/// Hosts of one hint: each costs its pod a read with the next visit.
pub const MAX_HINTED_HOSTS: usize = 100;

/// Hints that are on their way at the same time.
const HINTS_AT_ONCE: usize = 32;
/// For all of them: who waits for the purge is told of it after that.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where there is a purge that a pod may not know of yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HintScope {
    /// Of the whole pipeline.
    Pipeline,
    /// Of the tenants with these hosts, at most [`MAX_HINTED_HOSTS`].
    Hosts(Vec<HostName>),
}

/// The body of a hint to [`PURGE_HINT_PATH`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeHint {
    /// Shape of this object; 1.
    pub version: u32,
    pub scope: HintScope,
}

impl PurgeHint {
    pub fn new(scope: HintScope) -> Self {
        Self { version: PURGE_HINT_VERSION, scope }
    }

    /// The hint in this body, where this build understands it and it asks for no more than a hint may.
    pub fn from_body(body: &[u8]) -> Option<Self> {
        let hint: Self = serde_json::from_slice(body).ok()?;
        let is_bounded = match &hint.scope {
            HintScope::Pipeline => true,
            HintScope::Hosts(hosts) => hosts.len() <= MAX_HINTED_HOSTS,
        };
        (hint.version == PURGE_HINT_VERSION && is_bounded).then_some(hint)
    }

    /// The body, and the value of [`SIGNATURE_HEADER`].
    pub fn seal(&self, keys: &SigningKeys, now: Timestamp) -> (Vec<u8>, String) {
        let body = serde_json::to_vec(self).expect("it holds only text and numbers, which always serialize");
        let signature = keys.sign(&body, now);
        (body, signature)
    }
}

/// Tells web pods.
#[derive(Clone)]
pub struct PurgeHints {
    client: reqwest::Client,
}

impl PurgeHints {
    pub fn new() -> Result<Self, Error> {
        Ok(Self { client: internal_client()? })
    }

    /// Tells every web pod at `peers` once, within 3 s. Whoever is not reached reads the records later.
    pub async fn send(&self, hints: &[PurgeHint], keys: &SigningKeys, peers: &Peers) {
        let pods = match peers.refresh().await {
            Ok(pods) => pods,
            Err(error) => {
                tracing::warn!(error = chain(&error), "no web pod is told of a purge; all read of it soon");
                return;
            }
        };
        let mut posts: Vec<BoxFuture<'_, bool>> = Vec::new();
        for pod in pods {
            posts.extend(hints.iter().map(|hint| self.post(pod, hint, keys).boxed()));
        }
        let total = posts.len();
        let mut answers = stream::iter(posts).buffer_unordered(HINTS_AT_ONCE);
        let mut reached = 0;
        let all = async {
            while let Some(is_reached) = answers.next().await {
                reached += usize::from(is_reached);
            }
        };
        let _ = timeout(PATIENCE, all).await;
        if reached < total {
            tracing::warn!(reached, total, "not every web pod could be told of a purge; all read of it soon");
        }
    }

    async fn post(&self, pod: IpAddr, hint: &PurgeHint, keys: &SigningKeys) -> bool {
        let url = format!("http://{}{PURGE_HINT_PATH}", std::net::SocketAddr::new(pod, INTERNAL_PORT));
        let (body, signature) = hint.seal(keys, Timestamp::now());
        let sent = self.client.post(url).header(SIGNATURE_HEADER, signature).body(body).send().await;
        match sent.and_then(reqwest::Response::error_for_status) {
            Ok(_) => true,
            Err(error) => {
                tracing::info!(pod = %pod, error = chain(&error), "a web pod could not be told of a purge");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(count: usize) -> HintScope {
        HintScope::Hosts((0..count).map(|host| format!("h{host}.example").parse().unwrap()).collect())
    }

    #[test]
    fn hint_is_read_as_it_was_sealed() {
        let keys = SigningKeys::from_text("0123456789abcdef").unwrap();
        let now = Timestamp::from_second(1_000).unwrap();
        for scope in [HintScope::Pipeline, hosts(0), hosts(2), hosts(MAX_HINTED_HOSTS)] {
            let hint = PurgeHint::new(scope);
            let (body, signature) = hint.seal(&keys, now);
            assert!(keys.is_signed(&signature, &body, now));
            assert_eq!(PurgeHint::from_body(&body), Some(hint));
        }
        let (body, _) = PurgeHint::new(hosts(1)).seal(&keys, now);
        assert_eq!(body, br#"{"version":1,"scope":{"Hosts":["h0.example"]}}"#);
    }

    #[test]
    fn bodies_of_another_kind_version_or_size_are_no_hint() {
        let keys = SigningKeys::from_text("0123456789abcdef").unwrap();
        let too_many = PurgeHint::new(hosts(MAX_HINTED_HOSTS + 1));
        let newer = PurgeHint { version: 2, scope: HintScope::Pipeline };
        for hint in [too_many, newer] {
            assert_eq!(PurgeHint::from_body(&hint.seal(&keys, Timestamp::UNIX_EPOCH).0), None);
        }
        for body in ["", "{}", r#"{"version":1}"#, r#"{"version":1,"scope":{"Hosts":["a_b"]}}"#] {
            assert_eq!(PurgeHint::from_body(body.as_bytes()), None, "{body}");
        }
    }
}
