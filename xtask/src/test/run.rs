//! Running cargo so that a person sees its output, and counting what its tests say.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use cluster::command;

/// How many tests passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) failed: u64,
}

/// Runs a command with its output on the terminal; fails when it fails.
pub(super) fn shown(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().context("cannot start cargo: install Rust")?;
    if !status.success() {
        bail!("`{}` failed ({status})", command::shown(command));
    }
    Ok(())
}

/// Runs `cargo test`, passes its output on, and adds up its `test result:` lines. A run that failed
/// without a failed test, such as one that did not compile, counts as one failure.
pub(super) fn count(command: &mut Command) -> Result<Counts> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo: install Rust")?;
    let mut counts = Counts::default();
    let output = child.stdout.take().context("cargo has no output")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("cannot read the output of cargo")?;
        let line = String::from_utf8_lossy(&line);
        writeln!(std::io::stdout(), "{line}").ok();
        if let Some(more) = counts_of(&line) {
            counts.passed += more.passed;
            counts.failed += more.failed;
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    if !status.success() && counts.failed == 0 {
        counts.failed = 1;
    }
    Ok(counts)
}

fn counts_of(line: &str) -> Option<Counts> {
    let (_, numbers) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut counts = Counts::default();
    for part in numbers.split("; ") {
        match part.split_once(' ')? {
            (number, "passed") => counts.passed = number.parse().ok()?,
            (number, "failed") => counts.failed = number.parse().ok()?,
            _ => {}
        }
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_from_result_lines_only() {
        let line = "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        assert_eq!(counts_of(line), Some(Counts { passed: 3, failed: 2 }));
        assert_eq!(counts_of("test x ... ok"), None);
    }

    #[test]
    fn a_run_that_dies_without_results_counts_as_a_failure() {
        assert_eq!(count(&mut Command::new("false")).unwrap(), Counts { passed: 0, failed: 1 });
    }
}
