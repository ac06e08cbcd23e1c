use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::{Pods, Queue, Signal, Target};

fn limits(min_replicas: u32, max_replicas: u32) -> Limits {
    let target = Target::Backlog { per_replica: NonZeroU32::new(5).unwrap() };
    Limits::new(min_replicas, max_replicas, target, ScaleIn::WhenEmptyFor(Duration::from_mins(1)))
}

fn sample(visible: u64, in_flight: u64, replicas: u32) -> Sample {
    Sample {
        visits: Signal::Told(Queue { visible, in_flight, delayed: 0 }),
        pods: Pods { replicas, ready: replicas, ..Pods::default() },
        ..Sample::default()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn decided(limits: &Limits, sample: &Sample, empty_for_seconds: i64) -> (u32, Reason) {
    let window = Window::default().with(&Sample { visits: Signal::Told(Queue::default()), ..*sample }, at(0));
    let window = window.with(sample, at(empty_for_seconds));
    let Decision { replicas, reason, .. } = decide(limits, &window, sample, at(empty_for_seconds));
    (replicas, reason)
}

#[test]
fn table_of_decisions() {
    for (limits, sample, empty_for, expected) in [
        (limits(0, 10), sample(1, 0, 0), 0, (1, Reason::Backlog)),
        (limits(0, 10), sample(5, 0, 0), 0, (1, Reason::Backlog)),
        (limits(0, 10), sample(6, 0, 0), 0, (2, Reason::Backlog)),
        (limits(0, 10), sample(4, 2, 1), 0, (2, Reason::Backlog)),
        (limits(0, 10), sample(1_000, 0, 3), 0, (10, Reason::Backlog)),
        (limits(3, 10), sample(1, 0, 0), 0, (3, Reason::Backlog)),
        (limits(2, 10), sample(0, 0, 0), 0, (2, Reason::BelowMinimum)),
        (limits(0, 4), sample(50, 0, 9), 0, (4, Reason::AboveMaximum)),
        (limits(0, 10), sample(0, 1, 8), 300, (8, Reason::Enough)),
        (limits(0, 10), sample(0, 0, 8), 59, (8, Reason::Waiting)),
        (limits(0, 10), sample(0, 0, 8), 60, (0, Reason::Idle)),
        (limits(2, 10), sample(0, 0, 8), 60, (2, Reason::Idle)),
        (limits(2, 10), sample(0, 0, 2), 60, (2, Reason::AtRest)),
    ] {
        assert_eq!(decided(&limits, &sample, empty_for), expected, "{sample:?}, empty for {empty_for} s");
    }
}

#[test]
fn work_in_between_starts_the_delay_anew() {
    let mut window = Window::default();
    for (second, visible) in [(0, 0), (30, 1), (40, 0)] {
        window = window.with(&sample(visible, 0, 3), at(second));
    }
    let idle = sample(0, 0, 3);
    assert_eq!(decide(&limits(0, 10), &window, &idle, at(99)).replicas, 3);
    assert_eq!(decide(&limits(0, 10), &window, &idle, at(100)).replicas, 0);
}

#[test]
fn job_that_no_started_worker_takes_brings_one_more() {
    let untaken = sample(1, 0, 1);
    let after = |samples: &[(i64, Sample)]| {
        let mut window = Window::default();
        for (second, sample) in samples {
            window = window.with(sample, at(*second));
        }
        let (second, sample) = samples.last().unwrap();
        let Decision { replicas, reason, .. } = decide(&limits(0, 2), &window, sample, at(*second));
        (replicas, reason)
    };
    assert_eq!(after(&[(0, untaken), (2, untaken)]), (1, Reason::Enough));
    assert_eq!(after(&[(0, untaken), (3, untaken)]), (2, Reason::Untaken));
    assert_eq!(
        after(&[(0, untaken), (2, sample(1, 1, 1)), (4, untaken)]),
        (1, Reason::Enough),
        "one was taken"
    );
    let unready = |sample: Sample, ready| Sample { pods: Pods { ready, ..sample.pods }, ..sample };
    let starting = unready(untaken, 0);
    assert_eq!(after(&[(0, starting), (60, starting)]), (1, Reason::Enough), "the pod starts yet");
    let missed = unready(untaken, 0);
    assert_eq!(after(&[(0, untaken), (2, missed), (3, missed)]), (2, Reason::Untaken), "its node is missed");
    let another = unready(sample(1, 0, 2), 1);
    assert_eq!(
        after(&[(0, untaken), (3, another), (60, another)]),
        (2, Reason::Enough),
        "the second one starts"
    );
    let most = sample(1, 0, 2);
    assert_eq!(after(&[(0, most), (60, most)]), (2, Reason::Enough), "the spec allows no more");
}

#[test]
fn clock_set_back_lets_nobody_go() {
    let window = Window::default().with(&sample(0, 0, 3), at(0));
    assert_eq!(decide(&limits(0, 10), &window, &sample(0, 0, 3), at(-3_600)).reason, Reason::Waiting);
}

prop_compose! {
    fn any_limits()(min in 0..50_u32, extra in 0..50_u32, backlog in 1..20_u32, delay in 0..300_u64) -> Limits {
        let target = Target::Backlog { per_replica: NonZeroU32::new(backlog).unwrap() };
        Limits::new(min, (min + extra).max(1), target, ScaleIn::WhenEmptyFor(Duration::from_secs(delay)))
    }
}

proptest! {
    #[test]
    fn bounds_are_kept(limits in any_limits(), visible in 0..5_000_u64, in_flight in 0..500_u64, replicas in 0..200_u32) {
        let (replicas, _) = decided(&limits, &sample(visible, in_flight, replicas), 30);
        prop_assert!((limits.min_replicas..=limits.max_replicas).contains(&replicas));
    }

    #[test]
    fn one_message_is_never_left_waiting_at_zero(limits in any_limits(), visible in 1..5_000_u64) {
        prop_assert!(decided(&limits, &sample(visible, 0, 0), 0).0 >= 1);
    }

    #[test]
    fn nobody_goes_while_there_is_work(limits in any_limits(), jobs in 1..500_u64, replicas in 0..50_u32) {
        let (after, _) = decided(&limits, &sample(0, jobs, replicas), 10_000);
        prop_assert!(after >= replicas.min(limits.max_replicas));
    }

    #[test]
    fn more_jobs_never_mean_fewer_workers(limits in any_limits(), jobs in 0..500_u64, more in 0..500_u64, replicas in 0..50_u32) {
        let (few, _) = decided(&limits, &sample(jobs, 0, replicas), 0);
        let (many, _) = decided(&limits, &sample(jobs + more, 0, replicas), 0);
        prop_assert!(many >= few);
    }

    #[test]
    fn a_decision_carried_out_is_at_rest_or_waits(limits in any_limits(), jobs in 0..500_u64, replicas in 0..200_u32) {
        let (first, _) = decided(&limits, &sample(jobs, 0, replicas), 400);
        let (second, _) = decided(&limits, &sample(jobs, 0, first), 400);
        prop_assert_eq!(first, second);
    }
}
