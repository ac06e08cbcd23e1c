//! Real children of the worker's program, looked at from the outside.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::{fd::AsFd, unix::process::ExitStatusExt},
    process::{Child, Command, Stdio},
};

use worker::child::{
    CHILD_ARGUMENT, Confinement,
    protocol::{self, Hello},
};

/// CPU seconds, bytes of memory, bytes of output.
const TERMS: [&str; 3] = ["3", "402653184", "1000000"];

fn start(stdin: Stdio) -> Child {
    Command::new(env!("CARGO_BIN_EXE_worker"))
        .arg(CHILD_ARGUMENT)
        .args(TERMS)
        .env_clear()
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn greeting(child: &mut Child) -> Hello {
    let output = child.stdout.as_mut().unwrap();
    let mut length = [0; 4];
    output.read_exact(&mut length).unwrap();
    let mut body = vec![0; protocol::checked_length(length, 1000).unwrap()];
    output.read_exact(&mut body).unwrap();
    protocol::decode(&body).unwrap()
}

fn proc(child: &Child, file: &str) -> String {
    fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap()
}

#[test]
fn waiting_child_is_confined_in_every_way_before_it_is_told_anything() {
    // A descriptor that is not closed on exec, as a careless starter would leave it.
    let left_open = File::open("/etc/hostname").unwrap();
    rustix::io::fcntl_setfd(left_open.as_fd(), rustix::io::FdFlags::empty()).unwrap();
    let mut child = start(Stdio::piped());
    assert_eq!(greeting(&mut child), Hello::Ready(Confinement::Full));

    let status = proc(&child, "status");
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "Threads:\t2"] {
        assert!(status.contains(line), "{line} is not in\n{status}");
    }
    let limits = proc(&child, "limits");
    let limit = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(limit("Max cpu time"), ["5", "6"], "half as much again as for one order");
    assert_eq!(limit("Max address space"), ["402653184", "402653184"]);
    for name in ["Max file size", "Max core file size", "Max processes", "Max open files"] {
        assert_eq!(limit(name), ["0", "0"], "{name}");
    }
    assert_eq!(proc(&child, "environ"), "");
    let stat = proc(&child, "stat");
    let niceness = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap();
    assert_eq!(niceness, "5", "it gives way to the worker");
    let at = |link: &str| fs::read_link(format!("/proc/{}/{link}", child.id())).unwrap();
    assert_eq!(at("cwd").to_str(), Some("/"));
    let descriptors = fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
    let mut descriptors: Vec<_> = descriptors.map(|entry| entry.unwrap().file_name()).collect();
    descriptors.sort();
    assert_eq!(descriptors, ["0", "1", "2"]);

    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0), "a child without a parent ends");
}

#[test]
fn child_without_terms_or_with_wrong_ones_compiles_nothing() {
    for terms in [&[][..], &["3"], &["3", "many", "1"], &["3", "402653184", "1", "1"]] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_worker")).arg(CHILD_ARGUMENT).args(terms).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{terms:?}");
        assert_eq!(output.stdout, b"", "{terms:?}");
    }
}

#[test]
fn first_message_that_is_no_order_ends_the_child_and_nothing_else() {
    for message in [&b"\xff\xff\xff\xff"[..], b"\0\0\0\0", b"\x02\0\0\0{}", b"\x05\0\0\0nope", b"\x01\0"] {
        let mut child = start(Stdio::piped());
        greeting(&mut child);
        child.stdin.take().unwrap().write_all(message).unwrap();
        let status = child.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(1), None), "{message:?}");
    }
}
