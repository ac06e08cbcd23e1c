//! The signers' certificates that one pod knows: fetched once, trusted anew at every message.
//!
//! What forged messages can cost is bounded: one fetch for each URL however many messages name it, failures
//! remembered for some seconds, few URLs remembered at all, and few fetches in a minute.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use moka::future::Cache;
use tokio::time::Instant;
use url::Url;

use super::{
    aia::issuer_url,
    authority::Authority,
    certificate::{CertificateError, SignerCertificate},
    refusal::Refusal,
    source::Source,
};

/// SNS changes its certificate about once a year.
const TRUST_TIME: Duration = Duration::from_hours(24);
/// Below SNS's 20 s between two tries.
const FAILURE_TIME: Duration = Duration::from_secs(10);
const MAX_KNOWN: u64 = 64;
/// Fetches that may follow each other at once, and the time after which one more is allowed.
const BURST: u32 = 8;
const FETCH_INTERVAL: Duration = Duration::from_secs(5);

/// What came of a fetch, and when.
#[derive(Clone)]
struct Known {
    fetched_at: Instant,
    outcome: Result<Arc<SignerCertificate>, Refusal>,
}

impl Known {
    fn is_outdated(&self) -> bool {
        let time = match &self.outcome {
            Ok(_) => TRUST_TIME,
            // Nothing was asked, so there is nothing to spare.
            Err(Refusal::TooManyCertificates) => Duration::ZERO,
            Err(_) => FAILURE_TIME,
        };
        self.fetched_at.elapsed() >= time
    }
}

pub(super) struct Certificates {
    source: Source,
    authority: Authority,
    /// A certificate carries one of these.
    names: Vec<String>,
    known: Cache<Url, Known>,
    budget: Mutex<Budget>,
}

impl Certificates {
    pub(super) fn new(source: Source, authority: Authority, names: Vec<String>) -> Self {
        let budget = Mutex::new(Budget { fetches: BURST, refilled_at: Instant::now() });
        Self { source, authority, names, known: Cache::new(MAX_KNOWN), budget }
    }

    /// The certificate at `url`, if it is to be trusted at `now`. Concurrent callers share one fetch.
    pub(super) async fn find(&self, url: &Url, now: Timestamp) -> Result<Arc<SignerCertificate>, Refusal> {
        let fetch = async {
            let outcome = self.fetch(url, now).await;
            Known { fetched_at: Instant::now(), outcome }
        };
        let entry = self.known.entry_by_ref(url).or_insert_with_if(fetch, Known::is_outdated).await;
        let certificate = entry.into_value().outcome?;
        // Time goes on while a certificate is known.
        certificate.check(&self.authority, &self.names, now).map_err(refused)?;
        Ok(certificate)
    }

    async fn fetch(&self, url: &Url, now: Timestamp) -> Result<Arc<SignerCertificate>, Refusal> {
        self.spend()?;
        let pem = self.source.fetch(url).await.map_err(refused)?;
        let mut certificate = SignerCertificate::from_pem(&pem).map_err(refused)?;
        match certificate.check(&self.authority, &self.names, now) {
            Ok(()) => {}
            Err(CertificateError::Untrusted(webpki::Error::UnknownIssuer)) => {
                self.complete(&mut certificate, now).await?;
            }
            Err(error) => return Err(refused(error)),
        }
        tracing::info!(%url, "trusting a signer's certificate");
        Ok(Arc::new(certificate))
    }

    /// Fetches the issuer's certificate for a signer's that came alone.
    async fn complete(&self, certificate: &mut SignerCertificate, now: Timestamp) -> Result<(), Refusal> {
        if let Some(issuer) = issuer_url(certificate.own()) {
            certificate.add(self.source.fetch(&issuer).await.map_err(refused)?);
        }
        certificate.check(&self.authority, &self.names, now).map_err(refused)
    }

    fn spend(&self) -> Result<(), Refusal> {
        // No code panics while it holds the lock half-way through a change.
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        if budget.spend(Instant::now()) { Ok(()) } else { Err(Refusal::TooManyCertificates) }
    }
}

fn refused(error: CertificateError) -> Refusal {
    let error = Arc::new(error);
    if error.is_transient() { Refusal::Unavailable(error) } else { Refusal::Certificate(error) }
}

/// How many fetches are allowed now.
struct Budget {
    fetches: u32,
    refilled_at: Instant,
}

impl Budget {
    fn spend(&mut self, now: Instant) -> bool {
        while self.fetches < BURST && now.duration_since(self.refilled_at) >= FETCH_INTERVAL {
            self.fetches += 1;
            self.refilled_at += FETCH_INTERVAL;
        }
        if self.fetches == BURST {
            self.refilled_at = now;
        }
        let is_allowed = self.fetches > 0;
        self.fetches = self.fetches.saturating_sub(1);
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fetches_are_allowed_in_a_burst_and_then_at_a_rate() {
        let start = Instant::now();
        let mut budget = Budget { fetches: BURST, refilled_at: start };
        let mut allowed = |at: Instant| (0..100).filter(|_| budget.spend(at)).count();
        assert_eq!(allowed(start), 8);
        assert_eq!(allowed(start + FETCH_INTERVAL / 2), 0);
        assert_eq!(allowed(start + FETCH_INTERVAL), 1);
        assert_eq!(allowed(start + 4 * FETCH_INTERVAL), 3);
        assert_eq!(allowed(start + 1000 * FETCH_INTERVAL), 8);
    }
}
