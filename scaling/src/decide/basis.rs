//! What a decision was made from, for log lines, events and the status.

use jiff::Timestamp;
use serde::Serialize;

use super::Bounds;
use crate::{Learnt, Sample, Window, doubt::Doubt, need::Needs};

/// The inputs as they were weighed. Absent numbers were not told.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Basis {
    pub visits_waiting: u64,
    pub refreshes_waiting: u64,
    pub running: u64,
    pub held: Option<u64>,
    pub oldest_wait_seconds: Option<f64>,
    /// Jobs of visits per second, in the last seconds and in most of the last minute.
    pub burst_rate: f64,
    pub stable_rate: f64,
    pub learnt: Learnt,
    pub replicas: u32,
    pub ready: u32,
    pub lost: u32,
    /// What is needed at once, and what fewer than are not kept.
    pub needed: u32,
    pub kept: u32,
    pub floor: u32,
    pub ceiling: u32,
    pub doubts: Vec<Doubt>,
}

impl Basis {
    pub(super) fn of(
        window: &Window,
        sample: &Sample,
        needs: &Needs,
        bounds: Bounds,
        now: Timestamp,
    ) -> Self {
        let web = sample.web.told();
        Self {
            visits_waiting: sample.waiting_visits(),
            refreshes_waiting: sample.refreshes.told().unwrap_or_default().visible,
            running: sample.running(),
            held: web.map(|web| web.held),
            oldest_wait_seconds: web.map(|web| web.oldest_wait.as_secs_f64()),
            burst_rate: window.burst_rate(),
            stable_rate: window.stable_rate().mean,
            learnt: *window.learnt(),
            replicas: sample.pods.replicas,
            ready: sample.pods.ready,
            lost: window.takers().lost(now),
            needed: needs.out.replicas,
            kept: needs.keep,
            floor: bounds.floor,
            ceiling: bounds.ceiling,
            doubts: Doubt::of(window, sample, now),
        }
    }
}
