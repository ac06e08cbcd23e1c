//! One job's course from its delivery: kept invisible while it runs, told to who waits, and deleted last.
//!
//! Which jobs are received when is the matter of `receive`, and what of their messages that of `messages`.

mod lane;
mod messages;
mod pace;
mod places;
mod receive;

use std::{sync::Arc, time::Duration};

use pipeline::{
    chain,
    direct::{Direct, SignedNotice},
    job::Job,
    manifest::Outcome,
    notice::{NOTICE_VERSION, Notice},
    ports::{Delivery, Notifier, Origin, Queue, Store},
    record::StoredManifest,
};
use tokio::time::Instant;

use crate::{
    closure::SourceLimits,
    compiler::Compiler,
    metrics::{EndLabels, WorkerMetrics},
    origin::SourceCache,
    run::{RunEnd, Runner},
};
use messages::Message;

/// How long a job of another build's fingerprint is left to that build's workers. Not shorter, since each
/// hand-back counts towards the dead-letter queue's limit of 100 receives.
const FOREIGN_VISIBILITY: Duration = Duration::from_secs(8);

/// What a worker needs from the outside.
pub struct WorkerPorts {
    /// Jobs that visitors wait for.
    pub queue: Arc<dyn Queue>,
    /// Jobs that nobody waits for.
    pub refresh_queue: Arc<dyn Queue>,
    pub store: Arc<dyn Store>,
    pub notifier: Arc<dyn Notifier>,
    pub origin: Arc<dyn Origin>,
    /// `None` where the waiting web tier is in the same process, or the way is turned off.
    pub direct: Option<Arc<dyn Direct>>,
}

/// How a worker works.
pub struct WorkerSettings {
    /// Jobs at the same time.
    pub concurrency: u16,
    /// How long a received job stays invisible to other workers unless this one extends it.
    pub visibility: Duration,
    pub run_limit: Duration,
    pub source_limits: SourceLimits,
    pub compiler: Compiler,
}

/// One worker process.
pub struct Worker {
    queue: Arc<dyn Queue>,
    refresh_queue: Arc<dyn Queue>,
    notifier: Arc<dyn Notifier>,
    direct: Option<Arc<dyn Direct>>,
    runner: Runner,
    concurrency: u16,
    visibility: Duration,
    metrics: WorkerMetrics,
}

