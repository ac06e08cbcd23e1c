//! Workers that stop, and workers that are killed.

use std::time::Duration;

use pipeline::ports::{Depth, Queue};
use tokio::time::{Instant, sleep};

use crate::bench::{AtWork, Bench, Step, VISIBILITY};

/// A worker that has begun two long jobs and holds messages behind them.
async fn busy(bench: &Bench) -> AtWork {
    for number in 0..60 {
        bench.send("shop", &format!("short{number}"), 10).await;
    }
    let worker = bench.start(2);
    while bench.begun().len() < 40 {
        sleep(Duration::from_millis(1)).await;
    }
    for number in 0..9 {
        bench.send("shop", &format!("long{number}"), 5_000).await;
    }
    while bench.begun().iter().filter(|(_, path)| path.contains("long")).count() < 2 {
        sleep(Duration::from_millis(1)).await;
    }
    worker
}

#[tokio::test(start_paused = true)]
async fn stopping_worker_hands_back_at_once_what_it_has_not_begun_and_finishes_the_rest() {
    let bench = Bench::new(Duration::ZERO);
    let worker = busy(&bench).await;
    let before = worker.queue.steps();
    let stopped = Instant::now();
    worker.shutdown.cancel();
    sleep(Duration::from_millis(1)).await;
    let steps = worker.queue.steps();
    let back = steps[before.len()..].iter().filter(|(_, _, step)| *step == Step::HandedBack).count();
    assert!(back > 0, "it held nothing, so this test shows nothing");
    assert_eq!(bench.queue.depth().await.unwrap().visible, 7);
    // What had ended before is deleted a little later.
    sleep(Duration::from_millis(600)).await;
    let depth = bench.queue.depth().await.unwrap();
    assert_eq!((depth.visible, depth.in_flight), (7, 2), "only what runs stays invisible");
    worker.working.await.unwrap();
    let took = stopped.elapsed();
    assert!(took <= Duration::from_secs(5), "the jobs that ran were over after {took:?}");
    assert_eq!(bench.queue.depth().await.unwrap(), Depth { visible: 7, in_flight: 0, delayed: 0 });
    assert_eq!(bench.begun().len(), 62, "no job was begun meanwhile");
}

#[tokio::test(start_paused = true)]
async fn killed_workers_jobs_run_elsewhere_within_the_visibility_time() {
    for age in [0, 100, 2_500, 4_900] {
        let bench = Bench::new(Duration::ZERO);
        let worker = busy(&bench).await;
        sleep(Duration::from_millis(age)).await;
        let killed = Instant::now();
        worker.working.abort();
        sleep(Duration::from_millis(1)).await;
        bench.start(20);
        sleep(VISIBILITY + Duration::from_secs(6)).await;
        assert_eq!(bench.queue.depth().await.unwrap(), Depth::default());
        let begun = bench.begun();
        let again: Vec<_> = begun.iter().filter(|(at, _)| *at > killed).collect();
        let long = again.iter().filter(|(_, path)| path.contains("long")).count();
        assert_eq!((begun.len() - again.len(), long), (62, 9), "its two jobs run again, the others once");
        let latest = again.iter().map(|(at, _)| *at - killed).max().unwrap();
        assert!(latest <= VISIBILITY, "a job of the killed worker ran {latest:?} later");
    }
}
