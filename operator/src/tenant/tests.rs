//! Whole rounds against an API server and a bucket in memory.

use std::sync::Arc;

use crds::AssetPipeline;
use kube::runtime::{reflector, watcher::Event};
use pipeline::{
    options::Engine,
    ports::{Condition, Store},
    registry::read_registration,
    tenant::{Registration, Tenant, registry_object},
};
use serde_json::{Value, json};

use super::*;
use crate::{aws::Owner, pipeline::tests::cluster::FakeCluster};

const BUCKET: &str = "ap-shop-storefront-0123456789";

fn storefront() -> Value {
    json!({
        "apiVersion": "assetpipeline.dev/v1alpha1",
        "kind": "AssetPipeline",
        "metadata": {"name": "storefront", "namespace": "shop", "uid": "u-1", "generation": 1},
        "spec": {"notifications": {"endpoint": "https://hooks.example/work_complete"}},
        "status": {
            "bindings": {"bucket": BUCKET},
            "conditions": [{
                "type": "BindingsReady", "status": "True", "reason": "AsSpecified", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        },
    })
}

fn tenant(name: &str, hosts: &[&str]) -> Value {
    json!({
        "apiVersion": "assetpipeline.dev/v1alpha1",
        "kind": "AssetTenant",
        "metadata": {
            "name": name, "namespace": "shop", "uid": format!("u-{name}"), "generation": 1,
            "resourceVersion": "1",
        },
        "spec": {
            "pipelineRef": {"name": "storefront"}, "hosts": hosts, "origin": "https://www.shop.example",
        },
    })
}

struct Shop {
    cluster: FakeCluster,
    context: Arc<Context>,
}

impl Shop {
    /// A ready pipeline and no tenant.
    fn new() -> Self {
        let cluster = FakeCluster::with("assetpipelines/storefront", storefront());
        let context = Arc::new(cluster.context());
        Self { cluster, context }
    }

    fn add(&self, name: &str, hosts: &[&str]) {
        self.cluster.merge(&format!("assettenants/{name}"), &tenant(name, hosts));
    }

    fn change(&self, name: &str, spec: &Value) {
        let changed = json!({"metadata": {"generation": 2}, "spec": spec});
        self.cluster.merge(&format!("assettenants/{name}"), &changed);
    }

    async fn round(&self, name: &str) -> Result<Action, TenantError> {
        let object = serde_json::from_value(self.cluster.object(&format!("assettenants/{name}"))).unwrap();
        reconcile(Arc::new(DeserializeGuard(Ok(object))), Arc::clone(&self.context)).await
    }

    /// Rounds until one writes nothing; what they wrote in the cluster.
    async fn settle(&self, name: &str) -> Vec<String> {
        self.cluster.take_writes();
        let mut writes = Vec::new();
        for _ in 0..5 {
            self.round(name).await.unwrap();
        }
        writes.extend(self.cluster.take_writes().into_iter().filter(|write| !write.contains("events")));
        self.round(name).await.unwrap();
        assert_eq!(self.cluster.take_writes(), Vec::<String>::new(), "it does not come to rest");
        writes
    }

    /// Asks for its deletion, and lets it go through.
    async fn delete(&self, name: &str) {
        let going = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
        self.cluster.merge(&format!("assettenants/{name}"), &going);
        for _ in 0..3 {
            self.round(name).await.unwrap();
        }
        let finalizers = self.object(name)["metadata"]["finalizers"].clone();
        assert!(finalizers.is_null() || finalizers == json!([]), "{finalizers}");
        self.cluster.remove(&format!("assettenants/{name}"));
    }

    fn object(&self, name: &str) -> Value {
        self.cluster.object(&format!("assettenants/{name}"))
    }

    /// A condition as `status/reason`, and its message.
    fn condition(&self, name: &str, type_: &str) -> (String, String) {
        let conditions = self.object(name)["status"]["conditions"].clone();
        let found = conditions.as_array().unwrap().iter().find(|condition| condition["type"] == type_);
        let text = |field: &str| found.unwrap()[field].as_str().unwrap().to_owned();
        (format!("{}/{}", text("status"), text("reason")), text("message"))
    }

    async fn registration(&self, host: &str) -> Option<Registration> {
        read_registration(&*self.cluster.store(BUCKET), &host.parse().unwrap()).await.unwrap()
    }

    /// Everything that the bucket holds.
    async fn objects(&self) -> Vec<String> {
        self.cluster.store(BUCKET).list("").await.unwrap()
    }

    /// A registration of somebody else's.
    async fn claim(&self, host: &str, owner: &str) {
        let tenant = json!({"host": host, "id": "other-g1", "origin": "http://other.example"});
        let mut registration = json!({"version": 1, "owner": owner, "label": "other", "generation": 1});
        registration.as_object_mut().unwrap().extend(tenant.as_object().unwrap().clone());
        let body = serde_json::to_vec(&registration).unwrap().into();
        let name = registry_object(&host.parse().unwrap());
        self.cluster.store(BUCKET).put(&name, body, Condition::IfAbsent).await.unwrap();
    }
}

#[tokio::test]
async fn tenant_is_registered_under_all_its_hosts_with_one_id_and_then_left_alone() {
    let shop = Shop::new();
    shop.add("corner", &["corner.example", "www.corner.example"]);
    let writes = shop.settle("corner").await;
    assert_eq!(
        writes,
        [
            "PATCH assettenants/corner by assetpipeline-claim",
            "PATCH assettenants/corner/status by assetpipeline-status",
            "PATCH assettenants/corner/status by assetpipeline-status",
            "PATCH assettenants/corner/status by assetpipeline-status",
        ]
    );
    let mut ids = Vec::new();
    for host in ["corner.example", "www.corner.example"] {
        let registration = shop.registration(host).await.unwrap();
        assert_eq!((registration.owner.as_str(), registration.generation), ("assettenant/shop/corner", 1));
        assert_eq!(registration.tenant.origin.as_str(), "https://www.shop.example/");
        ids.push(registration.tenant.id.to_string());
    }
    let status = shop.object("corner")["status"].clone();
    assert_eq!(status["hosts"], json!(["corner.example", "www.corner.example"]));
    assert_eq!((&status["tenantId"], &ids[0]), (&json!(ids[1]), &ids[1]));
    assert_eq!((&status["bucket"], &status["observedGeneration"]), (&json!(BUCKET), &json!(1)));
    assert_eq!(shop.condition("corner", "Ready").0, "True/Registered");
    assert_eq!(shop.condition("corner", "Reconciling").0, "False/Registered");
    assert_eq!(shop.condition("corner", "Stalled").0, "False/NotStalled");
}

#[tokio::test]
async fn second_claimant_is_told_and_has_the_host_once_it_is_free() {
    let shop = Shop::new();
    shop.add("first", &["corner.example"]);
    shop.settle("first").await;
    shop.add("second", &["corner.example", "own.example"]);
    shop.settle("second").await;
    let (ready, message) = shop.condition("second", "Ready");
    assert_eq!(ready, "False/HostTaken");
    assert!(message.contains("corner.example by AssetTenant first; drop the host"), "{message}");
    assert_eq!(shop.condition("second", "Stalled").0, "True/HostTaken");
    // What nobody else has is served all the same.
    assert_eq!(shop.object("second")["status"]["hosts"], json!(["own.example"]));
    let first = shop.registration("corner.example").await.unwrap();
    assert_eq!(first.owner, "assettenant/shop/first");

    shop.delete("first").await;
    shop.settle("second").await;
    assert_eq!(shop.condition("second", "Ready").0, "True/Registered");
    let second = shop.registration("corner.example").await.unwrap();
    assert_eq!(second.owner, "assettenant/shop/second");
    assert_ne!(second.tenant.id, first.tenant.id, "the first one's files would be served");
}

#[tokio::test]
async fn other_owners_are_named_only_where_they_may_be() {
    let shop = Shop::new();
    let owners = [
        (
            "a.example",
            "assetpipeline/shop/storefront",
            "a.example by spec.tenants of AssetPipeline storefront",
        ),
        ("b.example", "assettenant/other/secret", "b.example by somebody else"),
        ("c.example", "api/customer-77", "c.example by somebody else"),
    ];
    for (host, owner, _) in owners {
        shop.claim(host, owner).await;
    }
    shop.add("corner", &["a.example", "b.example", "c.example", "hooks.example"]);
    shop.settle("corner").await;
    let (ready, message) = shop.condition("corner", "Ready");
    assert_eq!(ready, "False/HostTaken");
    for (_, _, told) in owners {
        assert!(message.contains(told), "{message}");
    }
    assert!(message.contains("hooks.example by the pipeline's spec.notifications.endpoint"), "{message}");
    for secret in ["secret", "customer-77"] {
        assert!(!message.contains(secret), "{message}");
    }
    assert_eq!(shop.registration("hooks.example").await, None);
}

#[tokio::test]
async fn dropped_host_is_released_and_a_moved_origin_raises_the_generation_of_all_hosts() {
    let shop = Shop::new();
    shop.add("corner", &["a.example", "b.example", "c.example"]);
    shop.settle("corner").await;
    let before = shop.registration("a.example").await.unwrap().tenant.id;
    let moved = json!({"hosts": ["a.example", "b.example"], "origin": "https://new.example"});
    shop.change("corner", &moved);
    shop.settle("corner").await;
    assert_eq!(shop.registration("c.example").await, None);
    let ids = [shop.registration("a.example").await, shop.registration("b.example").await];
    let ids = ids.map(|registration| registration.unwrap().tenant.id);
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], before);
    assert_eq!(shop.object("corner")["status"]["hosts"], json!(["a.example", "b.example"]));
}

