use pipeline::{
    embedded::{MemoryQueue, MemoryStore},
    job::Job,
};
use prometheus_client::registry::Registry;

use super::*;
use crate::policy::{Backoff, ErrorDisplay};

/// Holds whose jobs nobody takes.
struct Bench {
    holds: Arc<Holds>,
    queue: Arc<MemoryQueue>,
    refresh_queue: Arc<MemoryQueue>,
}

impl Bench {
    fn new() -> Self {
        let (queue, refresh_queue) = (Arc::new(MemoryQueue::new(100)), Arc::new(MemoryQueue::new(100)));
        let settings = HoldSettings {
            hold: Duration::from_secs(25),
            max_held: 10,
            max_held_of_tenant: 10,
            max_waits: 10,
            recheck: OnOff::On,
            reply_to: None,
            options: CompileOptions::default(),
        };
        let parts = HoldParts {
            files: Arc::new(Files::new(Arc::new(MemoryStore::default()))),
            queue: queue.clone(),
            refresh_queue: refresh_queue.clone(),
            fleet: Arc::new(Fleet::alone()),
            metrics: Arc::new(WebMetrics::register(&mut Registry::default())),
        };
        Self { holds: Arc::new(Holds::new(parts, settings)), queue, refresh_queue }
    }

    /// The jobs that were sent: for visits, and for refreshes.
    async fn jobs(&self) -> (usize, usize) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let take = async |queue: &MemoryQueue| {
            let taken = queue.receive(10, Duration::ZERO, Duration::from_hours(1)).await.unwrap();
            taken.iter().filter(|delivery| Job::from_message(&delivery.body).is_ok()).count()
        };
        (take(&self.queue).await, take(&self.refresh_queue).await)
    }
}

fn order(path: &str) -> Order {
    let tenant = Tenant::new(
        "shop.example".parse().unwrap(),
        "shop-g1".parse().unwrap(),
        "http://origin.example/".parse().unwrap(),
    );
    Order {
        key: Key {
            fingerprint: CompileOptions::default().fingerprint(),
            tenant_id: tenant.id.clone(),
            path: path.parse().unwrap(),
        },
        tenant: Arc::new(tenant),
        policy: Policy {
            errors: ErrorDisplay::Status,
            max_age: Duration::from_mins(5),
            max_stale: Duration::from_hours(24),
            backoff: Backoff::PRODUCTION,
            purged: None,
        },
        asked_at: Timestamp::now(),
        accepts: Accepts::Served,
        task: Task::Compile,
        purpose: Purpose::Visit,
        traceparent: None,
    }
}

#[tokio::test(start_paused = true)]
async fn visitor_never_waits_for_a_refreshs_job_and_a_refresh_needs_none_beside_a_visits() {
    let bench = Bench::new();
    bench.holds.refresh(order("/app.css"));
    bench.holds.refresh(order("/app.css"));
    assert_eq!(bench.jobs().await, (0, 1));
    assert!(!bench.holds.is_joined_by(&order("/app.css")));
    let holds = bench.holds.clone();
    let deadline = Instant::now() + holds.settings.hold;
    let visitor = tokio::spawn(async move { holds.wait(&order("/app.css"), deadline).await.map(drop) });
    assert_eq!(bench.jobs().await, (1, 0));
    bench.holds.refresh(order("/app.css"));
    assert!(bench.holds.is_joined_by(&order("/app.css")));
    assert_eq!(bench.jobs().await, (0, 0));
    assert_eq!(visitor.await.unwrap(), Err(HoldEnd::Deadline));
}

#[tokio::test(start_paused = true)]
async fn refreshes_beyond_their_places_are_left_to_later_visits_and_visitors_are_held_all_the_same() {
    let bench = Bench::new();
    let tenant = order("/app.css").key.tenant_id;
    let take = || bench.holds.refreshes.take(&tenant).unwrap();
    let places: Vec<_> = (0..MAX_REFRESHES_OF_TENANT).map(|_| take()).collect();
    assert!(bench.holds.refreshes.take(&"other-g1".parse().unwrap()).is_ok(), "half is left to the others");
    bench.holds.refresh(order("/app.css"));
    assert_eq!((bench.jobs().await, bench.holds.open()), ((0, 0), 0));
    let holds = bench.holds.clone();
    let deadline = Instant::now() + holds.settings.hold;
    let visitor = tokio::spawn(async move { holds.wait(&order("/app.css"), deadline).await.map(drop) });
    assert_eq!(bench.jobs().await, (1, 0));
    drop(places);
    bench.holds.refresh(order("/other.css"));
    assert_eq!(bench.jobs().await, (0, 1));
    visitor.abort();
}
