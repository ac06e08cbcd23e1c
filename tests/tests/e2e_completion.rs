//! The three ways by which a waiting web pod hears that a file is compiled, each one alone.

use anyhow::{Result, ensure};
use crds::WorkerSpec;
use futures::future::try_join_all;
use pipeline::env::{DIRECT_NOTICES, RECHECK};
use tests::{
    sass,
    scene::{Scene, Setting, Sns, Tier, play},
};

const FILES: usize = 6;
const VISITORS_PER_FILE: usize = 4;
const NO_RECHECK: &[(&str, &str)] = &[(RECHECK, "Off")];
const NO_DIRECT_NOTICES: &[(&str, &str)] = &[(DIRECT_NOTICES, "Off")];

#[tokio::test]
async fn direct_notices_alone_answer_every_visitor() -> Result<()> {
    let setting = Setting { sns: Sns::Silent, web_env: NO_RECHECK, ..two_web_pods() };
    play("direct", setting, async |scene| only_way_is(scene, "direct").await).await
}

#[tokio::test]
async fn sns_alone_answers_every_visitor() -> Result<()> {
    let setting = Setting {
        sns: Sns::Subscribed,
        web_env: NO_RECHECK,
        worker_env: NO_DIRECT_NOTICES,
        ..two_web_pods()
    };
    play("sns", setting, async |scene| {
        only_way_is(scene, "sns").await?;
        // SNS reaches any pod; the pod that waits is told by that one.
        let relayed = scene.metrics(Tier::Web).await?.sum("assets_web_notices_relayed_total");
        ensure!(relayed > 0, "no pod had to relay a notice");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn recheck_alone_answers_every_visitor() -> Result<()> {
    let setting = Setting { sns: Sns::Silent, worker_env: NO_DIRECT_NOTICES, ..two_web_pods() };
    play("recheck", setting, async |scene| only_way_is(scene, "recheck").await).await
}

/// Two are enough for a notice to reach the wrong one.
fn two_web_pods() -> Setting {
    let worker = WorkerSpec { max_replicas: 1, concurrency: 4, ..WorkerSpec::default() };
    Setting { web_replicas: 2, worker, ..Setting::default() }
}

async fn only_way_is(scene: &Scene, way: &str) -> Result<()> {
    let sass = |file: usize| format!(".file-{file} {{ width: 1px + {file}px; }}\n");
    for file in 0..FILES {
        scene.origin.put(&format!("/{file}.scss"), &sass(file));
    }
    let visits = (0..FILES * VISITORS_PER_FILE).map(|visit| async move {
        let file = visit % FILES;
        let answer = scene.visitor.get(&format!("/{file}.css")).await?;
        assert_eq!((answer.status, answer.body), (200, sass::compile(&sass(file))?));
        anyhow::Ok(())
    });
    try_join_all(visits).await?;
    let web = scene.metrics(Tier::Web).await?;
    let jobs = web.sum("assets_web_jobs_sent_total");
    ensure!(jobs >= 6, "only {jobs} jobs were sent for {FILES} files");
    let mut ways = web.by_label("assets_web_holds_ended_total", "way");
    // The other pod hears it from the key's owner, where it does not find out first: SNS reaches any pod.
    let forwards = web.by_label("assets_web_forwards_total", "outcome");
    let count = |outcome| forwards.get(outcome).copied().unwrap_or_default();
    assert_eq!(ways.remove("owner").unwrap_or_default(), count("answered"));
    assert_eq!(ways, [(way.to_owned(), jobs + count("needless"))].into());
    Ok(())
}
