//! The three ways by which a waiting web pod hears that a file is compiled, each one alone, and what becomes of
//! the one that leads elsewhere.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use crds::{WorkerSpec, condition_type};
use futures::future::try_join_all;
use pipeline::{
    aws::sns_client,
    env::{DIRECT_NOTICES, RECHECK},
};
use tests::{
    patience::eventually,
    sass,
    scene::{Scene, Setting, Sns, Tier, check_condition, find_condition, play},
};

const FILES: usize = 6;
const VISITORS_PER_FILE: usize = 4;
const NO_RECHECK: &[(&str, &str)] = &[(RECHECK, "Off")];
/// Silent endpoints are asked again after 2, 4, 8 s and so on.
const TOLD_WITHIN: Duration = Duration::from_secs(30);
/// Each notice reaches the pod that waits, of two, by chance: none of so many is relayed once in 2^32 runs.
const NOTICES_FOR_A_RELAY: usize = 32;
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
        some_notice_is_relayed(scene).await
    })
    .await
}

/// SNS reaches any of the pods; the pod that waits is told by that one.
async fn some_notice_is_relayed(scene: &Scene) -> Result<()> {
    for file in 0..NOTICES_FOR_A_RELAY {
        let relayed = scene.metrics(Tier::Web).await?.sum("assets_web_notices_relayed_total");
        if relayed > 0 {
            return Ok(());
        }
        scene.origin.put(&format!("/more-{file}.scss"), ".more { width: 1px; }\n");
        assert_eq!(scene.visitor.get(&format!("/more-{file}.css")).await?.status, 200);
    }
    bail!("no pod had to relay a notice")
}

#[tokio::test]
async fn recheck_alone_answers_every_visitor() -> Result<()> {
    let setting = Setting { sns: Sns::Silent, worker_env: NO_DIRECT_NOTICES, ..two_web_pods() };
    play("recheck", setting, async |scene| only_way_is(scene, "recheck").await).await
}

#[tokio::test]
async fn endpoint_that_leads_to_somebody_else_is_told_and_never_subscribed() -> Result<()> {
    play("elsewhere", Setting::default(), async |scene| {
        let right = scene.pipeline().await?.spec;
        let mut wrong = right.clone();
        let elsewhere = format!("{}/work_complete", scene.origin.url());
        wrong.notifications.endpoint = Some(elsewhere.clone());
        scene.change_spec(&wrong).await?;
        eventually(TOLD_WITHIN, "the wrong endpoint to be told", async || {
            let pipeline = scene.pipeline().await?;
            let told = find_condition(&pipeline, condition_type::SUBSCRIPTION_READY)?;
            ensure!((told.status.as_str(), told.reason.as_str()) == ("False", "Unreachable"), "{told:?}");
            let names_both =
                told.message.contains(&elsewhere) && told.message.contains("the address is not public");
            ensure!(names_both && !told.message.contains("  "), "{}", told.message);
            Ok(())
        })
        .await?;
        scene.origin.put("/app.scss", ".ok { width: 1px; }\n");
        assert_eq!(scene.visitor.get("/app.css").await?.status, 200, "direct notices do the work");
        ensure!(!subscribed(scene).await?.contains(&elsewhere), "somebody else was subscribed");

        scene.change_spec(&right).await?;
        eventually(TOLD_WITHIN, "the right endpoint to be confirmed", async || {
            check_condition(&scene.pipeline().await?, condition_type::SUBSCRIPTION_READY)
        })
        .await?;
        assert_eq!(subscribed(scene).await?, right.notifications.endpoint.into_iter().collect::<Vec<_>>());
        Ok(())
    })
    .await
}

/// The endpoints that the topic knows.
async fn subscribed(scene: &Scene) -> Result<Vec<String>> {
    let topic = scene.bindings().await?.topic_arn.context("the status names no topic")?;
    let sns = sns_client(&scene.control.aws().await);
    let known = sns.list_subscriptions_by_topic().topic_arn(topic).send().await?;
    Ok(known.subscriptions().iter().filter_map(|known| known.endpoint.clone()).collect())
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
