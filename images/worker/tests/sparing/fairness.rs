//! How long one tenant's jobs wait for another's: between sending and beginning.

use std::{collections::HashMap, ops::Range, time::Duration};

use pipeline::ports::Queue;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::time::{Instant, sleep};

use crate::bench::Bench;

const NOISE: u32 = 10_000;
/// What a job takes; 20 on the average.
const MILLISECONDS: Range<u64> = 10..31;
const WORKERS: usize = 4;

/// A fleet whose workers take some milliseconds for a call, and perhaps a tenant with very many messages.
async fn start(noise: u32, random: &mut StdRng) -> Bench {
    let bench = Bench::new(Duration::from_millis(8));
    for number in 0..noise {
        bench.send("noisy", &number.to_string(), random.random_range(MILLISECONDS)).await;
    }
    for _ in 0..WORKERS {
        bench.start(2);
    }
    sleep(Duration::from_secs(3)).await;
    bench
}

/// The 99th percentile of what a tenant's jobs wait for that are sent with this pause between them.
async fn p99(jobs: usize, pause: Duration, noise: u32) -> Duration {
    let mut random = StdRng::seed_from_u64(1);
    let bench = start(noise, &mut random).await;
    let mut sent = HashMap::new();
    for number in 0..jobs {
        let milliseconds = random.random_range(MILLISECONDS);
        sent.insert(format!("/quiet{number}-{milliseconds}.css"), Instant::now());
        bench.send("quiet", &number.to_string(), milliseconds).await;
        sleep(pause).await;
    }
    let left = bench.queue.depth().await.unwrap().visible;
    assert!(noise == 0 || left > 1_000, "the noise was over too early");
    sleep(Duration::from_secs(3)).await;
    let begun: HashMap<_, _> = bench.begun().into_iter().map(|(at, path)| (path, at)).collect();
    let mut waits: Vec<_> = sent.iter().map(|(path, sent)| *begun.get(path).unwrap() - *sent).collect();
    waits.sort();
    *waits.iter().rev().nth(jobs / 100).unwrap()
}

/// All style sheets of a site at once. What workers hold of the other tenant adds some 80 ms: a fifth of what a
/// hundred and fifty jobs wait for on eight places.
#[tokio::test(start_paused = true)]
async fn ten_thousand_messages_of_one_tenant_raise_anothers_p99_wait_by_a_fifth_at_most() {
    for jobs in [200, 400] {
        let alone = p99(jobs, Duration::ZERO, 0).await;
        let beside_noise = p99(jobs, Duration::ZERO, NOISE).await;
        assert!(beside_noise <= alone.mul_f64(1.2), "{beside_noise:?} instead of {alone:?} for {jobs} jobs");
        println!("{jobs} jobs: {alone:?} alone, {beside_noise:?} beside {NOISE} others");
    }
}

/// Nothing that runs is stopped, and a worker that holds messages ahead begins them first.
#[tokio::test(start_paused = true)]
async fn single_job_waits_for_no_more_of_ten_thousand_than_what_workers_hold() {
    let wait = p99(100, Duration::from_millis(100), NOISE).await;
    assert!(wait <= Duration::from_millis(200), "{wait:?}");
}
