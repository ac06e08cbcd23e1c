//! What the decider is held to, trace by trace.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use simulate::{Comparison, Keda, KedaSettings, Ours, TRACES, Trace, compare, limits_for, run};

/// Of KEDA's backlog area, where a crowd comes.
const CROWD_SHARE: f64 = 0.25;
/// Of the worker-seconds of the best that knows no future, at the same waits.
const OVER_OPTIMUM: f64 = 1.3;

fn trace(name: &str) -> Trace {
    let (_, text) = TRACES.iter().find(|(known, _)| *known == name).unwrap();
    Trace::parse(text).unwrap()
}

/// The backlog area is at most this share of KEDA's, at no more worker-seconds.
fn check(name: &str, share: f64) {
    let comparison = compare(&trace(name));
    println!("{comparison}");
    let Comparison { ours, keda_mean, optimum, .. } = &comparison;
    let (ours, optimum) = (ours.figures, optimum.as_ref().unwrap().figures);
    assert!(ours.backlog_area <= share * keda_mean.backlog_area, "{comparison}");
    assert!(ours.worker_seconds <= keda_mean.worker_seconds, "{comparison}");
    assert!(ours.worker_seconds <= OVER_OPTIMUM * optimum.worker_seconds, "{comparison}");
}

#[test]
fn spike_from_zero_is_answered_at_once() {
    check("spike", CROWD_SHARE);
}

#[test]
fn step_is_answered_at_once() {
    check("step", CROWD_SHARE);
}

#[test]
fn flash_crowd_is_answered_at_once() {
    check("flash-crowd", CROWD_SHARE);
}

#[test]
fn steady_load_is_not_worse_served_than_by_keda() {
    check("steady", 1.0);
}

#[test]
fn sawtooth_is_not_worse_served_than_by_keda() {
    check("sawtooth", 1.0);
}

#[test]
fn days_are_not_worse_served_than_by_keda() {
    check("diurnal", 1.0);
}

#[test]
fn slow_origin_is_not_worse_served_than_by_keda() {
    check("slow-origin", 1.0);
}

#[test]
fn poison_flood_is_not_worse_served_than_by_keda() {
    check("poison-flood", 1.0);
}

#[test]
fn lost_zone_is_not_worse_served_than_by_keda() {
    check("zone-loss", 1.0);
}

#[test]
fn steady_load_changes_the_direction_at_most_once_in_five_minutes() {
    let steady = trace("steady");
    assert!(run(&steady, &mut Ours::new(&steady, limits_for(&steady))).figures.reversals <= 1);
    // Chance may still take one of many loads up and down again.
    let loads = (1..=8).flat_map(|seed| [2.0, 5.0, 9.0, 16.0, 25.0].map(|rate| (seed, rate)));
    let restless = loads.filter(|(seed, rate)| {
        let mut trace = trace("steady");
        trace.seed = *seed;
        trace.arrivals.iter_mut().for_each(|ramp| ramp.rate = (*rate, *rate));
        run(&trace, &mut Ours::new(&trace, limits_for(&trace))).figures.reversals > 1
    });
    assert!(restless.count() <= 2, "of forty");
}

/// Seconds from the messages to one pod and to ten, over all phases of KEDA's loops.
fn times_of_keda(polling_seconds: f64) -> Vec<(f64, f64)> {
    let mut trace = trace("spike");
    trace.workers.max = 10;
    // Fifty at once that nobody finishes meanwhile.
    trace.arrivals.iter_mut().for_each(|ramp| ramp.rate = (50.0, 50.0));
    trace.service_seconds = 300.0;
    let settings = KedaSettings { polling_seconds, ..KedaSettings::new(5) };
    let runs = settings.spread().map(|settings| run(&trace, &mut Keda::new(&trace, settings)));
    let reached = |moments: &[simulate::Moment], number| {
        moments.iter().find(|moment| moment.replicas >= number).unwrap().second - 60.0
    };
    runs.map(|run| (reached(&run.moments, 1), reached(&run.moments, 10))).collect()
}

/// KEDA 2.21 on a cluster: from 0 to 1 in 10 to 19 s and to 10 in 54 to 62 s with its defaults, and in 0.6 s and
/// 34 s where it looks each second.
#[test]
fn model_of_keda_takes_the_times_that_keda_took() {
    let (firsts, tenths): (Vec<_>, Vec<_>) = times_of_keda(30.0).into_iter().unzip();
    let spans = |times: &[f64], from, to| {
        times.iter().any(|time| *time <= from) && times.iter().any(|time| *time >= to)
    };
    assert!(spans(&firsts, 10.0, 19.0), "{firsts:?}");
    assert!(spans(&tenths, 54.0, 62.0), "{tenths:?}");
    let (firsts, tenths): (Vec<_>, Vec<_>) = times_of_keda(1.0).into_iter().unzip();
    assert!(firsts.iter().all(|time| *time <= 3.0), "{firsts:?}");
    assert!(spans(&tenths, 34.0, 34.0), "{tenths:?}");
}
