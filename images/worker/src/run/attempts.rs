//! How often the jobs of a key were begun without coming to an outcome: what tells a job that cannot end from
//! one that was handed back often.
//!
//! Kept in the store, beside the manifest, since a worker that a job kills has no say afterwards: an attempt is
//! counted before it begins. A first delivery is not, unless it fails, and costs nothing.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use pipeline::{
    Error, ErrorKind, chain,
    job::{JOB_LIFETIME_SECONDS, Job},
    key::Key,
    manifest::{Closure, MANIFEST_VERSION, Manifest, Outcome},
    ports::{Condition, PutOutcome},
    record::{StoredManifest, replace_manifest},
};
use serde::{Deserialize, Serialize};

use super::{RunEnd, RunError, Runner};

/// Attempts after which a job is given up.
const MAX_ATTEMPTS: u32 = 5;
/// How often a count is tried against other workers that count.
const MAX_WRITES: u32 = 4;

/// The stored object.
#[derive(Debug, Serialize, Deserialize)]
struct Attempts {
    begun: u32,
    latest: Timestamp,
}

impl Attempts {
    /// Those that may be of a job that still waits.
    fn count(&self, now: Timestamp) -> u32 {
        let lifetime = SignedDuration::from_secs(JOB_LIFETIME_SECONDS);
        if now.duration_since(self.latest) > lifetime { 0 } else { self.begun }
    }
}

/// Whether there may be another attempt after so many.
pub(super) fn is_last(attempts: u32) -> bool {
    attempts >= MAX_ATTEMPTS
}

/// Whether the attempt of this number is not to be made.
pub(super) fn is_one_too_many(attempt: u32) -> bool {
    attempt > MAX_ATTEMPTS
}

impl Runner {
    pub(super) async fn fetch_attempts(&self, key: &Key) -> Result<u32, Error> {
        let object = self.store.get(&key.attempts_object()).await?;
        object.map_or(Ok(0), |object| Ok(parse(&object.body, key)?.count(Timestamp::now())))
    }

    /// Counts an attempt that begins, and gives its number.
    pub(super) async fn count_attempt(&self, key: &Key) -> Result<u32, Error> {
        let name = key.attempts_object();
        for _ in 0..MAX_WRITES {
            let now = Timestamp::now();
            let (before, condition) = match self.store.get(&name).await? {
                Some(object) => (parse(&object.body, key)?.count(now), Condition::IfMatch(object.etag)),
                None => (0, Condition::IfAbsent),
            };
            let attempts = Attempts { begun: before.saturating_add(1), latest: now };
            let body = serde_json::to_vec(&attempts).expect("two numbers always serialize");
            match self.store.put(&name, Bytes::from(body), condition).await? {
                PutOutcome::Stored(_) => return Ok(attempts.begun),
                PutOutcome::PreconditionFailed => {}
            }
        }
        Err(Error::new(ErrorKind::Unavailable, format!("count attempts in {name} against other workers")))
    }

    /// After an outcome. What is left over where this fails counts for as long as a job may wait.
    pub(super) async fn forget_attempts(&self, key: &Key) {
        if let Err(error) = self.store.delete(&key.attempts_object()).await {
            tracing::warn!(error = chain(&error), "could not forget a key's attempts");
        }
    }

    /// Stores that the job is given up. Why is for us alone: it may name what is ours.
    pub(super) async fn abandon(
        &self,
        job: &Job,
        standing: Option<StoredManifest>,
        attempts: u32,
        why: &str,
    ) -> Result<RunEnd, RunError> {
        let message = format!("{attempts} attempts to make the style sheet came to no end");
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            outcome: Outcome::Abandoned { message },
            closure: Closure::default(),
            sources_read_at: Timestamp::now(),
            modified_at: None,
            engine: String::new(),
            job: job.id.clone(),
            failures: 0,
            last_good: None,
        };
        let written = replace_manifest(&*self.store, &job.key(), standing, manifest).await;
        let written = written.map_err(RunError::Store)?;
        tracing::error!(
            job.id = %job.id, tenant.id = %job.tenant_id, job.path = %job.path, job.attempts = attempts, why, "gave a job up"
        );
        Ok(RunEnd::Ran(written))
    }
}

fn parse(body: &[u8], key: &Key) -> Result<Attempts, Error> {
    serde_json::from_slice(body).map_err(|source| {
        Error::new(ErrorKind::Invalid, format!("read {}", key.attempts_object())).with_source(source)
    })
}
