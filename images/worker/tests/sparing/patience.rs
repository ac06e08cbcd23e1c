//! How long messages wait in one worker while another is idle.

use std::{collections::HashMap, time::Duration};

use proptest::prelude::*;
use tokio::time::{Instant, sleep};

use crate::bench::{AtWork, Bench, Step};

const LONGEST: Duration = Duration::from_millis(250);

/// The longest time for which each path's message lay in some worker without having been begun.
fn longest_waits(bench: &Bench, workers: &[AtWork]) -> HashMap<String, Duration> {
    let begun = bench.begun();
    let mut waits = HashMap::new();
    for worker in workers {
        let steps = worker.queue.steps();
        for (number, (received, path, step)) in steps.iter().enumerate() {
            if *step != Step::Received {
                continue;
            }
            let is_same = |(at, other, _): &&(Instant, String, Step)| other == path && at >= received;
            let back = steps.iter().skip(number + 1).find(is_same).map(|(at, ..)| *at);
            let begun = begun.iter().find(|(at, other)| other == path && at >= received).map(|(at, _)| *at);
            let until =
                [back, begun].into_iter().flatten().min().expect("a message is neither begun nor back");
            let wait: &mut Duration = waits.entry(path.clone()).or_default();
            *wait = (*wait).max(until - *received);
        }
    }
    waits
}

#[tokio::test(start_paused = true)]
async fn what_was_received_ahead_of_jobs_that_turn_out_long_goes_to_idle_workers() {
    let bench = Bench::new(Duration::from_millis(8));
    for number in 0..200 {
        bench.send("shop", &format!("short{number}"), 10).await;
    }
    let first = bench.start(2);
    while bench.begun().len() < 150 {
        sleep(Duration::from_millis(5)).await;
    }
    // They stand behind short ones, so that they are received ahead, and more short ones behind them.
    for number in 0..4 {
        bench.send("shop", &format!("long{number}"), 10_000).await;
    }
    for number in 0..30 {
        bench.send("shop", &format!("late{number}"), 10).await;
    }
    while bench.begun().iter().filter(|(_, path)| path.contains("long")).count() < 2 {
        sleep(Duration::from_millis(5)).await;
    }
    let stuck = Instant::now();
    let second = bench.start(6);
    sleep(Duration::from_secs(1)).await;
    let begun = bench.begun();
    let late: Vec<_> = begun.iter().filter(|(_, path)| path.contains("late")).collect();
    assert_eq!(late.len(), 30);
    assert!(late.iter().all(|(at, _)| *at - stuck < 2 * LONGEST), "short jobs wait behind long ones");
    let workers = [first, second];
    let back = workers[0].queue.steps().into_iter().filter(|(.., step)| *step == Step::HandedBack).count();
    assert!(back > 0, "nothing was received ahead, so this test shows nothing");
    let longest = longest_waits(&bench, &workers).into_values().max().unwrap();
    assert!(longest <= LONGEST, "a message waited for {longest:?} in one worker");
}

#[tokio::test(start_paused = true)]
async fn single_messages_go_to_whoever_is_idle() {
    let bench = Bench::new(Duration::from_millis(8));
    let workers = [bench.start(2), bench.start(2)];
    sleep(Duration::from_secs(1)).await;
    for number in 0..40 {
        let sent = Instant::now();
        bench.send("shop", &number.to_string(), 3_000).await;
        sleep(Duration::from_secs(1)).await;
        let (begun, _) = *bench.begun().last().unwrap();
        assert!(begun >= sent && begun - sent <= Duration::from_millis(20), "{number}: {:?}", begun - sent);
    }
    assert!(longest_waits(&bench, &workers).into_values().all(|wait| wait <= Duration::from_millis(1)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_message_waits_in_one_worker_for_long(
        jobs in proptest::collection::vec((0..60_u64, prop_oneof![6 => 1..25_u64, 2 => 50..400_u64, 1 => 1_000..9_000_u64]), 50..300),
        places in proptest::collection::vec(1..12_u16, 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new(Duration::from_millis(15));
            let workers: Vec<_> = places.iter().map(|places| bench.start(*places)).collect();
            for (number, (pause, milliseconds)) in jobs.iter().enumerate() {
                // One in three follows at once.
                sleep(Duration::from_millis(pause.saturating_sub(20))).await;
                bench.send("shop", &number.to_string(), *milliseconds).await;
            }
            bench.until_done().await;
            let mut names: Vec<_> = bench.begun().into_iter().map(|(_, path)| path).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), jobs.len());
            let longest = longest_waits(&bench, &workers).into_values().max().unwrap();
            assert!(longest <= LONGEST, "a message waited for {longest:?} in one worker");
        });
    }
}
