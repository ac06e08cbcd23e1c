//! A real child that is told anything: it ends by itself, by no signal and not by a forbidden call.

use std::{
    io::{Read, Write},
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
};

use proptest::prelude::*;
use worker::child::{
    CHILD_ARGUMENT,
    protocol::{encode, longest_from_child},
};

use crate::speech::{order, speech};

const OUTPUT_BYTES: usize = 100_000;

/// What the child said, and how it ended.
fn tell(speech: &[u8]) -> (Vec<u8>, Option<i32>, Option<i32>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_worker"))
        .args([CHILD_ARGUMENT, "2", "402653184", &OUTPUT_BYTES.to_string()])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It may be gone before it has been told everything.
    drop(child.stdin.take().unwrap().write_all(speech));
    let mut said = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut said).unwrap();
    let status = child.wait().unwrap();
    (said, status.code(), status.signal())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn child_ends_by_itself_whatever_it_is_told(speech in speech(), is_ordered in any::<bool>()) {
        let first = if is_ordered { encode(order("/a.scss".to_owned())).unwrap() } else { Vec::new() };
        let (said, code, signal) = tell(&[first, speech].concat());
        prop_assert_eq!(signal, None);
        prop_assert!(matches!(code, Some(0 | 1)), "{:?}", code);
        prop_assert!(said.len() <= longest_from_child(OUTPUT_BYTES));
    }
}
