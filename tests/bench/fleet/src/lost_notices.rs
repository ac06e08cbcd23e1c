//! What the loss of every notice for a minute costs visitors: two pipelines side by side, visited at the
//! same moments, one of them without notices.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench_report::{Spread, load_average, verdict};
use tests::{
    lost_notices::{notices_heard, visit_for_a_minute, with_notices, without_notices},
    scene::{Scene, play},
};

/// How much longer visitors may wait at the 99th percentile, in seconds.
const BOUND: f64 = 1.0;

/// Seconds at the 99th percentile, over the rounds.
pub(crate) struct LostNotices {
    with: Spread,
    without: Spread,
    visitors: usize,
}

pub(crate) async fn measure(rounds: usize, load: &mut Vec<f64>) -> Result<LostNotices> {
    let mut waits = Waits::default();
    play("notices", with_notices(), async |with| {
        // In a box: acts on two scenes are large.
        Box::pin(play("no-notices", without_notices(), async |without| {
            for round in 0..rounds {
                waits.add(round, with, without).await?;
                load.push(load_average()?);
            }
            let (heard, lost) = (notices_heard(with).await?, notices_heard(without).await?);
            ensure!(heard > 0, "no notice was heard where all should be");
            ensure!(lost == 0, "{lost} notices were heard where none should be");
            Ok(())
        }))
        .await
    })
    .await?;
    let spread = |seconds: Vec<f64>| Spread::of(seconds).context("nothing was measured");
    Ok(LostNotices { with: spread(waits.with)?, without: spread(waits.without)?, visitors: waits.visitors })
}

#[derive(Default)]
struct Waits {
    with: Vec<f64>,
    without: Vec<f64>,
    /// Of one minute and pipeline.
    visitors: usize,
}

impl Waits {
    async fn add(&mut self, round: usize, with: &Scene, without: &Scene) -> Result<()> {
        let (with, without) =
            tokio::try_join!(visit_for_a_minute(with, round), visit_for_a_minute(without, round))?;
        self.visitors = with.len();
        let (with, without) = (ninety_ninth(with).as_secs_f64(), ninety_ninth(without).as_secs_f64());
        println!("round {}: p99 {with:.2} s with notices, {without:.2} s without", round + 1);
        self.with.push(with);
        self.without.push(without);
        Ok(())
    }
}

impl LostNotices {
    fn cost(&self) -> f64 {
        self.without.median - self.with.median
    }

    pub(crate) fn is_reached(&self) -> bool {
        self.cost() <= BOUND
    }

    pub(crate) fn table(&self) -> String {
        let Self { with, without, visitors } = self;
        format!(
            "| visitors' wait for a cold file, p99 | seconds |\n|---|--:|\n\
             | with notices | {} |\n| all notices lost for a minute | {} |\n\n\
             Median (least to most) of {} minutes of {visitors} visitors each, both pipelines at the same time.\n\n\
             | figure | is | must be | |\n|---|--:|--:|---|\n\
             | seconds that visitors wait longer at p99 | {:.2} | ≤ {BOUND:.2} | {} |\n",
            with.show(1.0, 2),
            without.show(1.0, 2),
            with.runs,
            self.cost(),
            verdict(self.is_reached()),
        )
    }
}

fn ninety_ninth(mut waits: Vec<Duration>) -> Duration {
    waits.sort_unstable();
    waits.get(waits.len() * 99 / 100).copied().unwrap_or_default()
}