#[tokio::test]
async fn deleted_tenant_takes_its_own_registrations_along_and_nobody_elses() {
    let shop = Shop::new();
    shop.claim("a.example", "api/customer-77").await;
    shop.add("corner", &["a.example", "b.example"]);
    shop.settle("corner").await;
    shop.delete("corner").await;
    assert_eq!(shop.objects().await, ["tenants/a.example.json"]);
}

#[tokio::test]
async fn tenant_without_a_pipeline_says_so_and_can_be_deleted() {
    let shop = Shop::new();
    shop.add("corner", &["a.example"]);
    shop.settle("corner").await;
    shop.cluster.remove("assetpipelines/storefront");
    shop.settle("corner").await;
    let (ready, message) = shop.condition("corner", "Ready");
    assert_eq!(ready, "False/PipelineNotFound");
    assert!(message.contains("no AssetPipeline storefront"), "{message}");
    assert_eq!(shop.object("corner")["status"]["hosts"], Value::Null);
    shop.delete("corner").await;
    assert_eq!(shop.objects().await.len(), 2, "a bucket that may be anybody's was written");
}

#[tokio::test]
async fn tenant_that_goes_after_its_pipeline_leaves_nothing_in_the_bucket_that_stayed() {
    let shop = Shop::new();
    shop.add("corner", &["a.example"]);
    shop.settle("corner").await;
    shop.cluster.remove("assetpipelines/storefront");
    shop.settle("corner").await;
    let owner = |name: &str| Owner { cluster: "east".into(), namespace: "shop".into(), name: name.into() };
    shop.cluster.tag_buckets(owner("blog").released_tags());
    shop.delete("corner").await;
    assert_eq!(shop.objects().await.len(), 2, "another pipeline's bucket was written");

    shop.cluster.merge("assetpipelines/storefront", &storefront());
    shop.add("corner", &["a.example"]);
    shop.settle("corner").await;
    shop.cluster.remove("assetpipelines/storefront");
    shop.settle("corner").await;
    shop.cluster.tag_buckets(owner("storefront").released_tags());
    shop.delete("corner").await;
    assert_eq!(shop.objects().await, Vec::<String>::new());
}

