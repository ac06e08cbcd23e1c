//! The place of a bench's table among the results.

use std::{fs, path::Path};

use anyhow::{Context, ensure};

const RESULTS: &str = "tests/bench/RESULTS.md";

/// A bench's part of the results.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    Serve,
    Hold,
    Fleet,
    Zone,
    Child,
    Far,
    Cpu,
    Neighbour,
    Operator,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Hold => "hold",
            Self::Fleet => "fleet",
            Self::Zone => "zone",
            Self::Child => "child",
            Self::Far => "far",
            Self::Cpu => "cpu",
            Self::Neighbour => "neighbour",
            Self::Operator => "operator",
        }
    }
}

/// Puts the table between its part's markers in the checkout's file of results, and leaves everything else
/// as it is. Fails where the markers are not there.
pub fn write(checkout: &Path, part: Part, table: &str) -> anyhow::Result<()> {
    let path = checkout.join(RESULTS);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {RESULTS}"))?;
    fs::write(&path, replaced(&text, part, table)?).with_context(|| format!("cannot write {RESULTS}"))?;
    println!("written to {RESULTS}");
    Ok(())
}

fn replaced(text: &str, part: Part, table: &str) -> anyhow::Result<String> {
    let (begin, end) = (format!("<!-- {}: begin -->", part.name()), format!("<!-- {}: end -->", part.name()));
    let (before, rest) = text.split_once(&begin).with_context(|| format!("{RESULTS} lacks {begin}"))?;
    let (old, after) = rest.split_once(&end).with_context(|| format!("{RESULTS} lacks {end}"))?;
    ensure!(!old.contains("<!--"), "the markers of {RESULTS} are in disorder");
    Ok(format!(
        "{before}{begin}
{table}{end}{after}"
    ))
}

/// Whether a figure is reached, in the words of a table.
pub fn verdict(is_reached: bool) -> &'static str {
    if is_reached { "reached" } else { "**missed**" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_is_replaced() {
        let other = "<!-- hold: begin -->
kept
<!-- hold: end -->
";
        let text = |table| {
            format!(
                "# R
<!-- serve: begin -->
{table}<!-- serve: end -->
{other}"
            )
        };
        assert_eq!(
            replaced(
                &text(
                    "old
"
                ),
                Part::Serve,
                "new
"
            )
            .unwrap(),
            text(
                "new
"
            )
        );
        assert!(
            replaced(
                "# R
",
                Part::Serve,
                "new
"
            )
            .is_err()
        );
        assert!(
            replaced(
                &text(
                    "old
"
                )
                .replace("serve: end", "hold: end"),
                Part::Serve,
                "new
"
            )
            .is_err()
        );
    }
}
