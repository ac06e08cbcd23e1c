//! What limits and signals make of a decision, one at a time.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::{num::NonZeroU32, time::Duration};

use jiff::Timestamp;
use scaling::{
    Doubt, Fallback, Limits, Pause, Pods, Queue, Reason, Sample, ScaleIn, Schedule, Signal, Step, Target,
    Web, Window, Workers, decide,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// Up to forty pods of two places, whose visitors wait two seconds.
fn latency() -> Limits {
    let target = Target::Latency { wait: Duration::from_secs(2), concurrency: number(2) };
    Limits::new(0, 40, target, ScaleIn::WhenFewerDoForAStart)
}

fn backlog() -> Limits {
    Limits::new(
        0,
        10,
        Target::Backlog { per_replica: number(5) },
        ScaleIn::WhenEmptyFor(Duration::from_mins(1)),
    )
}

fn sample(visible: u64, in_flight: u64, replicas: u32) -> Sample {
    Sample {
        visits: Signal::Told(Queue { visible, in_flight, delayed: 0 }),
        refreshes: Signal::Told(Queue::default()),
        pods: Pods { replicas, ready: replicas, ..Pods::default() },
        ..Sample::default()
    }
}

/// Web pods know that no job has come of late.
fn without_arrivals(sample: Sample) -> Sample {
    Sample { web: Signal::Told(Web::default()), ..sample }
}

/// The decision on the last of these samples.
fn decided(limits: &Limits, samples: &[(i64, Sample)]) -> (u32, Reason, Vec<Doubt>) {
    let mut window = Window::default();
    for (second, sample) in samples {
        window = window.with(sample, at(*second));
    }
    let (second, sample) = samples.last().unwrap();
    let decision = decide(limits, &window, sample, at(*second));
    (decision.replicas, decision.reason, decision.basis.doubts)
}

fn replicas(limits: &Limits, sample: Sample) -> (u32, Reason) {
    let (replicas, reason, _) = decided(limits, &[(0, sample)]);
    (replicas, reason)
}

#[test]
fn latency_asks_for_what_still_helps() {
    // Nothing was learnt: jobs of a second, pods that start within five.
    assert_eq!(replicas(&latency(), sample(1, 0, 0)), (1, Reason::Latency));
    assert_eq!(replicas(&latency(), sample(60, 0, 0)), (5, Reason::Latency));
    assert_eq!(replicas(&latency(), sample(10, 4, 2)), (2, Reason::Enough), "the two will begin all in time");
    assert_eq!(replicas(&latency(), sample(60, 4, 2)), (6, Reason::Latency));
    assert_eq!(replicas(&latency(), sample(10_000, 0, 0)), (40, Reason::Latency));
}

#[test]
fn burst_is_not_answered_twice() {
    let starting = |second| {
        let pods = Pods { replicas: 5, ready: 0, ..Pods::default() };
        let web = Web { held: 60, oldest_wait: Duration::from_secs(second), sent: 60, finished: 0 };
        Sample { pods, web: Signal::Told(web), ..sample(60, 0, 5) }
    };
    let first = Sample { pods: Pods::default(), ..starting(0) };
    for until in 1..=6 {
        let samples: Vec<_> = [(0, first)]
            .into_iter()
            .chain((1..=until).map(|second: i64| (second, starting(second.unsigned_abs()))))
            .collect();
        assert_eq!(decided(&latency(), &samples).0, 5, "after {until} s");
    }
}

#[test]
fn pods_that_run_jobs_stay() {
    let workers = |busy, running| Workers { answering: 8, busy, running, ..Workers::default() };
    let seen =
        |busy, running| Sample { workers: Signal::Told(workers(busy, running)), ..sample(0, running, 8) };
    let after = |sample: Sample| decided(&latency(), &[(0, sample), (60, sample)]);
    assert_eq!(after(seen(3, 3)), (3, Reason::Surplus, vec![]));
    assert_eq!(after(seen(0, 0)), (0, Reason::Surplus, vec![]));
    assert_eq!(after(without_arrivals(sample(0, 3, 8))).0, 3, "each job may have a pod of its own");
}

#[test]
fn pods_stay_for_as_long_as_one_takes_to_start() {
    let (busy, idle) = (without_arrivals(sample(0, 8, 4)), without_arrivals(sample(0, 0, 4)));
    let after =
        |seconds: i64| decided(&latency(), &[(0, busy), (60, busy), (61, idle), (60 + seconds, idle)]).0;
    assert_eq!([after(5), after(7)], [4, 0]);
    assert_eq!(decided(&latency(), &[(0, idle), (20, idle)]).0, 4, "a new leader has seen too little");
}

#[test]
fn refreshes_ask_for_no_more_than_their_share() {
    let refreshes = |visits, refreshes| Sample {
        refreshes: Signal::Told(Queue { visible: refreshes, ..Queue::default() }),
        ..sample(visits, 0, 0)
    };
    let shared = Limits { refresh_share_percent: Some(30), ..backlog() };
    assert_eq!(replicas(&backlog(), refreshes(0, 500)).0, 10);
    assert_eq!(replicas(&shared, refreshes(0, 500)).0, 3);
    assert_eq!(replicas(&shared, refreshes(5, 5)).0, 2);
    assert_eq!(replicas(&shared, refreshes(45, 500)).0, 9);
    let none = Limits { refresh_share_percent: Some(0), ..latency() };
    assert_eq!(replicas(&none, refreshes(0, 500)).0, 1, "what waits is done some time");
}

#[test]
fn schedule_lifts_the_floor_up_to_the_maximum() {
    let schedule = |pods| Schedule::parse("* * * * *", "0 0 1 1 *", "UTC", number(pods)).unwrap();
    let always = |pods| Limits { schedules: vec![schedule(pods)], ..backlog() };
    // From each minute on until New Year is never, since the next start always comes first.
    assert_eq!(replicas(&always(4), sample(0, 0, 0)), (0, Reason::AtRest));
    let hours = Schedule::parse("0 0 1 1 *", "0 0 1 3 *", "UTC", number(40)).unwrap();
    let lifted = Limits { schedules: vec![hours], ..backlog() };
    assert_eq!(replicas(&lifted, sample(0, 0, 0)), (10, Reason::Scheduled));
    assert_eq!(decided(&lifted, &[(0, sample(0, 0, 10)), (600, sample(0, 0, 10))]).0, 10);
}

#[test]
fn pause_goes_before_everything() {
    let paused = |pause| Limits { pause: Some(pause), ..backlog() };
    let idle = [(0, sample(0, 0, 4)), (60, sample(0, 0, 4))];
    for (pause, out, inward) in [(Pause::All, 4, 4), (Pause::In, 10, 4), (Pause::Out, 4, 0)] {
        assert_eq!(replicas(&paused(pause), sample(500, 0, 4)).0, out, "{pause:?}");
        assert_eq!(decided(&paused(pause), &idle).0, inward, "{pause:?}");
    }
    assert_eq!(replicas(&paused(Pause::All), sample(0, 0, 30)), (30, Reason::Paused));
}

#[test]
fn steps_bound_a_change_and_the_time_to_the_next() {
    let step = Some(Step { replicas: number(2), every: Duration::from_secs(10) });
    let stepped = Limits { step_out: step, step_in: step, ..backlog() };
    let waiting = |replicas| sample(500, u64::from(replicas), replicas);
    assert_eq!(decided(&stepped, &[(0, waiting(0))]).0, 2);
    assert_eq!(decided(&stepped, &[(0, waiting(0)), (1, waiting(2)), (10, waiting(2))]).0, 2);
    assert_eq!(decided(&stepped, &[(0, waiting(0)), (1, waiting(2)), (11, waiting(2))]).0, 4);
    assert_eq!(decided(&stepped, &[(0, sample(0, 0, 9)), (60, sample(0, 0, 9))]).0, 7);
    assert_eq!(
        decided(&stepped, &[(0, waiting(9)), (1, waiting(0))]).0,
        2,
        "the first pods wait for nothing"
    );
}

#[test]
fn small_differences_are_tolerated() {
    let tolerant = Limits { tolerance_percent: 25, ..backlog() };
    assert_eq!(replicas(&tolerant, sample(26, 0, 5)), (5, Reason::Enough));
    assert_eq!(replicas(&tolerant, sample(36, 0, 5)), (8, Reason::Backlog));
    assert_eq!(replicas(&tolerant, sample(1, 0, 0)), (1, Reason::Backlog));
}

#[test]
fn missing_signals_let_nobody_go_and_are_told_apart() {
    let silent = Sample { visits: Signal::Silent, ..sample(0, 0, 4) };
    let quiet = [(0, sample(0, 0, 4)), (90, silent)];
    assert_eq!(decided(&backlog(), &quiet), (4, Reason::SignalsMissing, vec![Doubt::VisitsSilent]));
    let mute = Sample { web: Signal::Silent, workers: Signal::Silent, ..sample(0, 0, 4) };
    let doubts = vec![Doubt::WebSilent, Doubt::WorkersSilent];
    assert_eq!(decided(&latency(), &[(0, mute), (90, mute)]), (4, Reason::SignalsMissing, doubts));
    assert_eq!(replicas(&backlog(), Sample { refreshes: Signal::Silent, ..sample(30, 0, 4) }).0, 6);
    let held = Web { held: 30, ..Web::default() };
    let seen_by_web = Sample { web: Signal::Told(held), ..silent };
    assert_eq!(replicas(&backlog(), seen_by_web), (6, Reason::Backlog), "web pods know, too");
}

#[test]
fn fallback_holds_once_signals_have_failed_for_long() {
    let fallback = Fallback::AtLeast { replicas: number(6), after: Duration::from_secs(30) };
    let limits = Limits { fallback, ..backlog() };
    let silent = |replicas| Sample { visits: Signal::Silent, ..sample(0, 0, replicas) };
    assert_eq!(decided(&limits, &[(0, silent(2)), (29, silent(2))]).0, 2);
    assert_eq!(
        decided(&limits, &[(0, silent(2)), (30, silent(2))]),
        (6, Reason::Fallback, vec![Doubt::VisitsSilent])
    );
    assert_eq!(decided(&limits, &[(0, silent(8)), (30, silent(8))]).0, 8);
    assert_eq!(decided(&limits, &[(0, silent(2)), (20, sample(1, 0, 2)), (40, silent(2))]).0, 2);
}

#[test]
fn contradictions_are_told_and_the_larger_number_believed() {
    let held = Web { held: 12, sent: 12, ..Web::default() };
    let lagging = Sample { web: Signal::Told(held), ..sample(0, 0, 0) };
    assert_eq!(decided(&backlog(), &[(0, lagging)]), (3, Reason::Backlog, vec![Doubt::HeldUnseen]));
    let retried = Workers { answering: 2, ..Workers::default() };
    let between = Sample { workers: Signal::Told(retried), ..sample(0, 40, 2) };
    assert_eq!(decided(&latency(), &[(0, between)]), (2, Reason::Enough, vec![Doubt::ReceivedUnworked]));
}

#[test]
fn pods_that_do_not_answer_are_replaced() {
    let workers = Workers { answering: 4, busy: 4, running: 8, ..Workers::default() };
    let lost = Sample { workers: Signal::Told(workers), ..sample(16, 8, 6) };
    let healthy = Workers { answering: 6, busy: 6, running: 12, ..Workers::default() };
    let before = Sample { workers: Signal::Told(healthy), ..sample(12, 12, 6) };
    assert_eq!(decided(&backlog(), &[(0, before), (1, lost), (3, lost)]).0, 6);
    assert_eq!(
        decided(&backlog(), &[(0, before), (1, lost), (4, lost)]),
        (7, Reason::Lost, vec![Doubt::ReadyMute])
    );
}