#[tokio::test]
async fn tenant_that_aws_keeps_says_how_it_goes_all_the_same() {
    let shop = Shop::new();
    shop.add("corner", &["a.example"]);
    shop.settle("corner").await;
    shop.cluster.remove("assetpipelines/storefront");
    shop.settle("corner").await;
    shop.cluster.fail_aws(503);
    let going = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
    shop.cluster.merge("assettenants/corner", &going);
    shop.round("corner").await.unwrap_err();
    let (ready, message) = shop.condition("corner", "Ready");
    assert_eq!(ready, "False/Deleting");
    for told in [BUCKET, "annotate this AssetTenant assetpipeline.dev/let-go=leave-everything-on-aws"] {
        assert!(message.contains(told), "{message}");
    }
    shop.cluster.take_notes();
    let wish = json!({"metadata": {"annotations": {"assetpipeline.dev/let-go": "leave-everything-on-aws"}}});
    shop.cluster.merge("assettenants/corner", &wish);
    shop.delete("corner").await;
    let notes = shop.cluster.take_notes();
    let told = format!("registration of a.example in bucket {BUCKET}");
    assert!(notes.iter().any(|note| note.contains(&told)), "{notes:?}");
    assert_eq!(shop.objects().await.len(), 2);
}

#[tokio::test]
async fn bucket_that_the_pipeline_may_not_use_is_none_for_its_tenants() {
    let shop = Shop::new();
    shop.add("corner", &["a.example"]);
    shop.settle("corner").await;
    let refused = json!({"status": {"conditions": [{
        "type": "BindingsReady", "status": "False", "reason": "AdoptionNotAllowed", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]}});
    shop.cluster.merge("assetpipelines/storefront", &refused);
    let before = shop.objects().await;
    shop.change("corner", &json!({"hosts": ["a.example", "b.example"]}));
    shop.settle("corner").await;
    assert_eq!(shop.condition("corner", "Ready").0, "False/PipelineNotReady");
    assert_eq!(shop.objects().await, before);

    // Somebody else's now: the registrations stay, and the tenant with them until somebody has acted.
    let owner = |name: &str| Owner { cluster: "east".into(), namespace: "shop".into(), name: name.into() };
    shop.cluster.tag_buckets(owner("blog").owned_tags());
    let going = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
    shop.cluster.merge("assettenants/corner", &going);
    assert!(matches!(shop.round("corner").await, Err(TenantError::Depart(_))));
    assert_eq!(shop.objects().await, before);
    let told = shop.condition("corner", "Ready").1;
    assert!(told.contains(BUCKET) && told.contains("BindingsReady"), "{told}");
    // The bucket is the pipeline's, and it is a queue that is refused.
    shop.cluster.tag_buckets(owner("storefront").adopted_tags());
    shop.delete("corner").await;
    assert_eq!(shop.objects().await, Vec::<String>::new());
}

#[tokio::test]
async fn tenant_waits_for_a_bucket_and_goes_on_when_there_is_one() {
    let shop = Shop::new();
    let nothing = json!({"status": {"bindings": null, "conditions": []}});
    shop.cluster.merge("assetpipelines/storefront", &nothing);
    shop.add("corner", &["a.example"]);
    shop.settle("corner").await;
    assert_eq!(shop.condition("corner", "Ready").0, "False/PipelineNotReady");
    assert_eq!(shop.condition("corner", "Reconciling").0, "True/PipelineNotReady");
    assert_eq!(shop.objects().await, Vec::<String>::new());
    shop.cluster.merge("assetpipelines/storefront", &storefront());
    shop.settle("corner").await;
    assert_eq!(shop.condition("corner", "Ready").0, "True/Registered");
    // The pipeline's trouble with AWS is not the tenant's.
    shop.cluster.merge("assetpipelines/storefront", &json!({"status": {"conditions": []}}));
    assert_eq!(shop.settle("corner").await, Vec::<String>::new());
}

#[tokio::test]
async fn changes_wait_while_the_pipeline_is_suspended_and_a_deletion_does_not() {
    let shop = Shop::new();
    shop.add("corner", &["a.example"]);
    shop.settle("corner").await;
    let suspend = |value: bool| json!({"spec": {"suspend": value}});
    shop.cluster.merge("assetpipelines/storefront", &suspend(true));
    assert_eq!(shop.settle("corner").await, Vec::<String>::new());
    assert_eq!(shop.condition("corner", "Ready").0, "True/Registered");

    let before = shop.objects().await;
    shop.change("corner", &json!({"hosts": ["a.example", "b.example"]}));
    shop.add("new", &["c.example"]);
    for name in ["corner", "new"] {
        shop.settle(name).await;
        let (ready, message) = shop.condition(name, "Ready");
        assert_eq!(ready, "False/PipelineSuspended");
        assert!(message.contains("until its spec.suspend is false"), "{message}");
    }
    assert_eq!(shop.objects().await, before);
    assert_eq!(shop.object("new")["metadata"]["finalizers"], Value::Null);

    shop.cluster.merge("assetpipelines/storefront", &suspend(false));
    for name in ["corner", "new"] {
        shop.settle(name).await;
        assert_eq!(shop.condition(name, "Ready").0, "True/Registered");
    }
    shop.cluster.merge("assetpipelines/storefront", &suspend(true));
    shop.delete("corner").await;
    shop.delete("new").await;
    assert_eq!(shop.objects().await, Vec::<String>::new());
}

#[tokio::test]
async fn invalid_spec_changes_nothing_but_the_status() {
    let shop = Shop::new();
    shop.add("corner", &["a.example"]);
    shop.settle("corner").await;
    let before = shop.registration("a.example").await;
    for (spec, field) in [
        (json!({"hosts": ["A.example"]}), "spec.hosts"),
        (json!({"hosts": ["10.0.0.1"]}), "spec.hosts"),
        (json!({"origin": "ftp://a"}), "spec.origin"),
        (json!({"limits": {"requestsPerSecond": 0}}), "spec.limits.requestsPerSecond"),
        (json!({"limits": null, "loadPaths": ["../x"]}), "spec.loadPaths"),
    ] {
        shop.cluster.merge("assettenants/corner", &tenant("corner", &["a.example"]));
        shop.change("corner", &spec);
        assert_eq!(shop.round("corner").await.unwrap(), Action::await_change());
        let (ready, message) = shop.condition("corner", "Ready");
        assert!(ready == "False/InvalidSpec" && message.starts_with(field), "{message}");
        assert_eq!(shop.condition("corner", "Stalled").0, "True/InvalidSpec");
        assert_eq!(shop.registration("a.example").await, before);
    }
}

#[tokio::test]
async fn limits_of_a_tenant_reach_its_registrations() {
    let shop = Shop::new();
    shop.add("corner", &["a.example"]);
    shop.change("corner", &json!({"limits": {"requestsPerSecond": 7}}));
    shop.settle("corner").await;
    let limits = shop.registration("a.example").await.unwrap().tenant.limits.unwrap();
    assert_eq!((limits.requests_per_second.get(), limits.misses_per_second.get()), (7, 200));
}

#[tokio::test]
async fn engine_of_a_tenant_reaches_its_registrations_and_leaves_its_id() {
    let shop = Shop::new();
    shop.add("corner", &["a.example"]);
    shop.settle("corner").await;
    let before = shop.registration("a.example").await.unwrap().tenant;
    shop.change("corner", &json!({"engine": "Grass"}));
    shop.settle("corner").await;
    let pinned = Tenant { engine: Some(Engine::Grass), ..before };
    assert_eq!(shop.registration("a.example").await.unwrap().tenant, pinned);
}

#[test]
fn only_news_of_their_own_pipeline_wake_tenants() {
    let (store, mut writer) = reflector::store();
    for (name, pipeline) in [("a", "storefront"), ("b", "storefront"), ("c", "other")] {
        let mut object = tenant(name, &["a.example"]);
        object["spec"]["pipelineRef"]["name"] = json!(pipeline);
        let object: AssetTenant = serde_json::from_value(object).unwrap();
        writer.apply_watcher_event(&Event::Apply(DeserializeGuard(Ok(object))));
    }
    let wakes = Wakes::new(store);
    let woken = |pipeline: Value| {
        let pipeline: AssetPipeline = serde_json::from_value(pipeline).unwrap();
        let mut names: Vec<String> =
            wakes.of(&DeserializeGuard(Ok(pipeline))).into_iter().map(|tenant| tenant.name).collect();
        names.sort();
        names
    };
    assert_eq!(woken(storefront()), ["a", "b"]);
    let mut busy = storefront();
    busy["status"]["queue"] = json!({"visible": 3, "inFlight": 1});
    assert_eq!(woken(busy), Vec::<String>::new());
    let mut going = storefront();
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(woken(going), ["a", "b"]);
    let mut suspended = storefront();
    suspended["spec"]["suspend"] = json!(true);
    assert_eq!(woken(suspended), ["a", "b"]);
    let mut elsewhere = storefront();
    elsewhere["metadata"]["namespace"] = json!("other");
    assert_eq!(woken(elsewhere), Vec::<String>::new());
}
