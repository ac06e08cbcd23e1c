use pipeline::{
    embedded::MemoryStore,
    ports::Condition,
    purge::{Purges, read_pipeline_purge},
    registry::read_registration,
    tenant::{REGISTRATION_VERSION, Registration, registry_object},
};

use super::*;
use crate::tenants::{Identity, ObservedRegistry, WantedTenant, apply_tenants, plan_tenants};

fn now() -> Timestamp {
    Timestamp::from_second(1_000).unwrap()
}

fn annotations(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn told(id: &str) -> PurgeStatus {
    PurgeStatus { id: id.to_owned(), purged: Some("x".to_owned()), refused: None }
}

async fn store() -> MemoryStore {
    let store = MemoryStore::default();
    let tenant = Tenant::new(
        "shop.example".parse().unwrap(),
        "shop-g1".parse().unwrap(),
        "https://www.shop.example/site/".parse().unwrap(),
    );
    let name = registry_object(&tenant.host);
    let (owner, label) = ("o".to_owned(), "shop".to_owned());
    let registration = Registration { version: REGISTRATION_VERSION, owner, label, generation: 1, tenant };
    let body = serde_json::to_vec(&registration).unwrap();
    store.put(&name, body.into(), Condition::IfAbsent).await.unwrap();
    store
}

async fn carried_out(store: &MemoryStore, request: &str) -> PurgeStatus {
    let todo = vec![("1".to_owned(), request.to_owned())];
    apply_purges(store, "shop/storefront", todo, now()).await.statuses.remove(0)
}

#[test]
fn only_requests_whose_outcome_is_not_told_are_carried_out_and_the_others_removed() {
    let all = annotations(&[
        ("purge.assetpipeline.dev/a", "{}"),
        ("purge.assetpipeline.dev/b", "{\"host\":\"x\"}"),
        ("assetpipeline.dev/binding-suffix", "0123456789"),
    ]);
    let plan = plan_purges(&all, &[told("a"), told("z")]);
    assert_eq!(plan.done, ["purge.assetpipeline.dev/a"]);
    assert_eq!(plan.todo, [("b".to_owned(), "{\"host\":\"x\"}".to_owned())]);
    assert!(plan_purges(&annotations(&[("kubectl.kubernetes.io/x", "")]), &[]).is_empty());
}

#[test]
fn status_keeps_the_latest_outcomes() {
    let old: Vec<_> = (0..30).map(|id| told(&id.to_string())).collect();
    let merged = merge_statuses(&old, &[told("new"), told("29")]);
    let ids: Vec<_> = merged.iter().map(|status| status.id.as_str()).collect();
    assert_eq!((ids.len(), ids.first(), ids.last()), (18, Some(&"13"), Some(&"29")));
    assert_eq!(ids.iter().filter(|id| **id == "29").count(), 1);
}

#[tokio::test]
async fn requests_become_records_of_their_scope() {
    let cases = [
        (r#"{"host":"Shop.example:443"}"#, PurgeScope::Tenant, "every style sheet of shop.example"),
        (
            r#"{"host":"shop.example","path":"/app.css"}"#,
            PurgeScope::Path("/app.css".parse().unwrap()),
            "/app.css of shop.example",
        ),
        (
            r#"{"host":"shop.example","dependency":"/lib/_a b.scss"}"#,
            PurgeScope::Dependency("https://www.shop.example/site/lib/_a%20b.scss".to_owned()),
            "every style sheet of shop.example that is made with https://www.shop.example/site/lib/_a%20b.scss",
        ),
        (
            r#"{"host":"shop.example","dependency":"https://www.shop.example/site/x.scss"}"#,
            PurgeScope::Dependency("https://www.shop.example/site/x.scss".to_owned()),
            "every style sheet of shop.example that is made with https://www.shop.example/site/x.scss",
        ),
    ];
    for (request, scope, purged) in cases {
        let store = store().await;
        assert_eq!(carried_out(&store, request).await.purged.as_deref(), Some(purged));
        let stored = read_registration(&store, &"shop.example".parse().unwrap()).await.unwrap().unwrap();
        let mut expected = Purges::default();
        expected.add(Purge { scope, at: now() });
        assert_eq!(stored.tenant.purges, expected);
    }
    let store = store().await;
    carried_out(&store, "{}").await;
    assert_eq!(read_pipeline_purge(&store).await.unwrap(), Some(now()));
}

#[tokio::test]
async fn purge_by_one_host_reaches_every_host_of_its_tenant_and_nobody_else() {
    let store = MemoryStore::default();
    let wanted = |host: &str| WantedTenant {
        host: host.parse().unwrap(),
        origin: "https://www.shop.example/".parse().unwrap(),
        site_url: None,
        load_paths: Vec::new(),
        development: false,
        engine: None,
        limits: None,
    };
    for (owner, identity, hosts) in [
        ("assettenant/shop/site", Identity::Shared, ["a.example", "b.example"]),
        ("assetpipeline/shop/storefront", Identity::EachItsOwn, ["c.example", "d.example"]),
    ] {
        let wanted = hosts.map(wanted);
        let plan = plan_tenants(owner, identity, &wanted, &ObservedRegistry::default(), "random").unwrap();
        apply_tenants(&store, owner, plan.steps).await.unwrap();
    }
    for (request, purged) in [
        (r#"{"host":"b.example","path":"/app.css"}"#, [1, 1, 0, 0]),
        (r#"{"host":"c.example"}"#, [1, 1, 1, 0]),
    ] {
        assert!(carried_out(&store, request).await.purged.is_some());
        let mut known = Vec::new();
        for host in ["a.example", "b.example", "c.example", "d.example"] {
            let stored = read_registration(&store, &host.parse().unwrap()).await.unwrap().unwrap();
            known.push(stored.tenant.purges.len());
        }
        assert_eq!(known, purged);
    }
}

#[tokio::test]
async fn hints_name_everybody_whose_records_have_changed_and_nobody_else() {
    let store = store().await;
    let todo = |requests: &[&str]| -> Vec<_> {
        requests.iter().map(|request| ("1".to_owned(), (*request).to_owned())).collect()
    };
    let (shop, other) = (r#"{"host":"shop.example"}"#, r#"{"host":"other.example"}"#);
    let hosts = PurgeHint::new(HintScope::Hosts(vec!["shop.example".parse().unwrap()]));
    for (requests, hints) in [
        (vec![other, "nonsense"], vec![]),
        (vec![shop, shop, other], vec![hosts.clone()]),
        (vec!["{}", shop, "{}"], vec![PurgeHint::new(HintScope::Pipeline), hosts]),
    ] {
        let done = apply_purges(&store, "shop/storefront", todo(&requests), now()).await;
        assert_eq!(done.hints, hints, "{requests:?}");
    }
}

#[test]
fn no_hint_names_more_hosts_than_pods_take() {
    let hosts = (0..250).map(|host| format!("h{host}.example").parse().unwrap()).collect();
    let hints = build_hints(vec![Purgees::Hosts(hosts)]);
    let sizes: Vec<_> = hints
        .iter()
        .map(|hint| match &hint.scope {
            HintScope::Hosts(hosts) => hosts.len(),
            HintScope::Pipeline => 0,
        })
        .collect();
    assert_eq!(sizes, [100, 100, 50]);
}

#[tokio::test]
async fn wrong_requests_are_refused_with_what_is_wrong_and_write_nothing() {
    let store = store().await;
    for (request, expected) in [
        ("nonsense", "cannot be read"),
        (r#"{"hots":"shop.example"}"#, "hots"),
        (r#"{"host":"other.example"}"#, "no tenant of this pipeline has the host other.example"),
        (r#"{"host":"a b"}"#, "host name"),
        (r#"{"path":"/app.css"}"#, "needs its host"),
        (r#"{"host":"shop.example","path":"app.css"}"#, "not the path of a style sheet"),
        (r#"{"host":"shop.example","path":"/a.css","dependency":"/b"}"#, "not both"),
        (r#"{"host":"shop.example","dependency":"https://www.shop.example/sitex"}"#, "does not lie below"),
        (r#"{"host":"shop.example","dependency":"x.scss"}"#, "no URL"),
    ] {
        let status = carried_out(&store, request).await;
        let refused = status.refused.unwrap_or_else(|| panic!("{request} was carried out"));
        assert!(refused.contains(expected), "{request}: {refused}");
    }
    let stored = read_registration(&store, &"shop.example".parse().unwrap()).await.unwrap().unwrap();
    assert!(stored.tenant.purges.is_empty());
    assert_eq!(read_pipeline_purge(&store).await.unwrap(), None);
}
