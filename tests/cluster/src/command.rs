//! Running other programs: with their output in a log, with a deadline for the reader's patience,
//! and with errors that show the end of that output.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::progress::Progress;

const LINES_SHOWN: usize = 15;

/// Shows a command as one would type it.
pub fn shown(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    words.join(" ")
}

/// Runs a short command and returns what it wrote to standard output; fails when it fails.
pub fn capture(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    text_of(command, output)
}

/// As [`capture`], with `input` as the command's standard input, which it must read before it writes much.
pub fn feed(command: &mut Command, input: &str) -> Result<String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| not_started(command, &error))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends without reading says why by itself.
        stdin.write_all(input.as_bytes()).ok();
    }
    let output = child.wait_with_output().with_context(|| format!("cannot wait for `{}`", shown(command)))?;
    text_of(command, output)
}

fn text_of(command: &Command, output: Output) -> Result<String> {
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        bail!("`{}` failed ({}):\n{}", shown(command), output.status, tail(&String::from_utf8_lossy(&text)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a short command without input; failing is not an error here.
pub fn output(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().map_err(|error| not_started(command, &error))
}

/// Runs a long command with its output in `log`, and says now and then that it still runs.
pub fn logged(command: &mut Command, log: &Path, what: &str, progress: &Progress) -> Result<()> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let file = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
    let errors = file.try_clone().context("cannot share a log file")?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors)
        .spawn()
        .map_err(|error| not_started(command, &error))?;
    let mut ticker = progress.ticker(format!("still {what}, log in {}", log.display()));
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for a child")? {
            if status.success() {
                return Ok(());
            }
            bail!(
                "{what}: `{}` failed ({status}), log in {}:\n{}",
                shown(command),
                log.display(),
                tail_of(log)
            );
        }
        ticker.tick();
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The last lines of a log, or of what can be read of it.
pub fn tail_of(log: &Path) -> String {
    fs::read(log).map(|bytes| tail(&String::from_utf8_lossy(&bytes))).unwrap_or_default()
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.trim_end().lines().collect();
    let shown = lines.iter().skip(lines.len().saturating_sub(LINES_SHOWN));
    shown.flat_map(|line| ["  | ", line, "\n"]).collect()
}

fn not_started(command: &Command, error: &std::io::Error) -> anyhow::Error {
    let program = command.get_program().to_string_lossy();
    if error.kind() == std::io::ErrorKind::NotFound {
        anyhow!("`{program}` was not found: install it and run this again")
    } else {
        anyhow!("cannot start `{program}`: {error}")
    }
}

/// Whether a program is on the PATH.
pub fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}
