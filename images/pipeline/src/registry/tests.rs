use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use bytes::Bytes;
use tokio::{
    task::JoinSet,
    time::{advance, sleep},
};

use super::*;
use crate::{
    embedded::MemoryStore,
    ports::{Condition, Object, PutOutcome},
};

fn registration(host: &str, version: u32) -> Registration {
    let tenant = Tenant {
        load_paths: vec!["/node_modules".to_owned()],
        ..Tenant::new(
            host.parse().unwrap(),
            "shop-g1".parse().unwrap(),
            "https://www.shop.example/".parse().unwrap(),
        )
    };
    Registration { version, owner: "o".to_owned(), label: "shop".to_owned(), generation: 1, tenant }
}

async fn registry_of(registrations: &[Registration]) -> StoreTenants {
    let store = MemoryStore::default();
    for registration in registrations {
        let body = Bytes::from(serde_json::to_vec(registration).unwrap());
        let name = registry_object(&registration.tenant.host);
        store.put(&name, body, Condition::IfAbsent).await.unwrap();
    }
    StoreTenants::new(Arc::new(store))
}

#[tokio::test]
async fn store_tenants_conforms() {
    let registrations = ["a.example", "b.example"].map(|host| registration(host, REGISTRATION_VERSION));
    let claimed =
        registrations.clone().map(|registration| (registration.tenant.host.clone(), registration.tenant));
    let unclaimed = ["c.example".parse().unwrap()];
    crate::conformance::tenants(&registry_of(&registrations).await, &claimed, &unclaimed).await;
}

#[tokio::test(start_paused = true)]
async fn hint_costs_one_read_of_each_host_that_it_names_and_no_known_tenant() {
    let store = Arc::new(Frail::default());
    for host in ["a.example", "b.example"] {
        let body = Bytes::from(serde_json::to_vec(&registration(host, REGISTRATION_VERSION)).unwrap());
        store.put(&registry_object(&host.parse().unwrap()), body, Condition::IfAbsent).await.unwrap();
    }
    let tenants = StoreTenants::new(store.clone());
    let [a, b]: [HostName; 2] = ["a.example", "b.example"].map(|host| host.parse().unwrap());
    let visit = async |hosts: &[&HostName]| {
        for host in hosts {
            assert!(tenants.lookup(host).await.unwrap().is_some());
        }
        store.reads()
    };
    assert_eq!(visit(&[&a, &b]).await, 2);
    assert_eq!(visit(&[&a, &b]).await, 0);
    for scope in [HintScope::Pipeline, HintScope::Hosts(vec!["c.example".parse().unwrap()])] {
        tenants.look_again(&scope).await;
        assert_eq!(visit(&[&a, &b]).await, 0);
    }
    tenants.look_again(&HintScope::Hosts(vec![a.clone()])).await;
    tenants.look_again(&HintScope::Hosts(vec![a.clone()])).await;
    assert_eq!(visit(&[&a, &b, &a]).await, 1);
    tenants.look_again(&HintScope::Hosts(vec![a.clone()])).await;
    store.is_broken.store(true, Ordering::Relaxed);
    assert_eq!(visit(&[&a, &a]).await, 1, "a known tenant was lost by a hint");
}

#[tokio::test]
async fn registration_of_another_version_is_an_error_and_not_nobody() {
    let tenants = registry_of(&[registration("a.example", REGISTRATION_VERSION + 1)]).await;
    let error = tenants.lookup(&"a.example".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(crate::chain(&error).contains("a.example"), "{}", crate::chain(&error));
}

/// A store that counts its reads, and can be broken or held up.
#[derive(Default)]
struct Frail {
    inner: MemoryStore,
    reads: AtomicU32,
    is_broken: AtomicBool,
    is_slow: AtomicBool,
}

impl Frail {
    fn reads(&self) -> u32 {
        self.reads.swap(0, Ordering::Relaxed)
    }
}

#[async_trait]
impl Store for Frail {
    async fn get(&self, name: &str) -> Result<Option<Object>, Error> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.is_slow.load(Ordering::Relaxed) {
            sleep(Duration::from_secs(15)).await;
        }
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Unavailable, format!("get {name}")));
        }
        self.inner.get(name).await
    }

    async fn put(&self, name: &str, body: Bytes, condition: Condition) -> Result<PutOutcome, Error> {
        self.inner.put(name, body, condition).await
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        self.inner.delete(name).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.inner.list(prefix).await
    }
}

