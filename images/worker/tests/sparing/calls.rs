//! How many calls of the queue a job costs.

use std::time::Duration;

use tokio::time::sleep;

use crate::bench::Bench;

const JOBS: u32 = 1_000;

/// Calls for each of many jobs that wait already, receiving, deleting and extending together.
async fn calls_per_job(concurrency: u16, milliseconds: u64) -> f64 {
    let bench = Bench::new(Duration::from_millis(8));
    for number in 0..JOBS {
        bench.send("shop", &number.to_string(), milliseconds).await;
    }
    let worker = bench.start(concurrency);
    while bench.begun().len() < JOBS as usize {
        sleep(Duration::from_millis(10)).await;
    }
    f64::from(worker.queue.calls() + worker.refresh_queue.calls()) / f64::from(JOBS)
}

#[tokio::test(start_paused = true)]
async fn short_job_of_a_standing_backlog_costs_a_quarter_of_a_call_at_most() {
    for concurrency in [1, 2, 32] {
        for milliseconds in [1, 5, 19] {
            let calls = calls_per_job(concurrency, milliseconds).await;
            assert!(
                (0.19..=0.25).contains(&calls),
                "{calls} calls per job of {milliseconds} ms at {concurrency} places"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn places_are_not_idle_for_the_sake_of_few_calls() {
    let bench = Bench::new(Duration::from_millis(8));
    for number in 0..JOBS {
        bench.send("shop", &number.to_string(), 19).await;
    }
    let started = tokio::time::Instant::now();
    bench.start(2);
    bench.until_done().await;
    let ideal = Duration::from_millis(19) * JOBS / 2;
    let took = started.elapsed();
    assert!(took < ideal * 11 / 10, "{took:?} instead of {ideal:?}");
}
