//! A crowd at a file that nobody has asked for before.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use tests::{
    sass,
    scene::{Setting, Tier, play},
};

const VISITORS: usize = 200;
const WEB_PODS: u64 = 3;
const SASS: &str = "$wide: 40em;\n.crowd { max-width: $wide * 2; a { color: mix(red, blue); } }\n";

#[tokio::test]
async fn crowd_at_a_cold_file_costs_at_most_one_job_per_web_pod() -> Result<()> {
    let setting = Setting { web_replicas: 3, ..Setting::default() };
    play("crowd", setting, async |scene| {
        scene.origin.put("/app.scss", SASS);
        let visits = (0..VISITORS).map(|_| scene.visitor.get("/app.css"));
        let answers = try_join_all(visits).await?;

        let seen: BTreeSet<_> = answers.iter().map(|answer| (answer.status, &*answer.body)).collect();
        let css = sass::compile(SASS)?;
        assert_eq!(seen, BTreeSet::from([(200, &*css)]));
        let mut pods_asked = 0;
        for pod in scene.pods(Tier::Web).await? {
            let by_status = scene.metrics_of(&pod).await?.by_label("assets_web_answers_total", "status");
            pods_asked += usize::from(by_status.contains_key("200"));
        }
        ensure!(pods_asked > 1, "the whole crowd came to one pod");
        let web = scene.metrics(Tier::Web).await?;
        let jobs = web.sum("assets_web_jobs_sent_total");
        ensure!((1..=WEB_PODS).contains(&jobs), "{jobs} jobs were sent");
        let by_status = web.by_label("assets_web_answers_total", "status");
        assert_eq!(by_status.get("200"), Some(&200), "{by_status:?}");
        Ok(())
    })
    .await
}
