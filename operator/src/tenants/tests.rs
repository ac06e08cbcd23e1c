use super::*;

const OWNER: &str = "assetpipeline/shop/storefront";

fn wanted(host: &str, origin: &str) -> WantedTenant {
    WantedTenant {
        host: host.parse().unwrap(),
        origin: origin.parse().unwrap(),
        load_paths: vec!["/node_modules".into()],
        development: false,
    }
}

fn stored(owner: &str, tenant: &WantedTenant) -> StoredRegistration {
    let registration = build_registration(owner, tenant, "tabc", 4).unwrap();
    StoredRegistration { registration, etag: ETag("\"1\"".into()) }
}

fn shop() -> WantedTenant {
    wanted("shop.example.com", "http://origin.example.com")
}

#[test]
fn settled_registry_needs_no_write() {
    let plan = plan_tenants(OWNER, &[shop()], &[stored(OWNER, &shop())], "random").unwrap();
    assert_eq!(plan.steps, []);
    assert_eq!(plan.registered, [(shop().host, "tabc-g4".parse().unwrap())]);
}

#[test]
fn new_host_is_claimed_under_a_label_of_its_own() {
    let blog = wanted("blog.example.com", "http://origin.example.com");
    let plan = plan_tenants(OWNER, &[shop(), blog], &[], "random").unwrap();
    assert_eq!(plan.steps.len(), 2);
    assert_ne!(plan.registered[0].1, plan.registered[1].1);
    let again = plan_tenants(OWNER, &[shop()], &[], "other").unwrap();
    assert_ne!(plan.registered[0].1, again.registered[0].1, "a host claimed anew must not get its old id");
}

#[test]
fn changed_sources_raise_the_generation_and_other_changes_do_not() {
    let moved = wanted("shop.example.com", "http://elsewhere.example.com");
    let repathed = WantedTenant { load_paths: vec![], ..shop() };
    let development = WantedTenant { development: true, ..shop() };
    for (tenant, id) in [(moved, "tabc-g5"), (repathed, "tabc-g5"), (development, "tabc-g4")] {
        let plan =
            plan_tenants(OWNER, std::slice::from_ref(&tenant), &[stored(OWNER, &shop())], "random").unwrap();
        assert_eq!(plan.registered, [(tenant.host, id.parse().unwrap())]);
        assert!(matches!(&plan.steps[..], [TenantStep::Update { .. }]));
    }
}

#[test]
fn host_of_another_owner_is_reported_and_left() {
    let plan =
        plan_tenants(OWNER, &[shop()], &[stored("assetpipeline/shop/other", &shop())], "random").unwrap();
    assert_eq!(plan.taken, [(shop().host, "assetpipeline/shop/other".to_owned())]);
    assert_eq!((plan.steps, plan.registered), (vec![], vec![]));
}

#[test]
fn dropped_tenants_are_removed_where_they_are_ours() {
    let blog = wanted("blog.example.com", "http://origin.example.com");
    let both = [stored(OWNER, &shop()), stored("assetpipeline/shop/other", &blog)];
    let plan = plan_tenants(OWNER, &[], &both, "random").unwrap();
    assert_eq!(plan.steps, [TenantStep::Remove(shop().host)]);
}
