//! Visitors who come all the time, and try again at once where nobody answers.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use futures::future::join_all;
use tokio::time::sleep;

use crate::{sass, scene::Scene, visitor::Visitor};

/// Who come one after the other, each time on a connection of their own.
const LINES: usize = 12;
/// Between two visitors of a line.
const PACE: Duration = Duration::from_millis(50);
/// The kernel of a pod that is there takes a connection in a fraction of this.
const CONNECTED_WITHIN: Duration = Duration::from_millis(250);
/// For a file that is in memory.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);
const THEIR_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// Of the same, once the zone is replaced, and of those who ask only once then.
const LATER_ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 0, 4), Ipv4Addr::new(127, 0, 0, 5)];
/// One of so many later requests is for a file that nobody has asked for.
const COLD: usize = 100;
const WARM: &str = ".warm { width: 1px + 2px; }\n";

/// One visitor, until served.
pub(super) struct Visit {
    /// From the first try to the answer.
    pub(super) took: Duration,
    /// When each try began that failed, and why.
    pub(super) failures: Vec<(Instant, String)>,
}

impl Visit {
    pub(super) fn tries(&self) -> usize {
        self.failures.len() + 1
    }
}

pub(super) struct Load {
    warm: String,
    is_replaced: AtomicBool,
    is_over: AtomicBool,
}

impl Load {
    /// Has every pod remember the file that is asked for.
    pub(super) async fn prepare(scene: &Scene) -> Result<Self> {
        scene.origin.put("/warm.scss", WARM);
        let load = Self {
            warm: sass::compile(WARM)?,
            is_replaced: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        };
        for pod in scene.pods(crate::scene::Tier::Web).await? {
            load.ask_warm(&scene.visitor_at(&pod)?).await?;
        }
        Ok(load)
    }

    /// The zone is replaced.
    pub(super) fn go_on(&self) {
        self.is_replaced.store(true, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Visits until the end.
    pub(super) async fn visit(&self, scene: &Scene) -> Result<Vec<Visit>> {
        let visitors = |own| scene.visitor.impatient(own, CONNECTED_WITHIN, ANSWERED_WITHIN);
        let (first, later) = (visitors(THEIR_ADDRESS)?, visitors(LATER_ADDRESSES[0])?);
        let lines = (0..LINES).map(async |_| {
            let mut visits = Vec::new();
            while !self.is_over.load(Ordering::Relaxed) {
                visits.push(self.visit_once(&first, &later).await);
                sleep(PACE).await;
            }
            visits
        });
        Ok(join_all(lines).await.into_iter().flatten().collect())
    }

    async fn visit_once(&self, first: &Visitor, later: &Visitor) -> Visit {
        let (came, mut failures) = (Instant::now(), Vec::new());
        loop {
            let began = Instant::now();
            let visitor = if self.is_replaced.load(Ordering::Relaxed) { later } else { first };
            let Err(error) = self.ask_warm(visitor).await else { break };
            failures.push((began, format!("{error:#}")));
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
        }
        Visit { took: came.elapsed(), failures }
    }

    async fn ask_warm(&self, visitor: &Visitor) -> Result<()> {
        let answer = visitor.get("/warm.css").await?;
        ensure!(answer.status == 200 && answer.body == self.warm, "{answer:?}");
        Ok(())
    }
}

/// Once the zone is replaced: so many requests without a second try, some of them for new files. Those that
/// failed, in words.
pub(super) async fn ask_all(scene: &Scene, load: &Load, requests: usize) -> Result<Vec<String>> {
    let visitor = scene.visitor.others(LATER_ADDRESSES[1])?;
    let next = AtomicUsize::new(0);
    let lines = (0..LINES).map(async |_| {
        let mut failures = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= requests {
                return failures;
            }
            let asked = match number % COLD {
                0 => ask_cold(scene, &visitor, number).await,
                _ => load.ask_warm(&visitor).await,
            };
            failures.extend(asked.err().map(|error| format!("request {number}: {error:#}")));
        }
    });
    Ok(join_all(lines).await.into_iter().flatten().collect())
}

async fn ask_cold(scene: &Scene, visitor: &Visitor, number: usize) -> Result<()> {
    let sass = format!(".later-{number} {{ width: 1px + {number}px; }}\n");
    scene.origin.put(&format!("/later-{number}.scss"), &sass);
    let answer = visitor.get(&format!("/later-{number}.css")).await?;
    ensure!(answer.status == 200 && answer.body == sass::compile(&sass)?, "{answer:?}");
    Ok(())
}
