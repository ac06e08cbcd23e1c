//! One hold's course where this pod acts as the key's owner: send the job, then look at the store at
//! every hint and now and then without one.

use std::{sync::Arc, time::Duration};

use futures::future::OptionFuture;
use jiff::{SignedDuration, Timestamp};
use pipeline::{
    Error, chain,
    job::{JOB_LIFETIME_SECONDS, JOB_VERSION, Job, Task},
    manifest::Manifest,
    names::JobId,
    options::UrlHandling,
    settings::OnOff,
    trace::TraceParent,
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, sleep_until},
};
use url::Url;

use super::{Ended, HoldEnd, Holds, Order, Outcome, Purpose, Waiter, Way, places::Place};
use crate::metrics::WayLabels;

const FIRST_RECHECK: Duration = Duration::from_millis(200);
const LONGEST_RECHECK: Duration = Duration::from_millis(800);
/// Where nobody waits.
const LONGEST_REFRESH_RECHECK: Duration = Duration::from_secs(30);
/// By then the queue has dropped the job, and another one may be sent.
const REFRESH_LIFETIME: Duration = Duration::from_secs(JOB_LIFETIME_SECONDS.unsigned_abs());

/// The task behind one hold. Lives on for one more hold after its start, for the visitors who joined late;
/// a refresh, which nobody waits for, as long as its job may.
pub(super) struct Driver {
    pub(super) holds: Arc<Holds>,
    pub(super) order: Order,
    /// This hold's step of the trace of the request that opened it.
    pub(super) trace: TraceParent,
    /// Who opened the hold.
    pub(super) waiter: Waiter,
    pub(super) started: Instant,
    pub(super) hinted: mpsc::Receiver<Way>,
    /// Tells that another pod waits here.
    pub(super) owning: Arc<Notify>,
    /// The place of a refresh.
    pub(super) place: Option<Place>,
}

impl Driver {
    pub(super) async fn run(mut self, sender: watch::Sender<Outcome>) {
        let ending = self.holds.ending.clone();
        let mut place = self.place.take();
        let ended = tokio::select! {
            ended = self.run_to_end() => ended,
            () = ending.cancelled() => Err(HoldEnd::Draining),
            Some(()) = OptionFuture::from(place.as_mut().map(Place::lost)) => Err(HoldEnd::Full),
        };
        self.note_end(&ended);
        // Forgotten first: whoever comes after the answer is told finds it in memory, not in this hold.
        self.holds.forget(&self.order.key, &self.owning);
        sender.send_replace(Some(ended.map(|(ended, _)| ended)));
    }

    async fn run_to_end(&mut self) -> Result<(Ended, Option<Way>), HoldEnd> {
        if let Some(manifest) = self.remembered().await {
            return Ok((Ended { manifest, job: None }, None));
        }
        let ended = match self.wait_at_owners().await {
            Some(ended) => ended,
            None => self.run_job().await,
        };
        ended.map(|(ended, way)| (ended, Some(way)))
    }

    fn note_end(&self, ended: &Result<(Ended, Option<Way>), HoldEnd>) {
        let way = match ended {
            Ok((_, None)) => return,
            Ok((ended, Some(way))) => {
                self.holds.breakers.record(&self.order.tenant.origin, &ended.manifest.outcome);
                way.as_str()
            }
            Err(HoldEnd::Deadline) => "deadline",
            Err(HoldEnd::Draining) => "draining",
            Err(HoldEnd::Failed | HoldEnd::Full) => "failed",
        };
        self.holds.parts.metrics.holds_ended.get_or_create(&WayLabels { way }).inc();
    }

    /// The answer that another hold of this key brought while this one was being opened.
    async fn remembered(&self) -> Option<Arc<Manifest>> {
        let manifest = self.holds.parts.files.remembered(&self.order.key).await?;
        self.order.is_answered_by(&manifest, None, Timestamp::now()).then_some(manifest)
    }

