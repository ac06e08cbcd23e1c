//! What the rounds show, and the figure.

use std::fmt::Write;

use bench_report::{Spread, verdict};

use super::{NEIGHBOUR, Side, Turn};

/// A neighbour's 99th percentile, to that beside benign jobs.
const MOST: f64 = 1.1;

/// What one side's rounds came to.
#[derive(Default)]
pub(crate) struct Beside {
    pub(super) rounds: Vec<Round>,
}

pub(crate) struct Round {
    /// Of each of the neighbour's jobs, in seconds.
    pub(super) waits: Vec<f64>,
    /// CPU of worker and children for a second that passed.
    pub(super) cpu: f64,
}

pub(crate) struct Neighbour {
    pub(super) turns: Vec<Turn>,
    pub(super) hostile: Beside,
    pub(super) benign: Beside,
}

/// What one in so many is above.
fn exceeded_by_one_in(many: usize, mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.iter().rev().nth(values.len() / many).copied().unwrap_or(f64::NAN)
}

fn p99(waits: Vec<f64>) -> f64 {
    exceeded_by_one_in(100, waits)
}

impl Beside {
    fn waits(&self) -> Vec<f64> {
        self.rounds.iter().flat_map(|round| round.waits.iter().copied()).collect()
    }

    fn row(&self, side: Side, jobs: u64) -> String {
        let show = |values: Vec<f64>, factor, digits| {
            Spread::of(values).map_or(String::new(), |spread| spread.show(factor, digits))
        };
        let by_round = self.rounds.iter().map(|round| p99(round.waits.clone())).collect();
        format!(
            "| {} | {jobs} | {} | {:.1} | {:.1} | {} | {} |\n",
            side.name(),
            self.waits().len(),
            exceeded_by_one_in(2, self.waits()) * 1e3,
            p99(self.waits()) * 1e3,
            show(by_round, 1e3, 1),
            show(self.rounds.iter().map(|round| round.cpu).collect(), 1.0, 2),
        )
    }
}

impl Neighbour {
    fn ratio(&self) -> f64 {
        p99(self.hostile.waits()) / p99(self.benign.waits())
    }

    pub(crate) fn is_reached(&self) -> bool {
        self.ratio() <= MOST
    }

    pub(crate) fn table(&self) -> String {
        let mut table = "| hostile style sheet | CPU, ms | times | benign loop's CPU, ms | times |\n\
                         |---|--:|--:|--:|--:|\n"
            .to_owned();
        table.extend(self.turns.iter().map(|turn| {
            let [hostile, benign] = [&turn.hostile, &turn.benign];
            let (name, a, b) = (turn.name, hostile.seconds * 1e3, benign.seconds * 1e3);
            format!("| {name} | {a:.0} | {} | {b:.0} | {} |\n", hostile.times, benign.times)
        }));
        let rounds = self.hostile.rounds.len();
        let in_one = |side| self.turns.iter().map(|turn| u64::from(turn.part(side).times)).sum::<u64>();
        let jobs = |side| rounds as u64 * in_one(side);
        // A `String` takes whatever is written to it.
        let _ = write!(
            table,
            "\nOnce, with nothing else running, and how often in each of {rounds} interleaved rounds.\n\n\
             | beside | its jobs | {NEIGHBOUR}'s jobs | median, ms | p99, ms | p99 by round | CPU, s for a second |\n\
             |---|--:|--:|--:|--:|--:|--:|\n{}{}\n\
             p99 is of all rounds together; by round and CPU: median (least to most).\n\n\
             | figure | is | must be | |\n|---|--:|--:|---|\n\
             | a neighbour's p99 beside hostile jobs, to that beside benign ones of the same CPU | {:.2} | ≤ {MOST:.2} | {} |\n",
            self.hostile.row(Side::Hostile, jobs(Side::Hostile)),
            self.benign.row(Side::Benign, jobs(Side::Benign)),
            self.ratio(),
            verdict(self.is_reached()),
        );
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_hundred_is_above_the_99th_percentile() {
        let waits = |count: u16| (1..=count).map(f64::from).rev().collect::<Vec<_>>();
        for (count, is) in [(1, 1.0), (99, 99.0), (100, 99.0), (200, 198.0), (1_000, 990.0)] {
            assert!((p99(waits(count)) - is).abs() < f64::EPSILON, "{count}");
        }
        assert!(p99(Vec::new()).is_nan());
    }
}
