//! A minute of visits for files that nobody has asked for: how long visitors wait, with notices and
//! without any.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use crds::WorkerSpec;
use futures::future::try_join_all;
use pipeline::env::DIRECT_NOTICES;
use tokio::time::sleep;

use crate::{
    sass,
    scene::{Scene, Setting, Sns, Tier},
};

const MINUTE: Duration = Duration::from_mins(1);
/// Files that become wanted, one after the other, each by two visitors.
const FILES: u32 = 120;
const VISITORS_PER_FILE: usize = 2;

/// A pipeline of three web pods with both ways of notices.
pub fn with_notices() -> Setting {
    let worker = WorkerSpec { min_replicas: 1, max_replicas: 1, concurrency: 4, ..WorkerSpec::default() };
    Setting { web_replicas: 3, worker, ..Setting::default() }
}

/// The same pipeline, where every notice is lost.
pub fn without_notices() -> Setting {
    Setting { sns: Sns::Silent, worker_env: &[(DIRECT_NOTICES, "Off")], ..with_notices() }
}

/// How long each visitor of a minute waited. Rounds differ in their files.
pub async fn visit_for_a_minute(scene: &Scene, round: usize) -> Result<Vec<Duration>> {
    let visits = (0..FILES).map(|file| async move {
        let sass = format!(".file-{round}-{file} {{ width: 1px + {file}px; }}\n");
        scene.origin.put(&format!("/{round}-{file}.scss"), &sass);
        sleep(MINUTE * file / FILES).await;
        let css = sass::compile(&sass)?;
        let visitors = (0..VISITORS_PER_FILE).map(|_| async {
            let asked = Instant::now();
            let answer = scene.visitor.get(&format!("/{round}-{file}.css")).await?;
            ensure!(answer.status == 200 && answer.body == css, "{answer:?}");
            Ok(asked.elapsed())
        });
        try_join_all(visitors).await
    });
    Ok(try_join_all(visits).await?.into_iter().flatten().collect())
}

/// How many notices the web pods have heard, by either way.
pub async fn notices_heard(scene: &Scene) -> Result<u64> {
    let by_way = scene.metrics(Tier::Web).await?.by_label("assets_web_notices_total", "way");
    Ok(by_way.values().sum())
}
