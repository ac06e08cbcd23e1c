//! Many who wait at the same time.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};

use crate::{
    origin::Gate,
    scene::{Scene, Tier},
};

/// Less than a worker's patience with an origin.
const GATE_CLOSED: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(100);

/// Allows this process that many connections.
pub fn allow_connections(wanted: u64) -> Result<()> {
    let limit = rlimit::increase_nofile_limit(u64::MAX)?;
    ensure!(limit > wanted, "{wanted} connections need more open files than {limit}: raise `ulimit -Hn`");
    Ok(())
}

/// Opens the gates one after the other, each when `is_reached` or when a worker would give the origin up.
/// Gives the most visitors who were ever seen to wait.
pub async fn open_slowly(scene: &Scene, gates: impl IntoIterator<Item = Gate>, wanted: u64) -> Result<u64> {
    let mut most = 0;
    for gate in gates {
        let opens = Instant::now() + GATE_CLOSED;
        while Instant::now() < opens && most < wanted {
            let held = scene.metrics(Tier::Web).await?.sum("assets_web_visitors_held");
            most = most.max(held);
            sleep(PAUSE).await;
        }
        gate.open();
    }
    Ok(most)
}