    async fn run_job(&mut self) -> Result<(Ended, Way), HoldEnd> {
        match self.send_job().await {
            Ok(job) => {
                let (manifest, way) = self.watch(&job).await?;
                Ok((Ended { manifest, job: Some(job) }, way))
            }
            Err(error) => {
                tracing::error!(key = %self.order.key, error = chain(&error), "could not send a job");
                Err(HoldEnd::Failed)
            }
        }
    }

    async fn send_job(&self) -> Result<JobId, Error> {
        let Order { key, tenant, policy, asked_at, purpose, accepts: _, task: _, traceparent: _ } =
            &self.order;
        let settings = &self.holds.settings;
        let job = Job {
            version: JOB_VERSION,
            id: JobId::random(),
            tenant_id: key.tenant_id.clone(),
            path: key.path.clone(),
            origin: tenant.origin.clone(),
            load_paths: tenant.load_paths.clone(),
            rebase_to: self.rebase_to(),
            options: settings.options.with_engine(tenant.engine),
            fingerprint: key.fingerprint.clone(),
            task: self.task().await,
            not_before: self.order.not_before(),
            purged: policy.purged,
            expires: *asked_at + SignedDuration::from_secs(JOB_LIFETIME_SECONDS),
            reply_to: settings.reply_to.clone(),
            traceparent: Some(self.trace.as_str().to_owned()),
        };
        let queue = match purpose {
            Purpose::Visit => &self.holds.parts.queue,
            Purpose::Refresh => &self.holds.parts.refresh_queue,
        };
        queue.send(&job.to_message(), key.tenant_id.as_str()).await?;
        self.holds.parts.metrics.jobs_sent.inc();
        tracing::info!(job.id = %job.id, tenant.id = %job.tenant_id, job.path = %job.path, "job sent");
        Ok(job.id)
    }

    fn rebase_to(&self) -> Option<Url> {
        match self.holds.settings.options.urls {
            UrlHandling::Rebase => self.order.tenant.public_url().cloned(),
            UrlHandling::Keep => None,
        }
    }

    /// Whoever asks has read the store before, be it this pod or the one that waits here: what there is, one
    /// of them remembers.
    pub(super) async fn task(&self) -> Task {
        match self.holds.parts.files.remembered(&self.order.key).await {
            Some(_) => Task::Revalidate,
            None => self.order.task,
        }
    }

    async fn watch(&mut self, job: &JobId) -> Result<(Arc<Manifest>, Way), HoldEnd> {
        let (deadline, longest_pause) = match self.order.purpose {
            Purpose::Visit => (self.visit_deadline(), LONGEST_RECHECK),
            Purpose::Refresh => (self.started + REFRESH_LIFETIME, LONGEST_REFRESH_RECHECK),
        };
        let mut pause = FIRST_RECHECK;
        let mut next_check = Instant::now() + pause;
        loop {
            let wake = match self.holds.settings.recheck {
                OnOff::On => next_check.min(deadline),
                OnOff::Off => deadline,
            };
            let way = tokio::select! {
                Some(way) = self.hinted.recv() => way,
                () = sleep_until(wake) => Way::Recheck,
            };
            if Instant::now() >= deadline {
                return Err(HoldEnd::Deadline);
            }
            if way == Way::Recheck {
                pause = (pause * 2).min(longest_pause);
            }
            if let Some(manifest) = self.look(Some(job)).await {
                return Ok((manifest, way));
            }
            next_check = Instant::now() + pause;
        }
    }

    /// The latest visitor who may have joined has waited in vain by then.
    pub(super) fn visit_deadline(&self) -> Instant {
        self.started + 2 * self.holds.settings.hold
    }

    /// The manifest in the store, if it answers those who wait.
    pub(super) async fn look(&self, job: Option<&JobId>) -> Option<Arc<Manifest>> {
        let key = &self.order.key;
        let manifest = match self.holds.parts.files.read(key).await {
            Ok(manifest) => manifest?,
            Err(error) => {
                tracing::warn!(%key, error = chain(&error), "could not read a manifest that visitors wait for");
                return None;
            }
        };
        self.order.is_answered_by(&manifest, job, Timestamp::now()).then_some(manifest)
    }
}
