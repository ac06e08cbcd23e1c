//! Calls that no compile needs, each tried by a process of its own that is confined as children are.
//!
//! Such a process is this test's program once more, which runs the test `attempt_in_this_process` alone.

use std::{
    env,
    ffi::CStr,
    fs::{self, File},
    io::{self, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::{net::UnixStream, process::CommandExt},
    process::{Command, Output, Stdio},
    thread,
};

use nix::{
    sched::{CloneFlags, unshare},
    sys::{personality, ptrace, signal},
    unistd::{Pid, getppid},
};
use rustix::fs::{CWD, MemfdFlags, memfd_create};
use worker::child::{ChildLimits, confine};

/// Which attempt, and under which layers.
const ATTEMPT: &str = "ATTEMPT";
const LAYERS: &str = "LAYERS";

pub(crate) const LIMITS: ChildLimits = ChildLimits { cpu_seconds: 5, memory_bytes: 1 << 30 };

/// What holds the process that tries.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Layers {
    /// As children are held.
    All,
    /// Landlock and limits.
    WithoutFilter,
    /// Nothing does: shows that an attempt works where it is not forbidden.
    None,
}

/// A call of a kind that is to fail.
pub(crate) struct Attempt {
    pub(crate) name: &'static str,
    pub(crate) end: End,
    pub(crate) try_it: fn() -> io::Result<()>,
}

/// What becomes of it in a child.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// It fails, as it would for want of rights.
    Refused,
    /// It ends the process.
    Killed,
}

const fn attempt(name: &'static str, try_it: fn() -> io::Result<()>) -> Attempt {
    Attempt { name, end: End::Killed, try_it }
}

/// One of a file's opening, the only call that is refused and not fatal.
const fn opening(name: &'static str, try_it: fn() -> io::Result<()>) -> Attempt {
    Attempt { name, end: End::Refused, try_it }
}

pub(crate) const ATTEMPTS: [Attempt; 27] = [
    opening("open a file to read it", || File::open("/etc/hostname").map(drop)),
    opening("open a file to write it", || File::create("/tmp/assetpipeline-sandbox-test").map(drop)),
    opening("open a device", || File::open("/dev/null").map(drop)),
    opening("list a folder", || fs::read_dir("/").map(drop)),
    attempt("look at a file", || fs::metadata("/etc/hostname").map(drop)),
    attempt("make a folder", || fs::create_dir("/tmp/assetpipeline-sandbox-test.d")),
    attempt("remove a file", || fs::remove_file("/tmp/assetpipeline-sandbox-test")),
    attempt("link a file", || Ok(rustix::fs::symlinkat("/", CWD, "/tmp/assetpipeline-sandbox-link")?)),
    attempt("make a file in memory", || Ok(memfd_create("x", MemfdFlags::empty()).map(drop)?)),
    attempt("go to another folder", || env::set_current_dir("/tmp")),
    attempt("connect by TCP", || TcpStream::connect("127.0.0.1:9").map(drop)),
    attempt("listen by TCP", || TcpListener::bind("127.0.0.1:0").map(drop)),
    attempt("open a UDP socket", || UdpSocket::bind("127.0.0.1:0").map(drop)),
    attempt("connect to a socket file", || UnixStream::connect("/run/none").map(drop)),
    attempt("make a pair of sockets", || UnixStream::pair().map(drop)),
    attempt("make a pipe", || io::pipe().map(drop)),
    attempt("copy a descriptor", || Ok(rustix::io::dup(io::stdin()).map(drop)?)),
    attempt("become another program", || Err(Command::new("/bin/true").exec())),
    attempt("start another program", || Command::new("/bin/true").status().map(drop)),
    attempt("start a thread", || {
        thread::Builder::new().spawn(|| ())?.join().map_err(|_| io::Error::other("it panicked"))
    }),
    attempt("be traced", || Ok(ptrace::traceme()?)),
    attempt("trace the parent", || Ok(ptrace::seize(getppid(), ptrace::Options::empty())?)),
    attempt("signal the parent", || Ok(signal::kill(getppid(), None)?)),
    attempt("signal everybody", || Ok(signal::kill(Pid::from_raw(-1), None)?)),
    attempt("leave its namespaces", || Ok(unshare(CloneFlags::CLONE_NEWUSER)?)),
    attempt("mount something", || {
        const NONE: Option<&CStr> = None;
        Ok(nix::mount::mount(NONE, "/tmp", Some("tmpfs"), nix::mount::MsFlags::MS_RDONLY, NONE)?)
    }),
    attempt("become another personality", || {
        Ok(personality::set(personality::Persona::ADDR_NO_RANDOMIZE).map(drop)?)
    }),
];

/// The end of a process that makes this attempt under these layers.
pub(crate) fn run(attempt: &Attempt, layers: Layers) -> Output {
    Command::new(env::current_exe().unwrap())
        .args([
            "attempts::attempt_in_this_process",
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env_clear()
        .envs([(ATTEMPT, attempt.name.to_owned()), (LAYERS, format!("{layers:?}"))])
        .stdin(Stdio::piped())
        .output()
        .unwrap()
}

#[test]
#[ignore = "part of other tests: each runs it in a process of its own, which it confines"]
fn attempt_in_this_process() {
    let Ok(name) = env::var(ATTEMPT) else { return };
    let layers = env::var(LAYERS).unwrap();
    let attempt = ATTEMPTS.into_iter().find(|attempt| attempt.name == name).unwrap();
    let try_it = move || {
        let outcome = match (attempt.try_it)() {
            Ok(()) => "done".to_owned(),
            Err(error) => format!("errno {}", error.raw_os_error().unwrap_or_default()),
        };
        println!("[{outcome}]");
        io::stdout().flush().unwrap();
    };
    match layers.as_str() {
        "All" => confine::run(LIMITS, move |_, _| {
            println!("[confined]");
            io::stdout().flush().unwrap();
            try_it();
        })
        .unwrap(),
        "WithoutFilter" => {
            confine::restrict(LIMITS).unwrap();
            try_it();
        }
        _ => try_it(),
    }
}
