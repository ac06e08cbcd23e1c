//! The table of a run.

use std::fmt::Write;

use super::figures::{Bound, Figure, Measured};
use bench_report::{Spread, machine, verdict};

/// Everything that a reader needs to judge the run, as Markdown.
pub(crate) fn table(measured: &[Measured], figures: &[Figure], load: Spread) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "Machine: {}. Load while measuring: {}.\n", machine(), load.show(1.0, 1));
    let _ = writeln!(text, "| KB | server | answers/s | of its core | p50 µs at 70 % | p99 µs at 70 % |");
    let _ = writeln!(text, "|--:|---|--:|--:|--:|--:|");
    for Measured { size, peer, rate, busy, p50, p99, rates: _ } in measured {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} % | {} | {} |",
            size.kilobytes(),
            peer.name(),
            rate.show(1.0, 0),
            busy.show(100.0, 0),
            p50.show(1.0, 0),
            p99.show(1.0, 0)
        );
    }
    let runs = measured.first().map_or(0, |measured| measured.rate.runs);
    let _ = writeln!(
        text,
        "\nMedian (least to most) of {runs} interleaved runs. Answers a second are compared round by round, \
         and the figure is the median of these ratios.\n"
    );
    let _ = writeln!(text, "| KB | figure | is | must be | |");
    let _ = writeln!(text, "|--:|---|--:|--:|---|");
    for figure in figures {
        let bound = match figure.bound {
            Bound::AtLeast(bound) => format!("≥ {bound:.2}"),
            Bound::AtMost(bound) => format!("≤ {bound:.2}"),
        };
        let verdict = verdict(figure.is_reached());
        let Figure { size, what, ratio, .. } = figure;
        let _ = writeln!(text, "| {} | {what} | {ratio:.2} | {bound} | {verdict} |", size.kilobytes());
    }
    text
}
