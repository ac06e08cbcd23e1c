use pipeline::purge::{Purge, PurgeScope};

use super::*;

const OWNER: &str = "assetpipeline/shop/storefront";

fn wanted(host: &str, origin: &str) -> WantedTenant {
    WantedTenant {
        host: host.parse().unwrap(),
        origin: origin.parse().unwrap(),
        site_url: None,
        load_paths: vec!["/node_modules".into()],
        development: false,
        engine: None,
        limits: None,
    }
}

fn stored(owner: &str, tenant: &WantedTenant) -> StoredRegistration {
    let registration = build_registration(owner, tenant, "tabc", 4).unwrap();
    StoredRegistration { registration, etag: ETag("\"1\"".into()) }
}

/// What the owner's record and these registrations look like where the one tells of the others.
fn observed(stored: &[StoredRegistration]) -> ObservedRegistry {
    let ours = stored.iter().filter(|stored| stored.registration.owner == OWNER);
    let hosts: BTreeSet<HostName> = ours.map(|stored| stored.registration.tenant.host.clone()).collect();
    let claims = (!hosts.is_empty()).then(|| StoredClaims { hosts, etag: ETag("\"c\"".into()) });
    ObservedRegistry { claims, stored: stored.to_vec() }
}

fn plan(wanted: &[WantedTenant], stored: &[StoredRegistration], random: &str) -> TenantsPlan {
    plan_tenants(OWNER, Identity::EachItsOwn, wanted, &observed(stored), random).unwrap()
}

fn shop() -> WantedTenant {
    wanted("shop.example.com", "http://origin.example.com")
}

#[test]
fn settled_registry_needs_no_write() {
    let plan = plan(&[shop()], &[stored(OWNER, &shop())], "random");
    assert_eq!(plan.steps, []);
    assert_eq!(plan.registered, [(shop().host, "tabc-g4".parse().unwrap())]);
}

#[test]
fn new_host_is_recorded_and_then_claimed_under_a_label_of_its_own() {
    let blog = wanted("blog.example.com", "http://origin.example.com");
    let hosts = [shop().host, blog.host.clone()];
    let first = plan(&[shop(), blog], &[], "random");
    assert_eq!(first.steps[0], TenantStep::Record { claims: hosts.into(), etag: None });
    assert!(matches!(&first.steps[1..], [TenantStep::Claim(_), TenantStep::Claim(_)]));
    assert_ne!(first.registered[0].1, first.registered[1].1);
    let again = plan(&[shop()], &[], "other");
    assert_ne!(first.registered[0].1, again.registered[0].1, "a host claimed anew must not get its old id");
}

#[test]
fn changed_sources_raise_the_generation_and_other_changes_do_not() {
    let moved = wanted("shop.example.com", "http://elsewhere.example.com");
    let repathed = WantedTenant { load_paths: vec![], ..shop() };
    let development = WantedTenant { development: true, ..shop() };
    // It has files of its own by its fingerprint.
    let pinned = WantedTenant { engine: Some(Engine::Sasso), ..shop() };
    for (tenant, id) in
        [(moved, "tabc-g5"), (repathed, "tabc-g5"), (development, "tabc-g4"), (pinned, "tabc-g4")]
    {
        let plan = plan(std::slice::from_ref(&tenant), &[stored(OWNER, &shop())], "random");
        assert_eq!(plan.registered, [(tenant.host, id.parse().unwrap())]);
        assert!(matches!(&plan.steps[..], [TenantStep::Update { .. }]));
    }
}

#[test]
fn host_of_another_owner_is_reported_and_left() {
    let plan = plan(&[shop()], &[stored("assetpipeline/shop/other", &shop())], "random");
    assert_eq!(plan.taken, [(shop().host, "assetpipeline/shop/other".to_owned())]);
    // It stands in the record, so that a claim in another round would be remembered.
    let record = TenantStep::Record { claims: [shop().host].into(), etag: None };
    assert_eq!((plan.steps, plan.registered), (vec![record], vec![]));
}

