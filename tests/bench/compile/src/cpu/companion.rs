//! A process beside this one that is spoken to line by line, and ends when its input does.

use std::{
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::Context;

/// Ends when this is dropped.
pub(crate) struct Companion {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Companion {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let output = process.stdout.take().context("it has no output")?;
        Ok(Self { process, output: BufReader::new(output) })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        let input = self.process.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(input, "{line}")
    }

    /// The next line, empty at the end.
    pub(crate) fn hear(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line)
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().ok();
    }
}
