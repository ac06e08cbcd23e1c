//! Children that wait, confined already, for an order: starting one costs a job no time.
//!
//! A child serves one tenant. Whoever takes one leaves a gap, which `keep` fills when the job is over.
//! Deliberately not here: what is said to a child.

use std::{
    collections::VecDeque,
    env,
    ffi::OsString,
    io,
    os::fd::AsFd,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::BufReader,
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Notify,
    time::{sleep, timeout},
};

use super::hear;
use crate::child::{CHILD_ARGUMENT, Confinement, Terms, protocol::Hello};

/// How long a child may take from its start to its first word, on a machine that has much to do.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two tries to start children where the first failed.
const START_BACKOFF: Duration = Duration::from_secs(1);
/// The most that a user without privilege may ask for.
const PIPE_BYTES: usize = 1 << 20;
/// jemalloc's setting: the kernel provides memory 2 MiB at a time where it can, and not 4 KiB.
const ALLOCATOR: (&str, &str) = ("_RJEM_MALLOC_CONF", "thp:always");
/// LLVM's name for it.
const PROFILE_FILE: &str = "LLVM_PROFILE_FILE";
/// A child's first message is short.
const LONGEST_HELLO: usize = 4 << 10;

/// A child and both ends of what is said.
pub(super) struct WarmChild {
    pub(super) process: Child,
    pub(super) input: ChildStdin,
    pub(super) output: BufReader<ChildStdout>,
}

/// The children that wait.
#[derive(Debug)]
pub(super) struct WarmChildren {
    program: PathBuf,
    terms: Terms,
    waiting: Mutex<VecDeque<WarmChild>>,
    gaps: Notify,
}

/// A job that took a child and still runs.
pub(super) struct Gap<'w>(&'w Notify);

impl Drop for Gap<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl WarmChildren {
    pub(super) fn new(program: PathBuf, terms: Terms) -> Self {
        Self { program, terms, waiting: Mutex::default(), gaps: Notify::new() }
    }

    /// What is to live as long as the job that takes a child: when it ends, and the CPU is free again, the gap
    /// is filled.
    pub(super) fn gap(&self) -> Gap<'_> {
        Gap(&self.gaps)
    }

    /// A child that is ready, and what holds it. One that has died meanwhile is passed over.
    pub(super) async fn take(&self) -> io::Result<(WarmChild, Confinement)> {
        while let Some(mut child) = self.pop() {
            if child.is_alive()
                && let Ok(confinement) = child.greet().await
            {
                return Ok((child, confinement));
            }
        }
        let mut child = self.start()?;
        let confinement = child.greet().await?;
        Ok((child, confinement))
    }

    /// Starts children until `most` wait, and again whenever a gap is to be filled, for ever.
    pub(super) async fn keep(self: Arc<Self>, most: usize) {
        loop {
            match self.fill(most) {
                Ok(()) => self.gaps.notified().await,
                Err(error) => {
                    let backoff = START_BACKOFF;
                    tracing::error!(error = %error, ?backoff, "could not start a compile child; trying again");
                    sleep(backoff).await;
                }
            }
        }
    }

    fn fill(&self, most: usize) -> io::Result<()> {
        while self.lock().len() < most {
            let child = self.start()?;
            self.lock().push_back(child);
        }
        Ok(())
    }

    fn pop(&self) -> Option<WarmChild> {
        self.lock().pop_front()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<WarmChild>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its environment holds nothing of anybody's. It goes to its own folder itself: to start it there, this process
    /// would have to be copied first.
    fn start(&self) -> io::Result<WarmChild> {
        let mut process = Command::new(&self.program)
            .arg(CHILD_ARGUMENT)
            .args(self.terms.to_arguments())
            .env_clear()
            .envs([ALLOCATOR])
            .envs(profile_file())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(!cfg!(training))
            .spawn()?;
        match (process.stdin.take(), process.stdout.take()) {
            (Some(input), Some(output)) => {
                widen(&input);
                widen(&output);
                Ok(WarmChild { process, input, output: BufReader::new(output) })
            }
            _ => Err(io::Error::other("the child has no pipes")),
        }
    }
}

/// Where a child writes what its build counts. Only a build that is profiled counts, and its children end by
/// themselves.
fn profile_file() -> Option<(&'static str, OsString)> {
    let file = cfg!(training).then(|| env::var_os(PROFILE_FILE)).flatten()?;
    Some((PROFILE_FILE, file))
}

/// Lets a whole order, and a whole style sheet, be on its way: both sides go on at once then. Where the kernel
/// refuses, since this user has many pipes, they take turns.
fn widen(pipe: &impl AsFd) {
    rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES).ok();
}

impl WarmChild {
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    async fn greet(&mut self) -> io::Result<Confinement> {
        match timeout(HELLO_TIMEOUT, hear(&mut self.output, LONGEST_HELLO)).await?? {
            Some(Hello::Ready(confinement)) => Ok(confinement),
            Some(Hello::Unfit { reason }) => Err(io::Error::other(reason)),
            None => Err(io::Error::other("the child ended before it was given anything")),
        }
    }
}

impl std::fmt::Debug for WarmChild {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WarmChild({:?})", self.process.id())
    }
}
