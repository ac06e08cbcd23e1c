//! One hold's course: send the job, then look at the store at every hint and now and then without one.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use pipeline::{
    Error, chain,
    job::{JOB_LIFETIME_SECONDS, JOB_VERSION, Job},
    manifest::Manifest,
    names::JobId,
    settings::OnOff,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use super::{HoldEnd, Holds, Order, Outcome, Way};
use crate::metrics::WayLabels;

const FIRST_RECHECK: Duration = Duration::from_millis(200);
const LONGEST_RECHECK: Duration = Duration::from_millis(800);

/// The task behind one hold. Lives on for one more hold after its start, for the visitors who joined late.
pub(super) struct Driver {
    pub(super) holds: Arc<Holds>,
    pub(super) order: Order,
    pub(super) started: Instant,
    pub(super) hinted: mpsc::Receiver<Way>,
}

impl Driver {
    pub(super) async fn run(mut self, sender: watch::Sender<Outcome>) {
        let ended = match self.remembered().await {
            Some(manifest) => Ok((manifest, None)),
            None => self.run_job().await.map(|(manifest, way)| (manifest, Some(way))),
        };
        self.note_end(&ended);
        // Forgotten first: whoever comes after the answer is told finds it in memory, not in this hold.
        self.holds.forget(&self.order.key, self.started);
        sender.send_replace(Some(ended.map(|(manifest, _)| manifest)));
    }

    fn note_end(&self, ended: &Result<(Arc<Manifest>, Option<Way>), HoldEnd>) {
        let way = match ended {
            Ok((_, None)) => return,
            Ok((manifest, Some(way))) => {
                self.holds.breakers.record(&self.order.tenant.origin, &manifest.outcome);
                way.as_str()
            }
            Err(HoldEnd::Deadline) => "deadline",
            Err(HoldEnd::Failed | HoldEnd::Full) => "failed",
        };
        self.holds.metrics.holds_ended.get_or_create(&WayLabels { way }).inc();
    }

    /// The answer that another hold of this key brought while this one was being opened.
    async fn remembered(&self) -> Option<Arc<Manifest>> {
        let Order { key, policy, asked_at: _, tenant: _ } = &self.order;
        let manifest = self.holds.files.remembered(key).await?;
        policy.judge(Some(&manifest), Timestamp::now()).is_settled().then_some(manifest)
    }

    async fn run_job(&mut self) -> Result<(Arc<Manifest>, Way), HoldEnd> {
        match self.send_job().await {
            Ok(job) => self.watch(&job).await,
            Err(error) => {
                tracing::error!(key = %self.order.key, error = chain(&error), "could not send a job");
                Err(HoldEnd::Failed)
            }
        }
    }

    async fn send_job(&self) -> Result<JobId, Error> {
        let Order { key, tenant, asked_at, policy: _ } = &self.order;
        let settings = &self.holds.settings;
        let job = Job {
            version: JOB_VERSION,
            id: JobId::random(),
            tenant_id: key.tenant_id.clone(),
            path: key.path.clone(),
            origin: tenant.origin.clone(),
            load_paths: tenant.load_paths.clone(),
            options: settings.options.clone(),
            fingerprint: key.fingerprint.clone(),
            not_before: *asked_at,
            expires: *asked_at + SignedDuration::from_secs(JOB_LIFETIME_SECONDS),
            reply_to: settings.reply_to.clone(),
            traceparent: None,
        };
        self.holds.queue.send(&job.to_message(), key.tenant_id.as_str()).await?;
        self.holds.metrics.jobs_sent.inc();
        tracing::info!(job.id = %job.id, tenant.id = %job.tenant_id, job.path = %job.path, "job sent");
        Ok(job.id)
    }

    async fn watch(&mut self, job: &JobId) -> Result<(Arc<Manifest>, Way), HoldEnd> {
        let deadline = self.started + 2 * self.holds.settings.hold;
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
                pause = (pause * 2).min(LONGEST_RECHECK);
            }
            if let Some(manifest) = self.look(job).await {
                return Ok((manifest, way));
            }
            next_check = Instant::now() + pause;
        }
    }

    /// The manifest in the store, if it is the job's own, was made from sources that were read after the
    /// visitors asked, or would be served to a visit now.
    async fn look(&self, job: &JobId) -> Option<Arc<Manifest>> {
        let Order { key, policy, asked_at, tenant: _ } = &self.order;
        let manifest = match self.holds.files.read(key).await {
            Ok(manifest) => manifest?,
            Err(error) => {
                tracing::warn!(%key, error = chain(&error), "could not read a manifest that visitors wait for");
                return None;
            }
        };
        let is_answer = manifest.job == *job || manifest.sources_read_at >= *asked_at;
        let is_settled = is_answer || policy.judge(Some(&manifest), Timestamp::now()).is_settled();
        is_settled.then_some(manifest)
    }
}