#[test]
fn dropped_tenants_are_removed_where_they_are_ours_and_then_struck_from_the_record() {
    let blog = wanted("blog.example.com", "http://origin.example.com");
    let both = [stored(OWNER, &shop()), stored("assetpipeline/shop/other", &blog)];
    assert_eq!(
        plan(&[], &both, "random").steps,
        [TenantStep::Remove { host: shop().host, etag: both[0].etag.clone() }]
    );
    let struck = ObservedRegistry { stored: vec![], ..observed(&both) };
    let plan = plan_tenants(OWNER, Identity::EachItsOwn, &[], &struck, "random").unwrap();
    assert_eq!(plan.steps, [TenantStep::Forget]);
}

#[test]
fn hosts_of_one_site_share_one_id_through_every_change() {
    let www = WantedTenant { host: "www.example.com".parse().unwrap(), ..shop() };
    let shared = |wanted: &[WantedTenant], stored: &[StoredRegistration]| {
        plan_tenants(OWNER, Identity::Shared, wanted, &observed(stored), "random").unwrap()
    };
    let ids = |plan: &TenantsPlan| -> BTreeSet<TenantId> {
        plan.registered.iter().map(|(_, id)| id.clone()).collect()
    };
    let first = shared(&[shop(), www.clone()], &[]);
    assert_eq!((first.registered.len(), ids(&first).len()), (2, 1));
    // A host that comes later joins the others.
    let joined = shared(&[shop(), www.clone()], &[stored(OWNER, &shop())]);
    assert_eq!(ids(&joined), ["tabc-g4".parse().unwrap()].into());
    // A change of the origin that was carried out for one host only goes on where it stopped.
    let moved =
        |tenant: WantedTenant| WantedTenant { origin: "http://new.example.com".parse().unwrap(), ..tenant };
    let mut half = [stored(OWNER, &moved(shop())), stored(OWNER, &www)];
    half[0].registration = build_registration(OWNER, &moved(shop()), "tabc", 5).unwrap();
    assert_eq!(
        ids(&shared(&[moved(shop()), moved(www.clone())], &half)),
        ["tabc-g5".parse().unwrap()].into()
    );
    // And one that was taken back meanwhile never meets the files of the generation in between.
    assert_eq!(ids(&shared(&[shop(), www.clone()], &half)), ["tabc-g6".parse().unwrap()].into());
    // The host with the latest generation is let go of last.
    let dropped = shared(std::slice::from_ref(&www), &half);
    assert!(
        matches!(&dropped.steps[..], [TenantStep::Update { .. }, TenantStep::Remove { .. }]),
        "{dropped:?}"
    );
}

#[test]
fn purge_of_one_name_becomes_one_of_every_name_and_of_names_that_come_later() {
    let names = ["www", "static", "new"]
        .map(|name| WantedTenant { host: format!("{name}.example.com").parse().unwrap(), ..shop() });
    let purge =
        |second| Purge { scope: PurgeScope::Tenant, at: jiff::Timestamp::from_second(second).unwrap() };
    let mut known = [stored(OWNER, &names[0]), stored(OWNER, &names[1])];
    known[0].registration.tenant.purges.add(purge(1));
    known[1].registration.tenant.purges.add(purge(2));
    let plan = plan_tenants(OWNER, Identity::Shared, &names, &observed(&known), "random").unwrap();
    let written = plan.steps.iter().filter_map(|step| match step {
        TenantStep::Claim(registration) | TenantStep::Update { registration, .. } => {
            Some(registration.clone())
        }
        TenantStep::Record { .. } | TenantStep::Forget | TenantStep::Remove { .. } => None,
    });
    let written: Vec<_> = written.collect();
    let hosts: Vec<_> = written.iter().map(|registration| registration.tenant.host.as_str()).collect();
    assert_eq!(hosts, ["www.example.com", "new.example.com"], "the one that has the latest is left as it is");
    assert!(written.iter().all(|registration| registration.tenant.purges.records() == [purge(2)]));
    for (known, written) in known.iter_mut().zip(&written) {
        known.registration.tenant.purges = written.tenant.purges.clone();
    }
    let settled = plan_tenants(OWNER, Identity::Shared, &names[..2], &observed(&known), "random").unwrap();
    assert_eq!(settled.steps, []);
}

