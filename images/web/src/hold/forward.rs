//! One hold's course while another pod owns the key: wait there, and go on to the next in rank where
//! that fails. At the end of the ranks, or as soon as another pod waits here, it is this pod's turn.

use std::{sync::Arc, time::Duration};

use pipeline::{chain, settings::OnOff};
use tokio::time::{Instant, sleep_until};

use super::{Ended, HoldEnd, Waiter, Way, drive::Driver};
use crate::{
    fleet::{FleetError, Member, WaitAnswer, Waited},
    metrics::ForwardLabels,
};

/// Owners that are asked before this pod sends a job itself.
const MAX_OWNERS: usize = 3;
/// The owner looks at the store often. This pod looks only in case that the owner cannot.
const FORWARDED_RECHECK: Duration = Duration::from_secs(5);

/// What came of waiting at one owner.
enum Step {
    Ended(Ended, Way),
    NextInRank,
    OurTurn,
    Deadline,
}

impl Driver {
    /// The end of the hold as an owner, or the store meanwhile, tells it; `None` where it is this pod's
    /// turn to send a job.
    pub(super) async fn wait_at_owners(&mut self) -> Option<Result<(Ended, Way), HoldEnd>> {
        if self.waiter == Waiter::Peer {
            return None;
        }
        let mut tried = Vec::new();
        while tried.len() < MAX_OWNERS {
            let owner = self.holds.parts.fleet.owner_before_us(&self.order.key, &tried)?;
            match self.wait_at(owner).await {
                Step::Ended(ended, way) => return Some(Ok((ended, way))),
                Step::NextInRank => tried.push(owner),
                Step::OurTurn => return None,
                Step::Deadline => return Some(Err(HoldEnd::Deadline)),
            }
        }
        None
    }

    async fn wait_at(&mut self, owner: Member) -> Step {
        let holds = self.holds.clone();
        let order = self.order.clone();
        let trace = self.trace.clone();
        let waited = Waited {
            key: &order.key,
            tenant: &order.tenant,
            asked_at: order.asked_at,
            accepts: order.accepts,
            purged: order.policy.purged,
            task: self.task().await,
            purpose: order.purpose,
            traceparent: trace.as_str(),
        };
        let mut waiting = std::pin::pin!(holds.parts.fleet.wait(owner, waited));
        // Longer than that nobody's connection is kept, even if the owner's hold goes on.
        let deadline = self.visit_deadline();
        loop {
            let next_look = match self.holds.settings.recheck {
                OnOff::On => deadline.min(Instant::now() + FORWARDED_RECHECK),
                OnOff::Off => deadline,
            };
            let way = tokio::select! {
                answer = &mut waiting => return self.take_answer(owner, answer).await,
                () = self.owning.notified() => {
                    self.count("taken_over");
                    return Step::OurTurn;
                }
                Some(way) = self.hinted.recv() => way,
                () = sleep_until(next_look) => Way::Recheck,
            };
            if Instant::now() >= deadline {
                self.count("deadline");
                return Step::Deadline;
            }
            if let Some(manifest) = self.look(None).await {
                self.count("needless");
                return Step::Ended(Ended { manifest, job: None }, way);
            }
        }
    }

    /// An owner may judge differently from us: only what we would serve ends our hold.
    async fn take_answer(&self, owner: Member, answer: Result<WaitAnswer, FleetError>) -> Step {
        let WaitAnswer { job, manifest } = match answer {
            Ok(answer) => answer,
            // The owner's time for us ends with our own, and no other pod is to begin anew then.
            Err(_) if Instant::now() >= self.visit_deadline() => {
                self.count("deadline");
                return Step::Deadline;
            }
            Err(error) => {
                self.count(error.as_str());
                tracing::warn!(
                    key = %self.order.key, %owner, error = chain(&error),
                    "waiting at an owner failed; going on to the next in rank"
                );
                return Step::NextInRank;
            }
        };
        if !self.order.is_answered_by(&manifest, job.as_ref(), jiff::Timestamp::now()) {
            self.count("not_accepted");
            tracing::warn!(key = %self.order.key, %owner, "an owner's answer would not be served here");
            return Step::NextInRank;
        }
        self.count("answered");
        let manifest = Arc::new(manifest);
        self.holds.parts.files.remember(&self.order.key, manifest.clone()).await;
        Step::Ended(Ended { manifest, job }, Way::Owner)
    }

    fn count(&self, outcome: &'static str) {
        self.holds.parts.metrics.forwards.get_or_create(&ForwardLabels { outcome }).inc();
    }
}
