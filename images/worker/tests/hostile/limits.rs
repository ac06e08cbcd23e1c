//! Every hostile input within the limits of its child.

use std::{sync::Mutex, thread, time::Duration};

use worker::{ChildLimits, child::OUT_OF_TIME, settings::COMPILE_LIMITS};

use crate::{
    inputs::{Input, all},
    parent::{compile, compile_one_more},
};

/// Of CPU time, memory and stack: SIGXCPU, SIGABRT, SIGSEGV.
const SIGNALS_OF_LIMITS: [i32; 3] = [24, 6, 11];
const PARALLEL: usize = 2;

const SMALL: ChildLimits = ChildLimits { cpu_seconds: 1, memory_bytes: 256 << 20 };

#[test]
fn inputs_of_every_family_end_in_a_word_or_at_a_limit_and_in_time() {
    check_every(4, SMALL);
}

#[test]
#[ignore = "long: two minutes, since half of the inputs use up their limits"]
fn every_input_ends_in_a_word_or_at_a_limit_and_in_time() {
    check_every(1, SMALL);
}

#[test]
#[ignore = "long: many minutes, since a worker's own limits are used up again and again"]
fn every_input_ends_in_a_word_or_at_a_limit_and_in_time_under_a_workers_limits() {
    check_every(1, COMPILE_LIMITS.child);
}

#[test]
fn child_that_has_served_has_all_cpu_time_for_its_next_order_and_no_more() {
    let some = Input::new("a loop", "@for $i from 1 through 300000 { $x: $i * 2; } a { b: c }");
    let endless = Input::new("a loop without end", "@while true {}");
    let (before, end) = compile_one_more(&some, &endless, SMALL);
    assert!(before > Duration::from_millis(50), "{before:?} would not be missed");
    assert_eq!((end.said.is_some(), end.signal()), (false, Some(SIGNALS_OF_LIMITS[0])));
    let taken = end.cpu_time.saturating_sub(before);
    // The kernel counts in hundredths here.
    let expected = Duration::from_millis(970)..=Duration::from_millis(1_100);
    assert!(expected.contains(&taken), "{taken:?} after {before:?}");
}

/// One of so many inputs.
fn check_every(step: usize, limits: ChildLimits) {
    let inputs = Mutex::new(all().into_iter().step_by(step));
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..PARALLEL {
            scope.spawn(|| {
                let next = || inputs.lock().unwrap().next();
                while let Some(input) = next() {
                    failures.lock().unwrap().extend(check(&input, limits));
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

fn check(input: &Input, limits: ChildLimits) -> Option<String> {
    let limit = Duration::from_secs(limits.cpu_seconds);
    let latest = limit + (limit / 10).max(Duration::from_millis(100));
    let end = compile(input, limits);
    let ended = match (&end.said, end.signal()) {
        (Some(_), None) => end.status.success(),
        (None, Some(signal)) => SIGNALS_OF_LIMITS.contains(&signal),
        (None, None) => end.status.code() == Some(OUT_OF_TIME.into()),
        (Some(_), Some(_)) => false,
    };
    let failed = !ended || end.cpu_time > latest;
    let said = end.said.is_some();
    failed.then(|| {
        format!("{}: {}, {:?} of CPU time, last word said: {said}", input.name, end.status, end.cpu_time)
    })
}