#[tokio::test]
async fn owner_is_seen_and_removed_without_a_look_at_anybody_else() {
    let store = pipeline::embedded::MemoryStore::default();
    let others = "assettenant/shop/other";
    let blog = wanted("blog.example.com", "http://origin.example.com");
    for (owner, tenant) in [(OWNER, shop()), (others, blog.clone())] {
        let nothing = ObservedRegistry::default();
        let plan = plan_tenants(owner, Identity::EachItsOwn, &[tenant], &nothing, owner).unwrap();
        apply_tenants(&store, owner, plan.steps).await.unwrap();
    }
    let observed = observe_registry(&store, OWNER, [shop().host]).await.unwrap();
    assert_eq!(observed.claims.as_ref().unwrap().hosts, [shop().host].into());
    assert_eq!(observed.stored.len(), 1);
    let settled = plan_tenants(OWNER, Identity::EachItsOwn, &[shop()], &observed, "x").unwrap();
    assert_eq!((settled.steps, settled.taken), (vec![], vec![]));
    // Who wants the other's host is told, and changes nothing.
    let observed = observe_registry(&store, OWNER, [shop().host, blog.host.clone()]).await.unwrap();
    let plan = plan_tenants(OWNER, Identity::EachItsOwn, &[shop(), blog.clone()], &observed, "x").unwrap();
    assert_eq!(plan.taken, [(blog.host, others.to_owned())]);
    let departure = plan_departure(OWNER, &observed);
    apply_tenants(&store, OWNER, departure).await.unwrap();
    assert_eq!(observe_registry(&store, OWNER, []).await.unwrap(), ObservedRegistry::default());
    let left = ["owners/assettenant/shop/other.json", "tenants/blog.example.com.json"];
    assert_eq!(store.list("").await.unwrap(), left);
}

#[tokio::test]
async fn lost_race_ends_the_round_before_anything_is_let_go() {
    let store = pipeline::embedded::MemoryStore::default();
    let both = [shop(), WantedTenant { host: "www.example.com".parse().unwrap(), ..shop() }];
    let first = plan_tenants(OWNER, Identity::Shared, &both, &ObservedRegistry::default(), "x").unwrap();
    apply_tenants(&store, OWNER, first.steps).await.unwrap();
    let observed = observe_registry(&store, OWNER, []).await.unwrap();
    let moved = WantedTenant { origin: "http://new.example.com".parse().unwrap(), ..both[0].clone() };
    let plan = plan_tenants(OWNER, Identity::Shared, &[moved], &observed, "x").unwrap();
    // Somebody writes the registration between the look and the writes.
    let name = registry_object(&both[0].host);
    let body = store.get(&name).await.unwrap().unwrap().body;
    store.put(&name, body, Condition::None).await.unwrap();
    apply_tenants(&store, OWNER, plan.steps).await.unwrap();
    assert_eq!(observe_registry(&store, OWNER, []).await.unwrap().stored.len(), 2);
}

#[test]
fn purges_outlive_every_change_of_their_tenant() {
    let mut known = stored(OWNER, &shop());
    let purge = Purge { scope: PurgeScope::Tenant, at: jiff::Timestamp::UNIX_EPOCH };
    known.registration.tenant.purges.add(purge);
    let settled = plan(&[shop()], std::slice::from_ref(&known), "random");
    assert_eq!(settled.steps, []);
    let moved = wanted("shop.example.com", "http://elsewhere.example.com");
    let plan = plan(&[moved], std::slice::from_ref(&known), "random");
    let [TenantStep::Update { registration, .. }] = &plan.steps[..] else { panic!("{:?}", plan.steps) };
    assert_eq!(registration.tenant.purges, known.registration.tenant.purges);
}
