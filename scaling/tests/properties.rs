//! What holds whatever the limits and signals are, in virtual time.
//!
//! `PROPTEST_CASES` says how many cases there are; the ignored twins have a hundred thousand.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::{num::NonZeroU32, time::Duration};

use jiff::Timestamp;
use proptest::{prelude::*, test_runner::TestRunner};
use scaling::{
    Fallback, Limits, Pods, Queue, Sample, ScaleIn, Signal, Step, Target, Web, Window, Workers, decide,
};

const MANY: u32 = 100_000;

type Outcome = Result<(), TestCaseError>;

/// A property over limits and a history, with as many cases as the environment says.
fn hold(cases: Option<u32>, property: fn(&Limits, &[Moment]) -> Outcome) {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    config.cases = cases.unwrap_or(config.cases);
    let histories = (any_limits(), prop::collection::vec(any_moment(), 1..30));
    let outcome = TestRunner::new(config).run(&histories, |(limits, history)| property(&limits, &history));
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// Seconds since the one before, and what is seen. The pods are those that were decided on.
type Moment = (i64, Sample, u32);

prop_compose! {
    fn any_limits()(
        min in 0..20_u32, extra in 1..40_u32, target in any_target(), scale_in in any_scale_in(),
        refresh_share_percent in prop::option::of(0..=100_u32), tolerance_percent in 0..30_u32,
        step_out in any_step(), step_in in any_step(), fallback in any_fallback(),
    ) -> Limits {
        Limits {
            refresh_share_percent, tolerance_percent, step_out, step_in, fallback,
            ..Limits::new(min, min + extra, target, scale_in)
        }
    }
}

fn any_number(most: u32) -> impl Strategy<Value = NonZeroU32> {
    (1..=most).prop_map(|number| NonZeroU32::new(number).unwrap())
}

fn any_target() -> impl Strategy<Value = Target> {
    prop_oneof![
        any_number(20).prop_map(|per_replica| Target::Backlog { per_replica }),
        (100..20_000_u64, any_number(8)).prop_map(|(wait, concurrency)| Target::Latency {
            wait: Duration::from_millis(wait),
            concurrency
        }),
    ]
}

fn any_scale_in() -> impl Strategy<Value = ScaleIn> {
    prop_oneof![
        (0..120_u64).prop_map(|delay| ScaleIn::WhenEmptyFor(Duration::from_secs(delay))),
        (0..400_u64).prop_map(|delay| ScaleIn::WhenFewerDoFor(Duration::from_secs(delay))),
        Just(ScaleIn::WhenFewerDoForAStart),
    ]
}

fn any_step() -> impl Strategy<Value = Option<Step>> {
    let step = (any_number(5), 0..20_u64);
    prop::option::of(step.prop_map(|(replicas, every)| Step { replicas, every: Duration::from_secs(every) }))
}

fn any_fallback() -> impl Strategy<Value = Fallback> {
    let least = (any_number(60), 0..30_u64);
    prop_oneof![
        Just(Fallback::Keep),
        least.prop_map(|(replicas, after)| Fallback::AtLeast { replicas, after: Duration::from_secs(after) }),
    ]
}

fn any_signal<T: std::fmt::Debug + Clone>(
    told: impl Strategy<Value = T>,
) -> impl Strategy<Value = Signal<T>> {
    prop_oneof![6 => told.prop_map(Signal::Told), 1 => Just(Signal::Silent), 1 => Just(Signal::Unasked)]
}

prop_compose! {
    fn any_queue()(visible in 0..400_u64, in_flight in 0..100_u64, delayed in 0..10_u64) -> Queue {
        Queue { visible, in_flight, delayed }
    }
}

prop_compose! {
    fn any_web()(held in 0..400_u64, wait in 0..25_000_u64, sent in 0..5_000_u64) -> Web {
        Web { held, oldest_wait: Duration::from_millis(wait), sent, finished: sent.saturating_sub(held) }
    }
}

prop_compose! {
    fn any_workers()(
        answering in 0..40_u32, busy in 0..40_u32, running in 0..200_u64,
        concurrency in prop::option::of(any_number(8)), finished in 0..5_000_u64, worked in 0..50_000_u64,
    ) -> Workers {
        Workers { answering, busy, running, concurrency, finished, worked: Duration::from_secs(worked) }
    }
}

prop_compose! {
    fn any_moment()(
        seconds in 1..20_i64, visits in any_signal(any_queue()), refreshes in any_signal(any_queue()),
        web in any_signal(any_web()), workers in any_signal(any_workers()), unready in 0..3_u32,
    ) -> Moment {
        (seconds, Sample { visits, refreshes, web, workers, pods: Pods::default() }, unready)
    }
}

/// Where a history leads: the last sample, and the window and time before it was seen.
struct Played {
    window: Window,
    now: Timestamp,
    sample: Sample,
}

/// Each decision is carried out before the next sample; `check` sees each of them.
fn play(
    limits: &Limits,
    history: &[Moment],
    mut check: impl FnMut(&Sample, u32) -> Outcome,
) -> Result<Played, TestCaseError> {
    let (mut window, mut now, mut replicas) = (Window::default(), Timestamp::UNIX_EPOCH, 0);
    let mut last = None;
    for (seconds, sample, unready) in history {
        now += Duration::from_secs(seconds.unsigned_abs());
        let pods = Pods { replicas, ready: replicas.saturating_sub(*unready), ..Pods::default() };
        let sample = Sample { pods, ..*sample };
        last = Some((window.clone(), sample));
        window = window.with(&sample, now);
        replicas = decide(limits, &window, &sample, now).replicas;
        check(&sample, replicas)?;
    }
    let (window, sample) = last.unwrap_or_default();
    Ok(Played { window, now, sample })
}

fn keeps_bounds(limits: &Limits, history: &[Moment]) -> Outcome {
    play(limits, history, |_, replicas| {
        prop_assert!((limits.min_replicas..=limits.max_replicas).contains(&replicas));
        Ok(())
    })
    .map(drop)
}

fn never_scales_in_on_missing_data(limits: &Limits, history: &[Moment]) -> Outcome {
    play(limits, history, |sample, replicas| {
        prop_assert!(!sample.has_gaps() || replicas >= sample.pods.replicas.min(limits.max_replicas));
        Ok(())
    })
    .map(drop)
}

fn leaves_no_message_waiting_at_zero(limits: &Limits, history: &[Moment]) -> Outcome {
    play(limits, history, |sample, replicas| {
        let waits = sample.queues().visible > 0 || sample.waiting_visits() > 0;
        prop_assert!(!(waits && sample.pods.replicas == 0) || replicas > 0);
        Ok(())
    })
    .map(drop)
}

/// More that waits or comes never gives fewer pods, whatever has been before.
fn is_monotone_in_load(limits: &Limits, history: &[Moment]) -> Outcome {
    let Played { window, now, sample } = play(limits, history, |_, _| Ok(()))?;
    let decided = |sample: &Sample| decide(limits, &window.clone().with(sample, now), sample, now).replicas;
    let few = decided(&sample);
    for more in [1, 7, 300] {
        for loaded in [with_waiting(sample, more), with_held(sample, more), with_sent(sample, more)] {
            prop_assert!(decided(&loaded) >= few, "{more} more: {few} -> {}", decided(&loaded));
        }
    }
    Ok(())
}

fn with_waiting(sample: Sample, more: u64) -> Sample {
    let Signal::Told(queue) = sample.visits else { return sample };
    Sample { visits: Signal::Told(Queue { visible: queue.visible + more, ..queue }), ..sample }
}

fn with_held(sample: Sample, more: u64) -> Sample {
    let Signal::Told(web) = sample.web else { return sample };
    let oldest_wait = web.oldest_wait + Duration::from_secs(more);
    Sample { web: Signal::Told(Web { held: web.held + more, oldest_wait, ..web }), ..sample }
}

fn with_sent(sample: Sample, more: u64) -> Sample {
    let Signal::Told(web) = sample.web else { return sample };
    Sample { web: Signal::Told(Web { sent: web.sent + more, ..web }), ..sample }
}

/// Under signals that stay as they are the number of pods comes to rest.
fn converges(limits: &Limits, history: &[Moment]) -> Outcome {
    let Some((_, last, _)) = history.last() else { return Ok(()) };
    let still: Vec<Moment> = std::iter::repeat_n((10, *last, 0), 200).collect();
    let whole = [history, &still].concat();
    let mut decisions = Vec::new();
    play(limits, &whole, |_, replicas| {
        decisions.push(replicas);
        Ok(())
    })?;
    let rest = &decisions[decisions.len() - 40..];
    prop_assert!(rest.iter().all(|replicas| *replicas == rest[0]), "{rest:?}");
    Ok(())
}

#[test]
fn bounds_are_kept() {
    hold(None, keeps_bounds);
}

#[test]
fn nobody_is_let_go_on_missing_data() {
    hold(None, never_scales_in_on_missing_data);
}

#[test]
fn one_message_is_never_left_waiting_at_zero() {
    hold(None, leaves_no_message_waiting_at_zero);
}

#[test]
fn more_load_never_means_fewer_pods() {
    hold(None, is_monotone_in_load);
}

#[test]
fn number_of_pods_comes_to_rest() {
    hold(None, converges);
}

#[test]
#[ignore = "long: a hundred thousand cases of each property, minutes"]
fn properties_hold_in_a_hundred_thousand_cases() {
    for property in [
        keeps_bounds,
        never_scales_in_on_missing_data,
        leaves_no_message_waiting_at_zero,
        is_monotone_in_load,
        converges,
    ] {
        hold(Some(MANY), property);
    }
}
