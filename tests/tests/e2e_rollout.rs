//! The web tier is restarted pod by pod while visitors come, for files that are there and for some that
//! have to be compiled first.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Result, ensure};
use crds::WorkerSpec;
use futures::future::{try_join, try_join_all};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tests::{
    patience::eventually,
    sass,
    scene::{Scene, Setting, Tier, play},
};
use tokio::time::sleep;

const WEB_PODS: i32 = 3;
const REQUESTS: usize = 10_000;
/// Who come one after the other, each on a connection of their own.
const LINES: usize = 24;
const PACE: Duration = Duration::from_millis(40);
/// One of so many requests is for a file that nobody has asked for.
const COLD: usize = 100;
const COLD_FILES: usize = 400;
const SASS: &str = ".warm { width: 1px + 2px; }\n";
const ROLLED_OUT_WITHIN: Duration = Duration::from_mins(4);

#[tokio::test]
async fn rolling_restart_of_the_web_tier_fails_no_request() -> Result<()> {
    let worker = WorkerSpec { min_replicas: 1, max_replicas: 2, concurrency: 4, ..WorkerSpec::default() };
    let setting = Setting { web_replicas: WEB_PODS, worker, ..Setting::default() };
    play("rollout", setting.clone(), async |scene| {
        scene.origin.put("/warm.scss", SASS);
        for file in 0..COLD_FILES {
            scene.origin.put(&format!("/cold-{file}.scss"), &cold_sass(file));
        }
        let before = names(&scene.pods(Tier::Web).await?);
        let load = Load { asked: AtomicUsize::new(0), is_over: AtomicBool::new(false) };
        let lines = try_join_all((0..LINES).map(|_| load.visit(scene)));
        let restart = async {
            scene.set_env(Tier::Web, &[("ASSETS_TEST_RESTART", "1")]).await?;
            eventually(ROLLED_OUT_WITHIN, "the roll-out", async || {
                scene.check_web_pods(&setting).await?;
                let now = names(&scene.pods(Tier::Web).await?);
                ensure!(now.iter().all(|name| !before.contains(name)), "{now:?} are not all new");
                let asked = load.asked.load(Ordering::Relaxed);
                ensure!(asked >= REQUESTS, "only {asked} requests were made");
                Ok(())
            })
            .await?;
            load.is_over.store(true, Ordering::Relaxed);
            Ok(())
        };
        try_join(lines, restart).await.map(drop)
    })
    .await
}

struct Load {
    asked: AtomicUsize,
    is_over: AtomicBool,
}

impl Load {
    /// One visitor after the other; the first answer that is not right ends the test.
    async fn visit(&self, scene: &Scene) -> Result<()> {
        let warm = sass::compile(SASS)?;
        while !self.is_over.load(Ordering::Relaxed) {
            let number = self.asked.fetch_add(1, Ordering::Relaxed);
            let (file, is_cold) = (number / COLD, number % COLD == COLD - 1);
            let (path, css) = if is_cold && file < COLD_FILES {
                (format!("/cold-{file}.css"), sass::compile(&cold_sass(file))?)
            } else {
                ("/warm.css".to_owned(), warm.clone())
            };
            let answer = scene.visitor.get(&path).await?;
            ensure!(answer.status == 200 && answer.body == css, "request {number} for {path}: {answer:?}");
            sleep(PACE).await;
        }
        Ok(())
    }
}

fn cold_sass(file: usize) -> String {
    format!(".cold-{file} {{ width: 1px + {file}px; }}\n")
}

fn names(pods: &[Pod]) -> Vec<String> {
    pods.iter().map(ResourceExt::name_any).collect()
}
