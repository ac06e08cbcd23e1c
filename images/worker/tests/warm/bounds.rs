//! Which children stay for their tenant's next job, and which are ended.

use std::collections::BTreeSet;

use worker::{ChildLimits, Compiler, Limits};

use crate::{
    children::{alone, until},
    site::Site,
};

/// They wait for any tenant.
const WAITING: usize = 2;

/// Loops use CPU time and no memory.
const LONG: &str = "@for $i from 1 through 1000000 { $x: $i * 2; } a { b: c }";
/// A list of lists, half a million in the end: memory, in pieces that an allocator keeps for a while.
const LARGE: &str = "$x: a; @for $i from 1 through 19 { $x: $x $x; } a { b: length($x) }";

/// A child that rests is given an order of this sheet, and does not rest again.
async fn check_is_ended_by(text: &str, limits: ChildLimits) {
    let _alone = alone().await;
    let site = Site::new();
    let limits = Limits { child: limits, output_bytes: 1 << 20 };
    let mut compiler = Compiler::new(env!("CARGO_BIN_EXE_worker").into(), limits);
    compiler.keep_warm_for(1).await.unwrap();
    let waiting = until(WAITING, &BTreeSet::new()).await;
    site.compile_a_little(&compiler, Some("one")).await;
    let with_one = until(WAITING + 1, &waiting).await;
    site.compile(&compiler, Some("one"), text).await.unwrap();
    let without = until(WAITING, &with_one).await;
    assert!(without.is_subset(&with_one), "it was the tenant's child that was ended");
    drop(compiler);
    until(0, &without).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_has_used_a_twentieth_of_its_cpu_time_is_ended() {
    check_is_ended_by(LONG, ChildLimits { cpu_seconds: 4, memory_bytes: 1 << 30 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_has_grown_is_ended() {
    // A twentieth of it is more than the sheet takes.
    check_is_ended_by(LARGE, ChildLimits { cpu_seconds: 600, memory_bytes: 1 << 30 }).await;
}
