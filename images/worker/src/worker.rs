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
    Error, chain,
    direct::{Direct, SignedNotice},
    job::Job,
    manifest::Outcome,
    notice::{NOTICE_VERSION, Notice},
    ports::{Notifier, Origin, Queue, Store},
    record::StoredManifest,
};
use tokio::time::Instant;

use crate::{
    closure::SourceLimits,
    compiler::Compiler,
    dense::DenseBodies,
    metrics::{EndLabels, SpanLabels, WorkerMetrics},
    origin::{OriginCredentials, SourceCache},
    run::{RunEnd, Runner, Tries},
    spans::{Span, Spans},
};
use messages::Message;

/// How long a job of another build's fingerprint is left to that build's workers. Not shorter, since each
/// hand-back counts towards the dead-letter queue's limit of 100 receives.
const FOREIGN_VISIBILITY: Duration = Duration::from_secs(8);

/// A job that fails again and again is left alone for half a minute at the most: 100 deliveries of a job that
/// cannot even be given up, since the store fails, fit into the hour for which it is kept.
const MAX_DOUBLINGS: u32 = 5;

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
    /// What tenants' origins are asked with.
    pub credentials: OriginCredentials,
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
    dense: DenseBodies,
}

/// How a delivery ended.
struct Ending {
    /// As [`EndLabels`] list it.
    end: &'static str,
    /// As manifests tell it.
    engine: String,
    fate: Fate,
}

/// What is to become of a message.
enum Fate {
    /// Its work is done, or will never be.
    Delete,
    /// It is to be delivered again after this time.
    Return(Duration),
}

impl Ending {
    fn new(end: &'static str, fate: Fate) -> Self {
        Self { end, engine: String::new(), fate }
    }

    fn engine_or_none(&self) -> &str {
        if self.engine.is_empty() { "none" } else { &self.engine }
    }
}

impl Worker {
    pub fn new(ports: WorkerPorts, settings: WorkerSettings, metrics: WorkerMetrics) -> Self {
        let WorkerPorts { queue, refresh_queue, store, notifier, origin, direct } = ports;
        let WorkerSettings { concurrency, visibility, run_limit, source_limits, credentials, compiler } =
            settings;
        let dense = DenseBodies::new(store.clone());
        let runner = Runner {
            store,
            origin,
            source_cache: SourceCache::new(),
            credentials,
            compiler,
            source_limits,
            run_limit,
        };
        Self { queue, refresh_queue, notifier, direct, runner, concurrency, visibility, metrics, dense }
    }

    /// Gives what the job took. Its message is not waited for.
    async fn handle(&self, message: Message) -> Duration {
        let running = RunningJob::new(&self.metrics);
        let (started, spans) = (Instant::now(), Arc::default());
        let delivery = &message.delivery;
        let ending = match Job::from_message(&delivery.body) {
            Ok(job) => {
                let mut tries = Tries::new(delivery.receive_count);
                let ending = self.end_job(&job, &mut tries, &spans).await;
                log_end(&job, &ending, &tries, &spans, started.elapsed());
                ending
            }
            Err(error) if Job::is_of_another_build(&delivery.body) => {
                tracing::info!(error = chain(&error), "handing back a job that another build can read");
                Ending::new("foreign_fingerprint", Fate::Return(FOREIGN_VISIBILITY))
            }
            Err(error) => end_invalid(&error, delivery.receive_count),
        };
        let took = started.elapsed();
        self.count(&ending, &spans, took);
        match ending.fate {
            Fate::Delete => message.delete().await,
            Fate::Return(after) => message.hand_back(after).await,
        }
        drop(running);
        took
    }

    fn count(&self, ending: &Ending, spans: &Spans, took: Duration) {
        let labels = EndLabels { end: ending.end, engine: ending.engine_or_none().to_owned() };
        self.metrics.jobs.get_or_create(&labels).inc();
        self.metrics.duration.observe(took.as_secs_f64());
        for span in Span::ALL {
            if let Some(time) = spans.get(span) {
                self.metrics.spans.get_or_create(&SpanLabels { span }).observe(time.as_secs_f64());
            }
        }
    }

