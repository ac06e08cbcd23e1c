//! The figures as a reader sees them.

use std::fmt::Write;

use anyhow::Context;
use bench_report::{Spread, load_average, machine, verdict};

use crate::{
    calls::{Counts, dollars_of},
    creation::{self, Race},
    fleet::BATCH,
    idle::Idle,
    memory::{self, Memory},
    on_moto::{OnMoto, Small},
};

const HOURS_OF_A_MONTH: f64 = 730.0;

pub(crate) struct Figures {
    pub(crate) pipelines: usize,
    pub(crate) small: OnMoto,
    pub(crate) races: Vec<Race>,
    pub(crate) memory: Memory,
    pub(crate) idle: Idle,
}

impl Figures {
    pub(crate) fn are_reached(&self) -> anyhow::Result<bool> {
        Ok(self.memory.operator <= memory::MOST_BYTES
            && self.memory.times() <= memory::MOST_TIMES
            && self.creation()?.median <= creation::MOST_TIMES
            && self.idle.writes.is_empty()
            && self.small.on_moto.idle.writes.is_empty())
    }

    /// The operator's time to the bare client's, batch by batch.
    fn creation(&self) -> anyhow::Result<Spread> {
        let times = self.races.iter().map(|race| race.operator / race.bare).collect();
        Spread::of(times).context("nothing was made in turns")
    }

    pub(crate) fn table(&self) -> anyhow::Result<String> {
        let Self { pipelines, small, races, memory, idle } = self;
        let creation = self.creation()?;
        let seconds = |which: fn(&Race) -> f64| Spread::of(races.iter().map(which).collect());
        let operator = seconds(|race| race.operator).context("nothing was made in turns")?;
        let bare = seconds(|race| race.bare).context("nothing was made in turns")?;
        let writes: u64 = idle.writes.values().sum();
        let minutes = idle.lasted.as_secs() / 60;
        let rows = [
            row(
                "KB of memory for a pipeline with its children",
                &format!("{:.1}", memory.operator / 1024.0),
                &format!("≤ {:.0}", memory::MOST_BYTES / 1024.0),
                memory.operator <= memory::MOST_BYTES,
            ),
            row(
                "the same, to a bare client that keeps the same objects",
                &format!("{:.2}", memory.times()),
                &format!("≤ {:.1}", memory::MOST_TIMES),
                memory.times() <= memory::MOST_TIMES,
            ),
            row(
                "time until all children are made, to a bare client that writes the same objects",
                &creation.show(1.0, 2),
                &format!("≤ {:.1}", creation::MOST_TIMES),
                creation.median <= creation::MOST_TIMES,
            ),
            row(
                &format!("writes, the Lease aside, in {minutes} idle minutes after a cold start"),
                &writes.to_string(),
                "0",
                idle.writes.is_empty(),
            ),
            row(
                &format!("the same of {BATCH} pipelines on moto, in {} minutes", minutes_of(&small.on_moto)),
                &small.on_moto.idle.writes.values().sum::<u64>().to_string(),
                "0",
                small.on_moto.idle.writes.is_empty(),
            ),
        ]
        .concat();
        let mut what = String::new();
        for (written, count) in idle.writes.iter().chain(&small.on_moto.idle.writes) {
            // A `String` takes whatever is written to it.
            let _ = writeln!(what, "\nWritten: {written}, {count} times.");
        }
        Ok(format!(
            "Machine: {}. Load at the end: {:.1}.\n\n| figure | is | must be | |\n|---|--:|--:|---|\n{rows}\n\
             {pipelines} pipelines. The operator's process takes {} MB with them, the bare client's {} MB, {:.1} KB for each \
             pipeline. A batch of {BATCH} pipelines was there after {} s, and by the bare client after {} s: median (least to \
             most) of {} batches in turns, compared batch by batch. Idle, the operator takes {:.0} % of a core.\n{what}\n{}\n{}",
            machine(),
            load_average()?,
            memory.operator_whole >> 20,
            memory.bare_whole >> 20,
            memory.bare / 1024.0,
            operator.show(1.0, 1),
            bare.show(1.0, 1),
            creation.runs,
            idle.cpu * 100.0,
            self.prices(),
            compare(small),
        ))
    }

    /// Of idle pipelines, at list prices.
    #[expect(clippy::cast_precision_loss, reason = "calls are far below 2^52")]
    fn prices(&self) -> String {
        let hours = self.idle.lasted.as_secs_f64() / 3600.0;
        let each = |count: u64| count as f64 / self.pipelines as f64 / hours;
        let calls = self.idle.calls.iter().map(|(kind, count)| (*kind, each(*count)));
        let mut all = 0.0;
        let mut rows = String::new();
        for (kind, calls) in calls {
            let dollars = calls * dollars_of(kind) * HOURS_OF_A_MONTH;
            all += dollars;
            let _ = writeln!(rows, "| {kind} | {calls:.1} | {dollars:.3} |");
        }
        format!(
            "| calls of AWS for an idle pipeline | an hour | $ a month |\n|---|--:|--:|\n{rows}| together | | {all:.3} |\n\n\
             At the list prices of us-east-1 ([calls.rs](operator/src/calls.rs)).\n"
        )
    }
}

fn minutes_of(small: &Small) -> u64 {
    small.idle.lasted.as_secs() / 60
}

/// Calls of a pipeline in memory and on moto.
#[expect(clippy::cast_precision_loss, reason = "calls are far below 2^52")]
fn compare(small: &OnMoto) -> String {
    let OnMoto { in_memory, on_moto } = small;
    let mut rows = String::new();
    for kind in on_moto.made.keys() {
        let made = [in_memory, on_moto].map(|side| count(&side.made, kind) / BATCH as f64);
        let idle = [in_memory, on_moto].map(|side| {
            count(&side.idle.calls, kind) / BATCH as f64 / side.idle.lasted.as_secs_f64() * 3600.0
        });
        // A `String` takes whatever is written to it.
        let _ =
            writeln!(rows, "| {kind} | {:.1} | {:.1} | {:.0} | {:.0} |", made[0], made[1], idle[0], idle[1]);
    }
    format!(
        "| calls of AWS for one of {BATCH} pipelines | until it is ready, in memory | on moto | idle, an hour, in memory | on \
         moto |\n|---|--:|--:|--:|--:|\n{rows}"
    )
}

#[expect(clippy::cast_precision_loss, reason = "calls are far below 2^52")]
fn count(counts: &Counts, kind: &str) -> f64 {
    counts.get(kind).copied().unwrap_or_default() as f64
}

fn row(figure: &str, is: &str, must_be: &str, is_reached: bool) -> String {
    format!("| {figure} | {is} | {must_be} | {} |\n", verdict(is_reached))
}
