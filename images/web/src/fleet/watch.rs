//! Keeps the members up to date: one look-up of the headless Service a round, and one probe of each
//! member that is left out.

use std::{sync::Arc, time::Duration};

use pipeline::{Error, chain, peers::Peers};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Fleet, Member};

const ROUND: Duration = Duration::from_millis(1_500);
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// Probes at the same time.
const MAX_PROBES: usize = 32;

impl Fleet {
    /// Looks the members up, now.
    pub async fn refresh(&self, peers: &Peers) -> Result<(), Error> {
        let port = self.pods.as_ref().map_or(pipeline::env::INTERNAL_PORT, |pods| pods.us.0.port());
        let addresses = peers.refresh().await?;
        let members: Vec<Member> =
            addresses.into_iter().map(|address| Member((address, port).into())).collect();
        self.set_members(&members);
        Ok(())
    }

    /// Refreshes and probes until `stop`. While the DNS fails, the known members stay.
    pub async fn keep_watch(self: Arc<Self>, peers: Arc<Peers>, stop: CancellationToken) {
        stop.run_until_cancelled(async {
            let mut rounds = interval(ROUND);
            rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                rounds.tick().await;
                if let Err(error) = self.refresh(&peers).await {
                    tracing::warn!(error = chain(&error), "keeping the known web pods");
                }
                self.probe_left_out().await;
            }
        })
        .await;
    }

    /// Asks those who are left out whether they take waits again.
    pub async fn probe_left_out(self: &Arc<Self>) {
        let left_out = self.pods.as_ref().map(|pods| pods.members.left_out()).unwrap_or_default();
        for members in left_out.chunks(MAX_PROBES) {
            let mut probes = JoinSet::new();
            for member in members.iter().copied() {
                let fleet = self.clone();
                probes.spawn(async move { timeout(PROBE_TIMEOUT, fleet.probe(member)).await });
            }
            probes.join_all().await;
        }
    }
}
