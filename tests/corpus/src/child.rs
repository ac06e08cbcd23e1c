//! One compile in a process of its own, since an engine may abort or never come back.

use std::{
    env,
    io::{Read, Write, stdin, stdout},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use corpus::{Job, oracle::Outcome};

use crate::engine::{Engine, compile_with};

/// The argument that makes this program a compile child.
pub(crate) const CHILD: &str = "compile-one";

/// A debug build of an engine takes seconds for a framework on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);
const STACK_BYTES: usize = 256 << 20;

/// Compiles in a child; that it died or took too long is an outcome like an error of the engine.
pub(crate) fn compile(engine: Engine, job: &Job) -> Result<Outcome> {
    let mut child = Command::new(env::current_exe().context("cannot find this program")?)
        .arg(CHILD)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start a compile child")?;
    let mut input = child.stdin.take().context("the child has no stdin")?;
    input.write_all(&serde_json::to_vec(&(engine, job))?).context("the child stopped reading")?;
    drop(input);
    let mut output = child.stdout.take().context("the child has no stdout")?;
    let (sender, answers) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut answer = Vec::new();
        // Nobody waits any more once the child is killed.
        drop(sender.send(output.read_to_end(&mut answer).map(|_| answer)));
    });
    let answer = answers.recv_timeout(LIMIT);
    stop(&mut child)?;
    let Ok(answer) = answer else { return Ok(Err(format!("no answer in {} s", LIMIT.as_secs()))) };
    if reader.join().is_err() {
        bail!("the reader of a child's answer panicked");
    }
    Ok(serde_json::from_slice(&answer?).unwrap_or_else(|_| Err("the compiler died".to_owned())))
}

/// Ends a child that hangs, and takes in one that ended by itself.
fn stop(child: &mut Child) -> Result<()> {
    let patience = Instant::now() + Duration::from_millis(200);
    while child.try_wait()?.is_none() {
        if Instant::now() > patience {
            child.kill().context("cannot kill a compile child")?;
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// What the child does.
pub(crate) fn run() -> Result<()> {
    let mut order = Vec::new();
    stdin().read_to_end(&mut order)?;
    let (engine, job): (Engine, Job) = serde_json::from_slice(&order).context("the order is not JSON")?;
    let compiler =
        thread::Builder::new().stack_size(STACK_BYTES).spawn(move || compile_with(engine, &job))?;
    let outcome = compiler.join().unwrap_or_else(|_| Err("the compiler panicked".to_owned()));
    stdout().write_all(&serde_json::to_vec(&outcome)?)?;
    Ok(())
}
