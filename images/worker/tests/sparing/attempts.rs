//! Jobs that fail, workers that fall, and messages that are handed back: what is tried again, and how often.

use std::{sync::atomic::Ordering, time::Duration};

use jiff::{SignedDuration, Timestamp};
use pipeline::{
    job::Job,
    manifest::Outcome,
    ports::{Depth, Queue, Store},
    record::read_manifest,
};
use tokio::time::sleep;

use crate::bench::{AtWork, Bench, Step, VISIBILITY, job};

const SECOND: Duration = Duration::from_secs(1);
const ATTEMPTS: usize = 5;

impl Bench {
    async fn send_job(&self, job: &Job) {
        self.queue.send(&job.to_message(), "shop-g1").await.unwrap();
    }

    /// Receives all that is there and hands it back, so many times.
    async fn hand_back(&self, times: u32) {
        for _ in 0..times {
            let taken = self.queue.receive(10, Duration::ZERO, VISIBILITY).await.unwrap();
            let changes: Vec<_> = taken.into_iter().map(|one| (one.receipt, Duration::ZERO)).collect();
            self.queue.change_visibility(&changes).await.unwrap();
        }
    }

    async fn outcome(&self, job: &Job) -> Option<Outcome> {
        let stored = read_manifest(&*self.store, &job.key()).await.unwrap();
        stored.map(|stored| stored.manifest.outcome)
    }

    /// Nothing is left but manifests.
    async fn assert_settled(&self) {
        assert_eq!(self.queue.depth().await.unwrap(), Depth::default());
        let names = self.store.inner.list("").await.unwrap();
        assert!(names.iter().all(|name| name.starts_with("a/")), "{names:?}");
        assert_eq!(self.queue.dead_letters(), Vec::<String>::new());
    }
}

fn is_abandoned(outcome: Option<Outcome>) -> bool {
    matches!(outcome, Some(Outcome::Abandoned { message }) if message.starts_with("5 attempts"))
}

#[tokio::test(start_paused = true)]
async fn job_that_always_fails_is_tried_five_times_with_growing_pauses_and_given_up() {
    let bench = Bench::new(Duration::ZERO);
    let broken = job("broken", "", 1);
    bench.send_job(&broken).await;
    bench.start(2);
    sleep(60 * SECOND).await;
    assert!(is_abandoned(bench.outcome(&broken).await));
    bench.assert_settled().await;
    let begun: Vec<_> = bench.begun().into_iter().map(|(at, _)| at).collect();
    let pauses: Vec<_> = begun.windows(2).map(|two| (two[1] - two[0]).as_secs_f64()).collect();
    assert_eq!(pauses.len(), ATTEMPTS - 1);
    for (pause, longest) in pauses.iter().zip([1.0, 2.0, 4.0, 8.0]) {
        assert!((longest / 2.0..longest + 0.5).contains(pause), "{pauses:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn hand_backs_are_no_attempts() {
    let bench = Bench::new(Duration::ZERO);
    let (good, broken) = (job("shop", "", 1), job("broken", "", 1));
    bench.send_job(&good).await;
    bench.send_job(&broken).await;
    bench.hand_back(50).await;
    bench.start(2);
    sleep(120 * SECOND).await;
    assert!(matches!(bench.outcome(&good).await, Some(Outcome::SourceNotFound { .. })));
    assert!(is_abandoned(bench.outcome(&broken).await));
    let tried = bench.begun().iter().filter(|(_, path)| path.contains("broken")).count();
    assert_eq!(tried, ATTEMPTS);
    bench.assert_settled().await;
}

#[tokio::test(start_paused = true)]
async fn job_that_takes_its_worker_down_each_time_is_given_up() {
    let bench = Bench::new(Duration::ZERO);
    let deadly = job("shop", "", 1_000);
    bench.send_job(&deadly).await;
    for fallen in 0..=ATTEMPTS {
        let worker = bench.start(2);
        while bench.begun().len() <= fallen {
            sleep(Duration::from_millis(10)).await;
        }
        worker.working.abort();
    }
    bench.start(2);
    sleep(VISIBILITY + SECOND).await;
    assert!(is_abandoned(bench.outcome(&deadly).await));
    // The first delivery is not known to have been begun.
    assert_eq!(bench.begun().len(), ATTEMPTS + 1);
    bench.assert_settled().await;
}

#[tokio::test(start_paused = true)]
async fn job_outlives_a_store_that_fails_for_minutes() {
    let bench = Bench::new(Duration::ZERO);
    bench.store.fails.store(true, Ordering::Relaxed);
    let patient = job("shop", "", 1);
    bench.send_job(&patient).await;
    let worker = bench.start(2);
    sleep(300 * SECOND).await;
    let tried = worker.queue.steps().iter().filter(|(_, _, step)| *step == Step::Received).count();
    assert!((8..20).contains(&tried), "tried {tried} times in five minutes");
    bench.store.fails.store(false, Ordering::Relaxed);
    sleep(40 * SECOND).await;
    assert!(matches!(bench.outcome(&patient).await, Some(Outcome::SourceNotFound { .. })));
    bench.assert_settled().await;
}

#[tokio::test(start_paused = true)]
async fn expired_job_is_dropped_unless_it_was_begun() {
    let bench = Bench::new(Duration::ZERO);
    let expires = Timestamp::now() - SignedDuration::from_secs(1);
    let unread = Job { expires, ..job("shop", "", 1) };
    let broken = job("broken", "", 1);
    let failed = Job { expires, ..broken.clone() };
    bench.send_job(&broken).await;
    let AtWork { working, .. } = bench.start(1);
    while bench.store.inner.list("n/").await.unwrap().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    working.abort();
    sleep(VISIBILITY).await;
    let left = bench.queue.receive(10, VISIBILITY, VISIBILITY).await.unwrap();
    bench.queue.delete(&left.into_iter().map(|one| one.receipt).collect::<Vec<_>>()).await.unwrap();
    bench.send_job(&unread).await;
    bench.send_job(&failed).await;
    bench.hand_back(3).await;
    let begun = bench.begun().len();
    bench.start(2);
    sleep(SECOND).await;
    assert_eq!(bench.outcome(&unread).await, None);
    assert!(matches!(bench.outcome(&failed).await, Some(Outcome::Abandoned { .. })));
    assert_eq!(bench.begun().len(), begun, "neither was begun");
    bench.assert_settled().await;
}

#[tokio::test(start_paused = true)]
async fn job_with_an_engine_that_this_build_does_not_know_is_left_to_others() {
    let bench = Bench::new(Duration::ZERO);
    let body = job("shop", "", 1).to_message();
    let newer = body.replace("\"Auto\"", "\"Newer\"");
    assert_ne!(body, newer);
    bench.queue.send(&newer, "shop-g1").await.unwrap();
    let worker = bench.start(2);
    sleep(30 * SECOND).await;
    let steps: Vec<_> = worker.queue.steps().into_iter().map(|(_, _, step)| step).collect();
    assert_eq!(steps, [Step::Received; 4], "every eight seconds");
    assert!(bench.begun().is_empty());
}

#[tokio::test(start_paused = true)]
async fn message_that_is_no_job_becomes_a_dead_letter_within_the_hour_for_which_it_is_kept() {
    let bench = Bench::new(Duration::ZERO);
    bench.queue.send("{}", "shop-g1").await.unwrap();
    bench.start(2);
    sleep(3_550 * SECOND).await;
    assert_eq!(bench.queue.dead_letters(), ["{}"]);
}
