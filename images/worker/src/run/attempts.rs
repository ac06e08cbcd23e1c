//! How often each job of a key was begun without coming to an outcome: what tells a job that cannot end from
//! one that was handed back often.
//!
//! Kept in the store, beside the manifest, since a worker that a job kills has no say afterwards: an attempt is
//! counted before it begins. A first delivery is not, unless it fails, and costs nothing.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use pipeline::{
    Error, ErrorKind, chain,
    job::{JOB_LIFETIME_SECONDS, Job},
    key::Key,
    manifest::{Closure, MANIFEST_VERSION, Manifest, Outcome},
    names::JobId,
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
#[derive(Debug, Default, Serialize, Deserialize)]
struct Attempts {
    #[serde(default)]
    jobs: BTreeMap<JobId, Begun>,
}

/// One job's attempts.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    times: u32,
    latest: Timestamp,
}

impl Attempts {
    fn of(&self, job: &JobId) -> u32 {
        self.jobs.get(job).map_or(0, |begun| begun.times)
    }

    /// Counts one more, and forgets jobs that nobody waits for any more.
    fn count(&mut self, job: &JobId, now: Timestamp) -> u32 {
        let lifetime = SignedDuration::from_secs(JOB_LIFETIME_SECONDS);
        self.jobs.retain(|_, begun| now.duration_since(begun.latest) <= lifetime);
        let times = self.of(job).saturating_add(1);
        self.jobs.insert(job.clone(), Begun { times, latest: now });
        times
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
    pub(super) async fn fetch_attempts(&self, job: &Job) -> Result<u32, Error> {
        let key = job.key();
        let object = self.store.get(&key.attempts_object()).await?;
        object.map_or(Ok(0), |object| Ok(parse(&object.body, &key)?.of(&job.id)))
    }

    /// Counts an attempt that begins, and gives its number.
    pub(super) async fn count_attempt(&self, job: &Job) -> Result<u32, Error> {
        let key = job.key();
        let name = key.attempts_object();
        for _ in 0..MAX_WRITES {
            let (mut attempts, condition) = match self.store.get(&name).await? {
                Some(object) => (parse(&object.body, &key)?, Condition::IfMatch(object.etag)),
                None => (Attempts::default(), Condition::IfAbsent),
            };
            let times = attempts.count(&job.id, Timestamp::now());
            let body = serde_json::to_vec(&attempts).expect("ids and numbers always serialize");
            match self.store.put(&name, Bytes::from(body), condition).await? {
                PutOutcome::Stored(_) => return Ok(times),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_job_has_a_count_of_its_own_for_as_long_as_somebody_may_wait() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let (one, other) = (JobId::random(), JobId::random());
        let mut attempts = Attempts::default();
        assert_eq!([1, 2, 3].map(|second| attempts.count(&one, at(second))), [1, 2, 3]);
        assert_eq!(attempts.count(&other, at(4)), 1, "what another job came to is not its fault");
        assert_eq!(attempts.count(&one, at(5)), 4, "jobs that take turns are counted all the same");
        assert_eq!(attempts.count(&other, at(6 + JOB_LIFETIME_SECONDS)), 1);
        assert_eq!(attempts.of(&one), 0, "it is forgotten");
    }
}
