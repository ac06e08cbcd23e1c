//! A zone without power: by the local cluster's grace period of silent nodes, and by Kubernetes' own.

use std::{fmt::Write, time::Duration};

use anyhow::Result;
use bench_report::{load_average, verdict};
use cluster::{Cluster, Options, lifecycle::DEFAULT_NODE_GRACE, progress::Progress};
use tests::{
    control::Control,
    lost_zone::{LostZone, SERVED_WITHIN, lose_a_zone, setting, settles_after},
    scene::play,
};

/// Longest that a cluster waits for a silent node.
pub(crate) const GRACES: [Duration; 2] = [Duration::from_secs(10), DEFAULT_NODE_GRACE];

pub(crate) struct LostZones(Vec<(Duration, LostZone)>);

pub(crate) async fn measure(graces: &[Duration], load: &mut Vec<f64>) -> Result<LostZones> {
    let cluster = Control::connect().await?.cluster;
    let mut lost = Vec::new();
    for grace in graces {
        set_grace(&cluster, *grace).await?;
        let measured = lose_one(*grace).await;
        set_grace(&cluster, Options::default().node_grace).await?;
        lost.push((*grace, measured?));
        load.push(load_average()?);
    }
    Ok(LostZones(lost))
}

async fn set_grace(cluster: &Cluster, grace: Duration) -> Result<()> {
    let cluster = cluster.clone();
    tokio::task::spawn_blocking(move || cluster.set_node_grace(grace, &Progress::start())).await?
}

async fn lose_one(grace: Duration) -> Result<LostZone> {
    let mut lost = None;
    play("zone", setting(), async |scene| {
        lost = Some(lose_a_zone(scene, grace).await?);
        Ok(())
    })
    .await?;
    let lost = lost.ok_or_else(|| anyhow::anyhow!("nothing was measured"))?;
    for failure in lost.settled_failures.iter().chain(&lost.late_failures) {
        eprintln!("{failure}");
    }
    Ok(lost)
}

impl LostZones {
    pub(crate) fn is_reached(&self) -> bool {
        self.0.iter().all(|(_, lost)| failed(lost) == 0 && lost.longest <= SERVED_WITHIN)
    }

    pub(crate) fn table(&self) -> String {
        let graces = self.0.iter().map(|(grace, _)| format!(" missed after {} |", grace.as_secs()));
        let mut table = format!("| seconds, from the loss |{}\n|---|", graces.collect::<String>());
        table.push_str(&"--:|".repeat(self.0.len()));
        table.push('\n');
        let mut row = |what: &str, value: &dyn Fn(&LostZone) -> String| {
            let values = self.0.iter().map(|(_, lost)| format!(" {} |", value(lost)));
            // Writing to a text cannot fail.
            let _ = writeln!(table, "| {what} |{}", values.collect::<String>());
        };
        let seconds = |time: Duration| format!("{:.1}", time.as_secs_f64());
        row("the control plane calls the node lost", &|lost| seconds(lost.noticed));
        row("the last try of a visitor fails", &|lost| seconds(lost.last_failure));
        row("all pods are ready in the other zones", &|lost| seconds(lost.replaced));
        row("visits by who tries again at once", &|lost| lost.visits.to_string());
        row("of them with more than one try", &|lost| lost.retried.to_string());
        row("most tries of one of them", &|lost| lost.most_tries.to_string());
        row("longest that one took, all tries together", &|lost| seconds(lost.longest));
        row("visitors held for a file whose worker was lost, all answered", &|lost| lost.held.to_string());
        row("the last of them answered, since the first came", &|lost| seconds(lost.held_longest));
        row("zones even again, from the node's start", &|lost| seconds(lost.spread));
        table.push_str("\n| figure | is | must be | |\n|---|--:|--:|---|\n");
        for (grace, lost) in &self.0 {
            let _ = writeln!(
                table,
                "| seconds that a visitor needed who tried again at once | {:.1} | ≤ {} | {} |",
                lost.longest.as_secs_f64(),
                SERVED_WITHIN.as_secs(),
                verdict(lost.longest <= SERVED_WITHIN),
            );
            let _ = writeln!(
                table,
                "| failed of {} requests from {} s after the loss, and of all tries from then on | {} | 0 | {} |",
                lost.settled,
                settles_after(*grace).as_secs(),
                failed(lost),
                verdict(failed(lost) == 0),
            );
        }
        table
    }
}

fn failed(lost: &LostZone) -> usize {
    lost.settled_failures.len() + lost.late_failures.len()
}
