//! The layers that hold a child: the filter alone ends every attempt, and landlock alone refuses what is
//! about files and network.

use std::os::unix::process::ExitStatusExt;

use crate::attempts::{ATTEMPTS, Attempt, End, Layers, run};

const SIGSYS: i32 = 31;
const EACCES: &str = "[errno 13]";

fn said(attempt: &Attempt, layers: Layers) -> String {
    String::from_utf8(run(attempt, layers).stdout).unwrap()
}

fn find(name: &str) -> Attempt {
    ATTEMPTS.into_iter().find(|attempt| attempt.name == name).unwrap()
}

#[test]
fn every_call_that_no_compile_needs_fails_and_nearly_all_end_the_child() {
    for attempt in ATTEMPTS {
        let output = run(&attempt, Layers::All);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            said.contains("[confined]"),
            "{}: {said}{}",
            attempt.name,
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(!said.contains("[done]"), "{}: {said}", attempt.name);
        match attempt.end {
            End::Refused => assert!(said.contains(EACCES), "{}: {said}", attempt.name),
            End::Killed => assert_eq!(output.status.signal(), Some(SIGSYS), "{}: {said}", attempt.name),
        }
    }
}

#[test]
fn landlock_alone_refuses_files_and_connections() {
    for name in [
        "open a file to read it",
        "list a folder",
        "connect by TCP",
        "listen by TCP",
        "become another program",
    ] {
        let said = said(&find(name), Layers::WithoutFilter);
        assert!(said.contains(EACCES), "{name}: {said}");
    }
}

#[test]
fn attempts_work_where_nothing_holds_them() {
    for name in [
        "open a file to read it",
        "list a folder",
        "listen by TCP",
        "start another program",
        "signal the parent",
        "make a pipe",
    ] {
        let said = said(&find(name), Layers::None);
        assert!(said.contains("[done]"), "{name}: {said}");
    }
}
