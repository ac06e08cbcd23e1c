//! What a person sees while long steps run: what is being done, what is waited for, how long it took.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Prints to standard output, each line with the seconds since the command started.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    started: Instant,
}

const STILL_WAITING_EVERY: Duration = Duration::from_secs(10);

impl Progress {
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// The time since the command started.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// One line about what is done now or was done.
    pub fn say(&self, line: impl AsRef<str>) {
        println!("[{:6.1} s] {}", self.elapsed().as_secs_f64(), line.as_ref());
    }

    /// Runs `ready` until it answers `Ok(true)`, and says what it waits for while that takes long.
    /// An error ends the wait at once.
    pub fn wait(
        &self,
        what: &str,
        timeout: Duration,
        every: Duration,
        mut ready: impl FnMut() -> Result<bool>,
    ) -> Result<Duration> {
        let started = Instant::now();
        let mut ticker = self.ticker(format!("waiting for {what}"));
        while !ready()? {
            if started.elapsed() > timeout {
                bail!("waited {} s for {what}", timeout.as_secs());
            }
            ticker.tick();
            std::thread::sleep(every);
        }
        Ok(started.elapsed())
    }

    /// A reminder that a step still runs, for callers with a loop of their own.
    pub fn ticker(&self, line: String) -> Ticker {
        Ticker { progress: *self, line, started: Instant::now(), said: Instant::now() }
    }
}

/// Says its line once in a while as long as it is ticked.
#[derive(Debug)]
pub struct Ticker {
    progress: Progress,
    line: String,
    started: Instant,
    said: Instant,
}

impl Ticker {
    pub fn tick(&mut self) {
        if self.said.elapsed() >= STILL_WAITING_EVERY {
            self.said = Instant::now();
            self.progress.say(format!("  … {} ({} s)", self.line, self.started.elapsed().as_secs()));
        }
    }
}
