//! The web tier is restarted pod by pod while visitors come.

use anyhow::{Result, ensure};
use tests::{
    rollout::{restart_under_load, setting},
    scene::play,
};

const REQUESTS: usize = 10_000;

#[tokio::test]
async fn rolling_restart_of_the_web_tier_fails_no_request() -> Result<()> {
    play("rollout", setting(), async |scene| {
        let restarted = restart_under_load(scene, REQUESTS).await?;
        println!("{restarted:?}");
        let visits = restarted.visits;
        ensure!(visits.failed == 0, "{} failed: {:#?}", visits.failed, visits.failures);
        ensure!(visits.requests >= REQUESTS && visits.held >= REQUESTS / 100, "too few came");
        Ok(())
    })
    .await
}