/// A registry in which `a.example` is claimed.
async fn frail() -> (Arc<Frail>, Arc<StoreTenants>) {
    let store = Arc::new(Frail::default());
    let claimed = registration("a.example", REGISTRATION_VERSION);
    let body = Bytes::from(serde_json::to_vec(&claimed).unwrap());
    store.put("tenants/a.example.json", body, Condition::IfAbsent).await.unwrap();
    let tenants = Arc::new(StoreTenants::new(store.clone()));
    (store, tenants)
}

fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn crowd_costs_one_read_for_as_long_as_the_answer_is_true() {
    let (store, tenants) = frail().await;
    store.is_slow.store(true, Ordering::Relaxed);
    for (name, is_known) in [("a.example", true), ("nobody.example", false)] {
        let mut crowd = JoinSet::new();
        for _ in 0..1_000 {
            let tenants = tenants.clone();
            crowd.spawn(async move { tenants.lookup(&host(name)).await.unwrap().is_some() });
        }
        assert!(crowd.join_all().await.into_iter().all(|found| found == is_known));
        assert_eq!(store.reads(), 1, "{name}");
        advance(ANSWER_TIME).await;
        tenants.lookup(&host(name)).await.unwrap();
        assert_eq!(store.reads(), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn known_tenant_outlives_an_outage_of_the_store_for_a_while() {
    let (store, tenants) = frail().await;
    let a = host("a.example");
    let known = tenants.lookup(&a).await.unwrap();
    store.is_broken.store(true, Ordering::Relaxed);
    let mut passed = Duration::ZERO;
    while passed + ANSWER_TIME < KNOWN_TIME {
        advance(ANSWER_TIME).await;
        passed += ANSWER_TIME;
        assert_eq!(tenants.lookup(&a).await.unwrap(), known, "after {passed:?}");
    }
    assert!(tenants.stale_answers.get() > 100);
    assert!(tenants.lookup(&host("b.example")).await.is_err(), "a stranger was called nobody");
    advance(ANSWER_TIME).await;
    assert_eq!(tenants.lookup(&a).await.unwrap_err().kind, ErrorKind::Unavailable);
    store.is_broken.store(false, Ordering::Relaxed);
    assert!(tenants.lookup(&a).await.is_err(), "a failure was tried again at once");
    advance(FAILURE_TIME).await;
    assert_eq!(tenants.lookup(&a).await.unwrap(), known);
}

#[tokio::test(start_paused = true)]
async fn slow_store_keeps_nobody_of_a_known_tenant_waiting() {
    let (store, tenants) = frail().await;
    let a = host("a.example");
    let known = tenants.lookup(&a).await.unwrap();
    store.is_slow.store(true, Ordering::Relaxed);
    advance(ANSWER_TIME).await;
    let started = Instant::now();
    assert_eq!(tenants.lookup(&a).await.unwrap(), known);
    assert_eq!(started.elapsed(), KNOWN_PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn released_host_is_nobodys_as_soon_as_the_store_says_so() {
    let (store, tenants) = frail().await;
    let a = host("a.example");
    assert!(tenants.lookup(&a).await.unwrap().is_some());
    store.delete("tenants/a.example.json").await.unwrap();
    advance(ANSWER_TIME).await;
    assert_eq!(tenants.lookup(&a).await.unwrap(), None);
    store.is_broken.store(true, Ordering::Relaxed);
    advance(ANSWER_TIME).await;
    assert!(tenants.lookup(&a).await.is_err(), "a tenant that is gone came back");
}

#[tokio::test(start_paused = true)]
async fn strangers_are_limited_and_known_tenants_are_not() {
    let (store, tenants) = frail().await;
    let a = host("a.example");
    tenants.lookup(&a).await.unwrap();
    let burst = STRANGERS_AT_ONCE.get();
    for number in 1..burst {
        assert_eq!(tenants.lookup(&host(&format!("s{number}.example"))).await.unwrap(), None);
    }
    assert_eq!(store.reads(), burst);
    let refused = tenants.lookup(&host("late.example")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Throttled);
    assert!(refused.retry_after.is_some_and(|pause| pause <= Duration::from_secs(1)));
    assert_eq!((store.reads(), tenants.refusals.get()), (0, 1));
    // Known hosts are read anew all the same, and so is the stranger who comes again.
    advance(ANSWER_TIME).await;
    assert!(tenants.lookup(&a).await.unwrap().is_some());
    assert_eq!(tenants.lookup(&host("late.example")).await.unwrap(), None);
    assert_eq!(store.reads(), 2);
}