    async fn end_job(&self, job: &Job, tries: &mut Tries, spans: &Arc<Spans>) -> Ending {
        if job.fingerprint != job.options.fingerprint() {
            return Ending::new("foreign_fingerprint", Fate::Return(FOREIGN_VISIBILITY));
        }
        let (standing, end) = match self.runner.run(job, tries, spans).await {
            Ok(RunEnd::Needless(standing)) => (standing, "needless"),
            Ok(RunEnd::Unchanged(standing)) => (standing, "unchanged"),
            Ok(RunEnd::Ran(standing)) => {
                let end = name_outcome(&standing.manifest.outcome);
                (standing, end)
            }
            Ok(RunEnd::Expired) => {
                tracing::warn!(job.id = %job.id, job.path = %job.path, "dropping a job that nobody waits for any more");
                return Ending::new("expired", Fate::Delete);
            }
            Err(error) => {
                tracing::warn!(job.id = %job.id, error = chain(&error), "could not run a job; it will be delivered again");
                let pause = back_off(tries.counted.unwrap_or(tries.received), rand::random_range(0.5..=1.0));
                let pause = pause.max(error.retry_after().unwrap_or_default());
                return Ending::new("retried", Fate::Return(pause));
            }
        };
        spans.time(Span::Notify, self.tell(job, &standing)).await;
        self.dense.offer(job.key(), &standing);
        Ending { engine: standing.manifest.engine, ..Ending::new(end, Fate::Delete) }
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

/// The one line about a job's delivery.
fn log_end(job: &Job, ending: &Ending, tries: &Tries, spans: &Spans, took: Duration) {
    let milliseconds = |span| spans.get(span).map(|time| time.as_secs_f64() * 1e3);
    tracing::info!(
        job.id = %job.id,
        tenant.id = %job.tenant_id,
        job.path = %job.path,
        job.end = ending.end,
        job.engine = ending.engine_or_none(),
        job.attempts = tries.attempts(),
        job.milliseconds = took.as_secs_f64() * 1e3,
        fetch.milliseconds = milliseconds(Span::Fetch),
        compile.milliseconds = milliseconds(Span::Compile),
        compress.milliseconds = milliseconds(Span::Compress),
        store.milliseconds = milliseconds(Span::Store),
        notify.milliseconds = milliseconds(Span::Notify),
        "job ended"
    );
}

fn name_outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Compiled { .. } => "compiled",
        Outcome::CompileError { .. } => "compile_error",
        Outcome::SourceNotFound { .. } => "source_not_found",
        Outcome::OriginFailed { .. } => "origin_failed",
        Outcome::Abandoned { .. } => "abandoned",
    }
}

/// The dead-letter queue gets it after 100 deliveries: somebody may want to look at it, but once is enough to say
/// so.
fn end_invalid(error: &Error, received: u32) -> Ending {
    if received == 1 {
        tracing::error!(error = chain(error), "a message is no job; it goes to the dead-letter queue");
    }
    Ending::new("invalid", Fate::Return(back_off(received, 1.0)))
}

/// How long to leave a job alone after so many attempts: from a second on twice as long each time, less what
/// jitter, a half to one, takes off.
fn back_off(attempts: u32, jitter: f64) -> Duration {
    let longest = Duration::from_secs(1 << attempts.saturating_sub(1).min(MAX_DOUBLINGS));
    longest.mul_f64(jitter)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_is_followed_by_a_longer_pause_up_to_half_a_minute() {
        let seconds = [1, 2, 3, 4, 5, 6, 7, 100].map(|attempts| back_off(attempts, 1.0).as_secs());
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 32, 32]);
        assert_eq!(back_off(0, 0.5), Duration::from_millis(500));
    }
}
