//! One job, from its sources to its stored outcome.

mod attempt;
mod attempts;
mod store;

use std::{io, sync::Arc, time::Duration};

use jiff::Timestamp;
use pipeline::{
    Error, chain,
    job::Job,
    ports::{Origin, Store},
    record::{StoredManifest, read_manifest},
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    closure::SourceLimits,
    compiler::{CompileError, Compiler},
    origin::{OriginCredentials, SourceCache},
    spans::Spans,
};

/// The longest wait for a purge's time: what the purge adds, and as much again for clocks that differ.
const LONGEST_WAIT: Duration = Duration::from_secs(4);

/// What a job needs to run.
pub(crate) struct Runner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) origin: Arc<dyn Origin>,
    pub(crate) source_cache: SourceCache,
    pub(crate) credentials: OriginCredentials,
    pub(crate) compiler: Compiler,
    pub(crate) source_limits: SourceLimits,
    /// For the whole attempt: fetching, compiling and storing.
    pub(crate) run_limit: Duration,
}

/// Why a job has no outcome: nothing is known of the style sheet, and another try may end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("could not read what is known of the job")]
    Check(#[source] Error),
    #[error("could not store the outcome")]
    Store(#[source] Error),
    #[error("could not compile")]
    Compile(#[source] CompileError),
    #[error("could not compress the style sheet")]
    Compress(#[source] io::Error),
    /// The origin had answered: this worker was too busy.
    #[error("there was no time to compile: the worker has more jobs than CPU")]
    Starved,
    #[error("there was no time to store the outcome")]
    StoreTimedOut,
}

/// How a job ended that has not failed.
#[derive(Debug)]
pub(crate) enum RunEnd {
    /// A manifest was there that is not older than the job asks for.
    Needless(StoredManifest),
    /// Nothing has changed at the origin since the manifest that was there; nothing was compiled.
    Unchanged(StoredManifest),
    /// It was run, with whatever outcome.
    Ran(StoredManifest),
    /// Nothing was begun, since nobody waits any more.
    Expired,
}

/// What is known of a job's earlier deliveries, and of this one.
#[derive(Debug)]
pub(crate) struct Tries {
    /// Deliveries, this one included: most of the earlier ones may have been handed back unread.
    pub(crate) received: u32,
    /// The number of this attempt, where it was counted.
    pub(crate) counted: Option<u32>,
}

impl Tries {
    pub(crate) fn new(received: u32) -> Self {
        Self { received, counted: None }
    }

    /// As far as is known.
    pub(crate) fn attempts(&self) -> u32 {
        self.counted.unwrap_or(1)
    }
}

/// Why an attempt is over before there is anything to store.
enum Early {
    Needless(Box<StoredManifest>),
    Failed(RunError),
}

impl RunError {
    /// The least time to wait before another attempt, where somebody named one.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Check(error) | Self::Store(error) => error.retry_after,
            Self::Compile(_) | Self::Compress(_) | Self::Starved | Self::StoreTimedOut => None,
        }
    }
}

impl Runner {
    /// Runs the job and stores its outcome, whatever it is; gives the manifest that stands in the store.
    pub(crate) async fn run(
        &self,
        job: &Job,
        tries: &mut Tries,
        spans: &Arc<Spans>,
    ) -> Result<RunEnd, RunError> {
        let ended = match timeout(self.run_limit, self.run_to_end(job, tries, spans)).await {
            Ok(Ok(end)) => Ok(end),
            Ok(Err(Early::Needless(standing))) => Ok(RunEnd::Needless(*standing)),
            Ok(Err(Early::Failed(error))) => Err(error),
            Err(_) => Err(RunError::StoreTimedOut),
        };
        let ended = match ended {
            Ok(end) => Ok(end),
            Err(error) => self.give_up_after_last(job, tries, error).await,
        };
        if ended.is_ok() && tries.counted.is_some() {
            self.forget_attempts(&job.key()).await;
        }
        ended
    }

    async fn run_to_end(&self, job: &Job, tries: &mut Tries, spans: &Arc<Spans>) -> Result<RunEnd, Early> {
        if Timestamp::now() > job.expires {
            return self.end_expired(job, tries).await;
        }
        if tries.received > 1 {
            let standing = self.check(job).await?;
            let attempt = self.count_attempt(job).await.map_err(check_failed)?;
            tries.counted = Some(attempt);
            if attempts::is_one_too_many(attempt) {
                let why = "no worker lived to tell how the last one ended";
                return self.abandon(job, standing, attempt - 1, why).await.map_err(Early::Failed);
            }
        }
        let deadline = Instant::now() + self.compile_limit();
        if let Some(purged) = job.purged {
            sleep(time_until(purged, Timestamp::now())).await;
        }
        let attempt = self.attempt(job, deadline, spans).await?;
        self.store_attempt(job, attempt, spans).await.map_err(Early::Failed)
    }

    /// Only a job that was never begun may be dropped.
    async fn end_expired(&self, job: &Job, tries: &mut Tries) -> Result<RunEnd, Early> {
        let standing = self.check(job).await?;
        if tries.received == 1 {
            return Ok(RunEnd::Expired);
        }
        match self.fetch_attempts(job).await.map_err(check_failed)? {
            0 => Ok(RunEnd::Expired),
            attempts => {
                tries.counted = Some(attempts);
                let why = "it failed until nobody waited any more";
                self.abandon(job, standing, attempts, why).await.map_err(Early::Failed)
            }
        }
    }

    /// Counts a first delivery's attempt now that it has failed, and gives the job up after the last one.
    /// Where the store is what fails, nothing is counted, and the message stays.
    async fn give_up_after_last(
        &self,
        job: &Job,
        tries: &mut Tries,
        error: RunError,
    ) -> Result<RunEnd, RunError> {
        if tries.counted.is_none() {
            tries.counted = self.count_attempt(job).await.ok();
        }
        if !tries.counted.is_some_and(attempts::is_last) {
            return Err(error);
        }
        let standing = read_manifest(&*self.store, &job.key()).await.map_err(RunError::Check)?;
        self.abandon(job, standing, tries.attempts(), &chain(&error)).await
    }

    /// Waiting for a purge's time, fetching and compiling leave a fifth of the attempt to storing.
    fn compile_limit(&self) -> Duration {
        self.run_limit * 4 / 5
    }

    /// The manifest that is there, where it does not make the job needless. A job's own outcome does, whatever
    /// the clocks of its sender and its worker say.
    async fn check(&self, job: &Job) -> Result<Option<StoredManifest>, Early> {
        let standing = read_manifest(&*self.store, &job.key()).await;
        match standing.map_err(check_failed)? {
            Some(standing)
                if standing.manifest.job == job.id || standing.manifest.sources_read_at >= job.not_before =>
            {
                Err(Early::Needless(Box::new(standing)))
            }
            standing => Ok(standing),
        }
    }
}

fn check_failed(error: Error) -> Early {
    Early::Failed(RunError::Check(error))
}

/// How long no source is to be read yet.
fn time_until(purged: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(purged.duration_since(now)).unwrap_or_default().min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_not_read_before_the_purges_time_and_nobody_waits_long_for_it() {
        let at = |millisecond| Timestamp::from_millisecond(millisecond).unwrap();
        for (purged, wait) in [(0, 0), (10_000, 0), (10_001, 1), (12_000, 2_000), (99_000, 4_000)] {
            assert_eq!(time_until(at(purged), at(10_000)), Duration::from_millis(wait));
        }
    }
}
