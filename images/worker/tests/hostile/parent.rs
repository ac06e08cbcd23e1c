//! A parent as plain as can be, which measures its children.

use std::{
    fs,
    io::{Read, Write},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use pipeline::options::CompileOptions;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use worker::{
    ChildLimits,
    child::{
        CHILD_ARGUMENT,
        protocol::{self, FromChild, Hello, Known, Message, Order, ToChild},
    },
};

use crate::inputs::{ENTRY, Input};

/// The style sheets' longest.
pub(crate) const OUTPUT_BYTES: usize = 1 << 20;

/// The kernel's unit of a process's CPU time in `/proc`.
const TICK: Duration = Duration::from_millis(10);

/// What became of a child.
pub(crate) struct End {
    /// Its last word.
    pub(crate) said: Option<Result<String, String>>,
    pub(crate) status: ExitStatus,
    pub(crate) cpu_time: Duration,
}

impl End {
    pub(crate) fn signal(&self) -> Option<i32> {
        self.status.signal()
    }
}

pub(crate) fn compile(input: &Input, limits: ChildLimits) -> End {
    let mut child = start(limits);
    let said = order(&mut child, input);
    end(child, said)
}

/// A child's end that has served already, and the CPU time that it had used by then.
pub(crate) fn compile_one_more(served: &Input, input: &Input, limits: ChildLimits) -> (Duration, End) {
    let mut child = start(limits);
    order(&mut child, served).unwrap().unwrap();
    let used = cpu_time(&child);
    let said = order(&mut child, input);
    (used, end(child, said))
}

/// A child that waits for its first order.
fn start(limits: ChildLimits) -> Child {
    let terms = [limits.cpu_seconds.to_string(), limits.memory_bytes.to_string(), OUTPUT_BYTES.to_string()];
    let mut child = Command::new(env!("CARGO_BIN_EXE_worker"))
        .arg(CHILD_ARGUMENT)
        .args(terms)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert!(matches!(hear(&mut child), Some(Hello::Ready(_))));
    child
}

fn end(mut child: Child, said: Option<Result<String, String>>) -> End {
    drop(child.stdin.take());
    let id = Pid::from_child(&child);
    waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
    let cpu_time = cpu_time(&child);
    End { said, status: child.wait().unwrap(), cpu_time }
}

/// What the child makes of the input; `None` where it is gone before.
fn order(child: &mut Child, input: &Input) -> Option<Result<String, String>> {
    let order = Order {
        entry: format!("/{ENTRY}"),
        load_paths: Vec::new(),
        site: None,
        options: CompileOptions::default(),
        known: Known::default(),
    };
    tell(child, ToChild::Compile(Box::new(order)))?;
    let present: Vec<_> = input.files.iter().map(|(path, _)| format!("/{path}")).collect();
    loop {
        let answer = match hear(child)? {
            FromChild::Done { result, stays: _ } => return Some(result),
            FromChild::Begins { .. } | FromChild::Used { .. } => continue,
            // Those that the question did not mean do no harm.
            FromChild::Probe { .. } => ToChild::Probed { present: present.clone() },
            FromChild::Read { path } => {
                let file = input.files.iter().find(|(file, _)| path.strip_prefix('/') == Some(file.as_str()));
                ToChild::Source(file.map(|(_, text)| String::from_utf8_lossy(text).into_owned()))
            }
        };
        tell(child, answer)?;
    }
}

/// `None` where the child is gone.
fn tell(child: &mut Child, message: ToChild) -> Option<()> {
    child.stdin.as_mut().unwrap().write_all(&protocol::encode(message).unwrap()).ok()
}

fn hear<M: Message>(child: &mut Child) -> Option<M> {
    let output = child.stdout.as_mut().unwrap();
    let mut length = [0; 4];
    output.read_exact(&mut length).ok()?;
    let mut body =
        vec![0; protocol::checked_length(length, protocol::longest_from_child(OUTPUT_BYTES)).unwrap()];
    output.read_exact(&mut body).ok()?;
    Some(protocol::decode(&body).unwrap())
}

/// What the child has used, as long as nobody has waited for its end.
fn cpu_time(child: &Child) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    // Fields are counted behind the name, which may hold anything: 12 and 13 are user and system time.
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u32 = fields.get(11..13).unwrap().iter().map(|ticks| ticks.parse::<u32>().unwrap()).sum();
    TICK * ticks
}
