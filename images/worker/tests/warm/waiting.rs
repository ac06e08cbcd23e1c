//! Children wait, serve one tenant, and are replaced.

use std::collections::BTreeSet;

use worker::{ChildLimits, Compiler, Limits};

use crate::{
    children::{alone, children, kill_all, until},
    site::Site,
};

const LIMITS: Limits =
    Limits { child: ChildLimits { cpu_seconds: 1, memory_bytes: 256 << 20 }, output_bytes: 1 << 20 };
const KEPT: u16 = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_wait_serve_one_tenant_and_are_replaced() {
    let _alone = alone().await;
    let site = Site::new();
    let mut compiler = Compiler::new(env!("CARGO_BIN_EXE_worker").into(), LIMITS);
    let nobody = BTreeSet::new();
    site.compile_a_little(&compiler, None).await;
    until(0, &BTreeSet::from([0])).await;

    compiler.keep_warm_for(KEPT - 1).await.unwrap();
    let first = until(KEPT.into(), &nobody).await;
    site.compile_a_little(&compiler, None).await;
    let second = until(KEPT.into(), &first).await;
    assert_eq!(first.intersection(&second).count(), 1, "one was used and replaced, the other one waits on");

    kill_all(&second).await;
    site.compile_a_little(&compiler, None).await;
    let waiting = until(KEPT.into(), &second).await;
    assert!(waiting.is_disjoint(&second), "dead ones are passed over");

    site.compile_a_little(&compiler, Some("one")).await;
    let with_one = until(usize::from(KEPT) + 1, &waiting).await;
    assert!(waiting.is_subset(&with_one), "the one that served stays, and another one waits in its place");
    for _ in 0..3 {
        site.compile_a_little(&compiler, Some("one")).await;
        assert_eq!(children(), with_one, "a tenant's child serves it again");
    }
    site.compile_a_little(&compiler, Some("two")).await;
    let with_two = until(usize::from(KEPT) + 1, &with_one).await;
    assert_eq!(with_one.difference(&with_two).count(), 1, "where too many rest, the oldest is ended");

    site.compile(&compiler, Some("two"), "a { b: $none }").await.unwrap_err();
    let without = until(KEPT.into(), &with_two).await;
    assert!(without.is_subset(&with_two), "one that failed is ended, and none took its place");

    site.compile_a_little(&compiler, Some("two")).await;
    let resting = until(usize::from(KEPT) + 1, &without).await;
    kill_all(&resting).await;
    site.compile_a_little(&compiler, Some("two")).await;
    let last = until(usize::from(KEPT) + 1, &resting).await;
    assert!(last.is_disjoint(&resting), "a dead one is passed over, its tenant's, too");

    drop(compiler);
    until(0, &last).await;
}

#[tokio::test]
async fn program_that_is_no_child_cannot_be_kept_waiting() {
    for program in ["/bin/true", "/bin/none"] {
        Compiler::new(program.into(), LIMITS).keep_warm_for(KEPT - 1).await.unwrap_err();
    }
}
