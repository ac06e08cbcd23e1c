//! Pods are replaced while visitors come, for files that are there and for some that have to be compiled first.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use crds::WorkerSpec;
use futures::future::{join, join_all};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::time::sleep;

use crate::{
    patience::eventually,
    sass,
    scene::{Scene, Setting, Tier},
};

/// Who come one after the other, each time on a connection of their own.
const LINES: usize = 24;
/// Between two visitors of a line.
const PACE: Duration = Duration::from_millis(10);
/// One of so many requests is for a file that nobody has asked for.
const COLD: usize = 100;
const SASS: &str = ".warm { width: 1px + 2px; }\n";
const ROLLED_OUT_WITHIN: Duration = Duration::from_mins(4);
/// So many failures are kept word for word.
const TOLD: usize = 10;

/// What came of the visits.
#[derive(Debug)]
pub struct Visits {
    pub requests: usize,
    /// Those for files that had to be compiled first, which were held.
    pub held: usize,
    /// The first failures in words.
    pub failures: Vec<String>,
    pub failed: usize,
    pub took: Duration,
}

/// What came of the visits to a tier that was restarted so many times.
#[derive(Debug)]
pub struct Restarted {
    pub visits: Visits,
    pub restarts: usize,
}

/// A pipeline of three web pods.
pub fn setting() -> Setting {
    let worker = WorkerSpec { min_replicas: 1, max_replicas: 2, concurrency: 4, ..WorkerSpec::default() };
    Setting { web_replicas: 3, worker, ..Setting::default() }
}

/// Restarts the web tier again and again, each time to the end, until so many visitors have come.
pub async fn restart_under_load(scene: &Scene, requests: usize) -> Result<Restarted> {
    let act =
        async |load: &Load| restart_until(scene, || load.asked.load(Ordering::Relaxed) >= requests).await;
    let (visits, restarts) = visit_during(scene, act).await?;
    Ok(Restarted { visits, restarts })
}

/// Visitors come from its beginning to its end.
pub async fn visit_during<T>(
    scene: &Scene,
    act: impl AsyncFnOnce(&Load) -> Result<T>,
) -> Result<(Visits, T)> {
    scene.origin.put("/warm.scss", SASS);
    let started = Instant::now();
    let load = Load {
        warm: sass::compile(SASS)?,
        asked: AtomicUsize::new(0),
        held: AtomicUsize::new(0),
        failed: AtomicUsize::new(0),
        failures: Mutex::default(),
        is_over: AtomicBool::new(false),
    };
    let lines = join_all((0..LINES).map(|_| load.visit(scene)));
    let acted = async {
        let acted = act(&load).await;
        load.is_over.store(true, Ordering::Relaxed);
        acted
    };
    let (_, acted) = join(lines, acted).await;
    let visits = Visits {
        requests: load.asked.into_inner(),
        held: load.held.into_inner(),
        failed: load.failed.into_inner(),
        failures: load.failures.into_inner()?,
        took: started.elapsed(),
    };
    Ok((visits, acted?))
}

async fn restart_until(scene: &Scene, is_enough: impl Fn() -> bool) -> Result<usize> {
    let mut restarts = 0;
    while restarts == 0 || !is_enough() {
        restarts += 1;
        let before = names(&scene.pods(Tier::Web).await?);
        scene.set_env(Tier::Web, &[("ASSETS_TEST_RESTART", &restarts.to_string())]).await?;
        eventually(ROLLED_OUT_WITHIN, "the roll-out", async || {
            scene.check_web_pods(&setting()).await?;
            let now = names(&scene.pods(Tier::Web).await?);
            ensure!(now.iter().all(|name| !before.contains(name)), "{now:?} are not all new");
            Ok(())
        })
        .await?;
    }
    Ok(restarts)
}

/// Visitors who come.
pub struct Load {
    warm: String,
    asked: AtomicUsize,
    held: AtomicUsize,
    failed: AtomicUsize,
    failures: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

impl Load {
    /// One visitor after the other.
    async fn visit(&self, scene: &Scene) {
        while !self.is_over.load(Ordering::Relaxed) {
            let number = self.asked.fetch_add(1, Ordering::Relaxed);
            if let Err(error) = self.visit_once(scene, number).await {
                self.failed.fetch_add(1, Ordering::Relaxed);
                let mut failures = self.failures.lock().expect("nobody panics with it");
                if failures.len() < TOLD {
                    failures.push(format!("request {number}: {error:#}"));
                }
            }
            sleep(PACE).await;
        }
    }

    async fn visit_once(&self, scene: &Scene, number: usize) -> Result<()> {
        let (file, is_cold) = (number / COLD, number % COLD == COLD - 1);
        let answer = if is_cold {
            scene.origin.put(&format!("/cold-{file}.scss"), &cold_sass(file));
            self.held.fetch_add(1, Ordering::Relaxed);
            let answer = scene.visitor.get(&format!("/cold-{file}.css")).await?;
            ensure!(answer.status != 200 || answer.body == sass::compile(&cold_sass(file))?, "{answer:?}");
            answer
        } else {
            let answer = scene.visitor.get("/warm.css").await?;
            ensure!(answer.status != 200 || answer.body == self.warm, "{answer:?}");
            answer
        };
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    }
}

fn cold_sass(file: usize) -> String {
    format!(".cold-{file} {{ width: 1px + {file}px; }}\n")
}

fn names(pods: &[Pod]) -> Vec<String> {
    pods.iter().map(ResourceExt::name_any).collect()
}