/// What is to become of a message.
enum Ending {
    /// Deleted: its work is done, or will never be.
    Delete(&'static str),
    /// Left to be delivered again after this time.
    Return(&'static str, Duration),
    /// Left until its visibility runs out: the back-off of a retry.
    Leave(&'static str),
}

impl Ending {
    fn name(&self) -> &'static str {
        match self {
            Self::Delete(end) | Self::Return(end, _) | Self::Leave(end) => end,
        }
    }
}

impl Worker {
    pub fn new(ports: WorkerPorts, settings: WorkerSettings, metrics: WorkerMetrics) -> Self {
        let WorkerPorts { queue, refresh_queue, store, notifier, origin, direct } = ports;
        let WorkerSettings { concurrency, visibility, run_limit, source_limits, compiler } = settings;
        let runner =
            Runner { store, origin, source_cache: SourceCache::new(), compiler, source_limits, run_limit };
        Self { queue, refresh_queue, notifier, direct, runner, concurrency, visibility, metrics }
    }

    /// Gives what the job took. Its message is not waited for.
    async fn handle(&self, message: Message) -> Duration {
        let running = RunningJob::new(&self.metrics);
        let started = Instant::now();
        let ending = self.end_job(&message.delivery).await;
        let took = started.elapsed();
        let end = ending.name();
        match ending {
            Ending::Delete(_) => message.delete().await,
            Ending::Return(_, after) => message.hand_back(after).await,
            Ending::Leave(_) => drop(message),
        }
        self.metrics.jobs.get_or_create(&EndLabels { end }).inc();
        self.metrics.duration.observe(took.as_secs_f64());
        drop(running);
        took
    }

    async fn end_job(&self, delivery: &Delivery) -> Ending {
        let job = match Job::from_message(&delivery.body) {
            Ok(job) => job,
            Err(error) => {
                tracing::error!(
                    error = chain(&error),
                    "a message is no job; it goes to the dead-letter queue"
                );
                return Ending::Leave("invalid");
            }
        };
        if job.fingerprint != job.options.fingerprint() {
            tracing::info!(job.id = %job.id, job.fingerprint = %job.fingerprint, "handing back another build's job");
            return Ending::Return("foreign_fingerprint", FOREIGN_VISIBILITY);
        }
        let started = Instant::now();
        let (standing, end) = match self.outcome_of(&job).await {
            Ok(Some(ended)) => ended,
            Ok(None) => return end_expired(&job, delivery.receive_count),
            Err(ending) => return ending,
        };
        self.tell(&job, &standing).await;
        tracing::info!(
            job.id = %job.id, tenant.id = %job.tenant_id, job.path = %job.path, job.end = end, job.engine = standing.manifest.engine,
            job.milliseconds = started.elapsed().as_millis(), "job ended"
        );
        Ending::Delete(end)
    }

    /// The manifest that ends the job, and how it did. `None` past its expiry.
    async fn outcome_of(&self, job: &Job) -> Result<Option<(StoredManifest, &'static str)>, Ending> {
        let ended = self.runner.run(job).await.map_err(|error| {
            tracing::warn!(job.id = %job.id, error = chain(&error), "could not run a job; it will be delivered again");
            Ending::Leave("retried")
        })?;
        Ok(match ended {
            RunEnd::Needless(standing) => Some((standing, "needless")),
            RunEnd::Unchanged(standing) => Some((standing, "unchanged")),
            RunEnd::Ran(standing) => {
                let end = name_outcome(&standing.manifest.outcome);
                Some((standing, end))
            }
            RunEnd::Expired => None,
        })
    }

    /// Both ways at once. A notice is a hint: its loss costs the waiting pod one re-check.
    async fn tell(&self, job: &Job, standing: &StoredManifest) {
        let notice = Notice {
            version: NOTICE_VERSION,
            key: job.key(),
            job: job.id.clone(),
            etag: standing.etag.clone(),
            reply_to: job.reply_to.clone(),
        };
        let direct = async {
            match (&self.direct, &job.reply_to) {
                (Some(direct), Some(reply_to)) => {
                    direct.post(&SignedNotice { notice: notice.clone(), relayed: false }, reply_to).await
                }
                (None, _) | (_, None) => Ok(()),
            }
        };
        let (published, sent) = tokio::join!(self.notifier.publish(&notice), direct);
        for error in [published, sent].into_iter().filter_map(Result::err) {
            tracing::warn!(job.id = %job.id, error = chain(&error), "a notice was lost");
        }
    }
}

fn name_outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Compiled { .. } => "compiled",
        Outcome::CompileError { .. } => "compile_error",
        Outcome::SourceNotFound { .. } => "source_not_found",
        Outcome::OriginFailed { .. } => "origin_failed",
    }
}

/// Only a job that was never started may be dropped: one that was tried belongs to somebody who looks at
/// the dead-letter queue.
fn end_expired(job: &Job, receive_count: u32) -> Ending {
    if receive_count <= 1 {
        tracing::warn!(job.id = %job.id, job.path = %job.path, "dropping a job that nobody waits for any more");
        Ending::Delete("expired")
    } else {
        tracing::error!(job.id = %job.id, job.path = %job.path, "a job failed until it expired; leaving it");
        Ending::Leave("expired")
    }
}

/// Counts a job as running for as long as it lives.
struct RunningJob<'m>(&'m WorkerMetrics);

impl<'m> RunningJob<'m> {
    fn new(metrics: &'m WorkerMetrics) -> Self {
        metrics.running.inc();
        Self(metrics)
    }
}

impl Drop for RunningJob<'_> {
    fn drop(&mut self) {
        self.0.running.dec();
    }
}
