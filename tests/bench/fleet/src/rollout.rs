//! Rolling restarts of the web tier under load.

use anyhow::Result;
use bench_report::verdict;
use tests::{
    rollout::{Restarted, Visits, restart_under_load, setting},
    scene::play,
};

pub(crate) struct Rollout {
    wanted: usize,
    restarted: Restarted,
}

pub(crate) async fn measure(requests: usize) -> Result<Rollout> {
    let mut restarted = None;
    play("rollout", setting(), async |scene| {
        restarted = Some(restart_under_load(scene, requests).await?);
        Ok(())
    })
    .await?;
    let restarted = restarted.ok_or_else(|| anyhow::anyhow!("nothing was measured"))?;
    for failure in &restarted.visits.failures {
        eprintln!("{failure}");
    }
    Ok(Rollout { wanted: requests, restarted })
}

impl Rollout {
    pub(crate) fn is_reached(&self) -> bool {
        self.restarted.visits.failed == 0 && self.restarted.visits.requests >= self.wanted
    }

    pub(crate) fn table(&self) -> String {
        let Restarted { visits, restarts } = &self.restarted;
        let Visits { requests, held, failures: _, failed, took } = visits;
        format!(
            "| requests | of them held for a cold file | rolling restarts of three pods | seconds |\n\
             |--:|--:|--:|--:|\n| {requests} | {held} | {restarts} | {:.0} |\n\n\
             | figure | is | must be | |\n|---|--:|--:|---|\n\
             | failed requests of at least {} | {failed} | 0 | {} |\n",
            took.as_secs_f64(),
            self.wanted,
            verdict(self.is_reached()),
        )
    }
}
