//! Visitors who wait for files whose jobs the lost zone has.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use cluster::Node;
use k8s_openapi::api::core::v1::Pod;
use tokio::task::JoinHandle;

use super::node_of;
use crate::{
    origin::Gate,
    patience::eventually,
    sass,
    scene::{Scene, Tier},
    visitor::{Answer, Visitor},
};

/// Whose gates stay closed though another zone's web pod owns their keys.
const OF_OTHERS: usize = 2;
/// Names that are tried until the zone's web pod owns one: that none of them is its, of three pods, happens once in
/// ten million times.
const NAMES: usize = 40;
/// Visitors of each file, in each of the zones that stay.
const VISITORS: usize = 5;
const SOON: Duration = Duration::from_secs(2);

pub(super) struct Held {
    gates: Vec<Gate>,
    visits: Vec<(String, JoinHandle<Result<Answer>>)>,
    began: Instant,
}

impl Held {
    /// Has visitors of the other zones wait for files whose jobs the one worker has begun: for some whose keys
    /// belong to pods of other zones, and for one that is the zone's.
    pub(super) async fn wait_for_files(scene: &Scene, node: Node) -> Result<Self> {
        let pods = scene.pods(Tier::Web).await?;
        let (lost, others): (Vec<&Pod>, Vec<&Pod>) =
            pods.iter().partition(|pod| node_of(pod) == Some(node.name));
        let lost = *lost.first().context("no web pod is in the zone")?;
        let others: Vec<_> = others.into_iter().map(|pod| scene.visitor_at(pod)).collect::<Result<_>>()?;
        let jobs = async || anyhow::Ok(scene.metrics_of(lost).await?.sum("assets_web_jobs_sent_total"));
        let mut held = Self { gates: Vec::new(), visits: Vec::new(), began: Instant::now() };
        for number in 0..NAMES {
            let before = jobs().await?;
            let gate = held.come_for(scene, &others, &format!("held-{number}")).await?;
            let is_owned = jobs().await? > before;
            if is_owned || held.gates.len() < OF_OTHERS {
                held.gates.push(gate);
            }
            if is_owned && held.gates.len() >= OF_OTHERS {
                return Ok(held);
            }
        }
        bail!("the zone's web pod owns none of {NAMES} keys")
    }

    /// Until the worker stands before the file's gate.
    async fn come_for(&mut self, scene: &Scene, doors: &[Visitor], name: &str) -> Result<Gate> {
        scene.origin.put(&format!("/{name}.scss"), &source(name));
        let gate = scene.origin.close_gate(&format!("/{name}.scss"));
        for visitor in doors.iter().flat_map(|door| std::iter::repeat_n(door, VISITORS)) {
            let (visitor, path) = (visitor.clone(), format!("/{name}.css"));
            let visit = tokio::spawn(async move { visitor.get(&path).await });
            self.visits.push((name.to_owned(), visit));
        }
        eventually(SOON, "the job", async || {
            ensure!(gate.is_met(), "no worker has asked for it");
            Ok(())
        })
        .await?;
        Ok(gate)
    }

    /// Lets the origin answer, and waits until everybody has the file: how many, and how long the last one was
    /// held.
    pub(super) async fn open(self) -> Result<(usize, Duration)> {
        drop(self.gates);
        let held = self.visits.len();
        for (name, visit) in self.visits {
            let answer = visit.await?.with_context(|| format!("{name} was not answered"))?;
            ensure!(answer.status == 200, "{name} was answered by {answer:?}");
            ensure!(answer.body == sass::compile(&source(&name))?, "{name} is {answer:?}");
        }
        Ok((held, self.began.elapsed()))
    }
}

fn source(name: &str) -> String {
    format!(".{name} {{ width: 1px + 2px; }}\n")
}
