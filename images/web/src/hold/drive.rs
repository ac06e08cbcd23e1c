//! One hold's course: send the job, then look at the store at every hint and now and then without one.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use pipeline::{
    Error, chain,
    job::{JOB_LIFETIME_SECONDS, JOB_VERSION, Job},
    names::JobId,
    settings::OnOff,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use super::{Held, HoldEnd, Holds, Order, Outcome, Way};
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
        let ended = match self.send_job().await {
            Ok(()) => self.watch().await,
            Err(error) => {
                tracing::error!(key = %self.order.key, error = chain(&error), "could not send a job");
                Err(HoldEnd::Failed)
            }
        };
        let way = match &ended {
            Ok((_, Way::Direct)) => "direct",
            Ok((_, Way::Sns)) => "sns",
            Ok((_, Way::Recheck)) => "recheck",
            Err(HoldEnd::Deadline) => "deadline",
            Err(HoldEnd::Failed | HoldEnd::Full) => "failed",
        };
        self.holds.metrics.holds_ended.get_or_create(&WayLabels { way }).inc();
        // Forgotten first: whoever comes after the answer is told finds it in memory, not in this hold.
        self.holds.forget(&self.order.key, self.started);
        sender.send_replace(Some(ended.map(|(held, _)| held)));
    }

    async fn send_job(&self) -> Result<(), Error> {
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
        Ok(())
    }

    async fn watch(&mut self) -> Result<(Held, Way), HoldEnd> {
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
            if let Some(held) = self.look().await {
                return Ok((held, way));
            }
            next_check = Instant::now() + pause;
        }
    }

    /// The manifest in the store, if a visit now would be content with it.
    async fn look(&self) -> Option<Held> {
        let Order { key, policy, asked_at, tenant: _ } = &self.order;
        let manifest = match self.holds.files.read(key).await {
            Ok(manifest) => manifest?,
            Err(error) => {
                tracing::warn!(%key, error = chain(&error), "could not read a manifest that visitors wait for");
                return None;
            }
        };
        let verdict = policy.judge(Some(&manifest), *asked_at, Timestamp::now());
        verdict.is_settled().then_some(Held { manifest, asked_at: *asked_at })
    }
}
