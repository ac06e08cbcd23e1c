//! Which children stay for their tenant's next job, and which are ended.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::sleep;
use worker::{ChildLimits, Compiler, Limits};

use crate::{
    children::{alone, children, until},
    site::Site,
};

/// They wait for any tenant.
const WAITING: usize = 2;

/// Loops use CPU time and no memory; some of these use half a second.
const LONG: &str = "@for $i from 1 through 500000 { $x: $i * 2; } a { b: c }";
const MOST_TIMES: usize = 20;
const SOON: Duration = Duration::from_millis(100);
/// A list of lists, half a million in the end: memory, in pieces that an allocator keeps for a while.
const LARGE: &str = "$x: a; @for $i from 1 through 19 { $x: $x $x; } a { b: length($x) }";

/// A child that rests is given orders of this sheet, and does not rest again after the last one.
async fn check_is_ended_by(text: &str, limits: ChildLimits) {
    let _alone = alone().await;
    let site = Site::new();
    let limits = Limits { child: limits, output_bytes: 1 << 20 };
    let mut compiler = Compiler::new(env!("CARGO_BIN_EXE_worker").into(), limits);
    compiler.keep_warm_for(1).await.unwrap();
    let waiting = until(WAITING, &BTreeSet::new()).await;
    site.compile_a_little(&compiler, Some("one")).await;
    let with_one = until(WAITING + 1, &waiting).await;
    let mut times = 0;
    while waiting.is_subset(&children()) {
        times += 1;
        assert!(times <= MOST_TIMES, "it serves for ever");
        site.compile(&compiler, Some("one"), text).await.unwrap();
        // It ends by itself, and is told of before it is gone.
        sleep(SOON).await;
    }
    let left = until(WAITING, &with_one).await;
    assert!(left.is_subset(&with_one), "it was the tenant's child that was ended");
    drop(compiler);
    until(0, &left).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_has_used_half_of_an_orders_cpu_time_is_ended() {
    check_is_ended_by(LONG, ChildLimits { cpu_seconds: 1, memory_bytes: 1 << 30 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_has_grown_is_ended() {
    // Half of it is more than the sheet takes.
    check_is_ended_by(LARGE, ChildLimits { cpu_seconds: 600, memory_bytes: 1 << 30 }).await;
}
