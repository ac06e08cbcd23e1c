//! Whole rounds against an API server in memory: what is written, and that nothing is where nothing changed.

mod cached;
pub(crate) mod cluster;

use std::sync::Arc;

use k8s_openapi::ByteString;
use pipeline::purge::{HintScope, PurgeHint, read_pipeline_purge};
use serde_json::{Value, json};

use self::{cached::hear, cluster::FakeCluster};
use super::*;
use crate::{
    aws::{
        ObservedBindings, Owner,
        bucket::{Encryption, FoundBucket, Lifecycle, ObservedBucket},
        queue::{FoundQueue, ObservedQueue},
        topic::{FoundTopic, ObservedTopic},
    },
    tenants::ObservedRegistry,
};

fn pipeline() -> Value {
    json!({
        "apiVersion": "assetpipeline.dev/v1alpha1",
        "kind": "AssetPipeline",
        "metadata": {
            "name": "storefront",
            "namespace": "shop",
            "uid": "u-1",
            "generation": 1,
            "resourceVersion": "1",
            "finalizers": ["assetpipeline.dev/bindings"],
            "annotations": {"assetpipeline.dev/binding-suffix": "0123456789"},
        },
        "spec": {"ingress": {}, "tenants": []},
    })
}

/// Bindings as the operator leaves them, with nothing to do.
fn settled_bindings(object: &AssetPipeline) -> ObservedBindings {
    let owner = Owner { cluster: "east".into(), namespace: "shop".into(), name: "storefront".into() };
    let names = observe::binding_names(object).unwrap();
    let queue = |name: &str, extra: &[(&str, &str)]| {
        let shared = [("ReceiveMessageWaitTimeSeconds", "20"), ("SqsManagedSseEnabled", "true")];
        let attributes =
            shared.iter().chain(extra).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let arn = format!("arn:aws:sqs:eu-west-1:1:{name}");
        ObservedQueue::Found(FoundQueue {
            url: format!("http://aws.test/1/{name}"),
            arn,
            attributes,
            tags: owner.owned_tags(),
        })
    };
    let redrive = format!(
        r#"{{"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:1:{}", "maxReceiveCount": 100}}"#,
        names.dead_letter_queue
    );
    let jobs =
        [("MessageRetentionPeriod", "3600"), ("VisibilityTimeout", "8"), ("RedrivePolicy", redrive.as_str())];
    ObservedBindings {
        bucket: ObservedBucket::Found(FoundBucket {
            tags: owner.owned_tags(),
            holds_objects: false,
            blocks_public_access: true,
            encryption: Encryption::S3,
            versioning: None,
            lifecycle: Lifecycle::fixture(30),
            policy: None,
        }),
        dead_letter_queue: queue(&names.dead_letter_queue, &[("MessageRetentionPeriod", "1209600")]),
        queue: queue(&names.queue, &jobs),
        refresh_queue: queue(&names.refresh_queue, &jobs),
        topic: ObservedTopic::Found(FoundTopic {
            arn: format!("arn:aws:sns:eu-west-1:1:{}", names.topic),
            attributes: [].into(),
            tags: owner.owned_tags(),
        }),
        subscriptions: vec![],
    }
}

/// One round on the object as the cluster has it now, without a call to AWS.
async fn round(cluster: &FakeCluster, context: &Arc<Context>) -> Result<Action, ReconcileError> {
    let object: AssetPipeline = serde_json::from_value(cluster.object("assetpipelines/storefront")).unwrap();
    context.settled.note(&object, &settled_bindings(&object), &ObservedRegistry::default());
    reconcile(Arc::new(DeserializeGuard(Ok(object))), Arc::clone(context)).await
}

/// A cluster in which the pipeline has been settled and its web pods are ready.
async fn settled() -> (FakeCluster, Arc<Context>) {
    let cluster = FakeCluster::with("assetpipelines/storefront", pipeline());
    let context = Arc::new(cluster.context());
    round(&cluster, &context).await.unwrap();
    let ready = json!({"observedGeneration": 1, "replicas": 3, "readyReplicas": 3, "updatedReplicas": 3});
    cluster.merge("deployments/storefront-web", &json!({"metadata": {"generation": 1}, "status": ready}));
    round(&cluster, &context).await.unwrap();
    cluster.take_writes();
    (cluster, context)
}

#[tokio::test]
async fn first_round_makes_every_child_and_tells_the_status() {
    let cluster = FakeCluster::with("assetpipelines/storefront", pipeline());
    let context = Arc::new(cluster.context());
    round(&cluster, &context).await.unwrap();
    let writes = cluster.take_writes();
    let writes: Vec<&str> =
        writes.iter().map(String::as_str).filter(|write| !write.contains("events")).collect();
    assert_eq!(
        writes,
        [
            "PATCH serviceaccounts/storefront-web by assetpipeline-operator",
            "PATCH serviceaccounts/storefront-worker by assetpipeline-operator",
            "PATCH secrets/storefront-notice-key by assetpipeline-operator",
            "PATCH configmaps/storefront-bindings by assetpipeline-operator",
            "PATCH services/storefront-peers by assetpipeline-operator",
            "PATCH services/storefront by assetpipeline-operator",
            "PATCH poddisruptionbudgets/storefront-web by assetpipeline-operator",
            "PATCH poddisruptionbudgets/storefront-worker by assetpipeline-operator",
            "PATCH networkpolicies/storefront-web by assetpipeline-operator",
            "PATCH networkpolicies/storefront-worker by assetpipeline-operator",
            "PATCH deployments/storefront-worker by assetpipeline-scaler",
            "PATCH deployments/storefront-worker by assetpipeline-operator",
            "PATCH deployments/storefront-web by assetpipeline-operator",
            "PATCH assetpipelines/storefront/status by assetpipeline-status",
        ]
    );
}

#[tokio::test]
async fn settled_pipeline_is_ready_and_left_alone() {
    let (cluster, context) = settled().await;
    let conditions = cluster.object("assetpipelines/storefront")["status"]["conditions"].clone();
    let ready = conditions.as_array().unwrap().iter().find(|condition| condition["type"] == "Ready").unwrap();
    assert_eq!(ready["status"], "True");
    round(&cluster, &context).await.unwrap();
    assert_eq!(cluster.take_writes(), Vec::<String>::new());
}

#[tokio::test]
async fn drift_is_corrected_by_one_write_and_told_by_none() {
    let (cluster, context) = settled().await;
    cluster.merge("services/storefront", &json!({"spec": {"type": "LoadBalancer"}}));
    round(&cluster, &context).await.unwrap();
    assert_eq!(cluster.take_writes(), ["PATCH services/storefront by assetpipeline-operator"]);
}

#[tokio::test]
async fn invalid_spec_changes_the_status_and_no_child() {
    let (cluster, context) = settled().await;
    let broken = json!({"metadata": {"generation": 2}, "spec": {"web": {"holdSeconds": 99, "replicas": 1}}});
    cluster.merge("assetpipelines/storefront", &broken);
    assert_eq!(round(&cluster, &context).await.unwrap(), Action::await_change());
    let writes = cluster.take_writes();
    assert_eq!(writes[0], "PATCH assetpipelines/storefront/status by assetpipeline-status");
    assert!(writes[1..].iter().all(|write| write == "POST events"), "{writes:?}");
}

#[tokio::test]
async fn refused_child_is_told_in_the_status_and_tried_again() {
    let (cluster, context) = settled().await;
    cluster.merge("services/storefront", &json!({"spec": {"type": "LoadBalancer"}}));
    cluster.refuse("services/storefront");
    let error = round(&cluster, &context).await.unwrap_err();
    assert!(matches!(error, ReconcileError::Apply(_)));
    let conditions = cluster.object("assetpipelines/storefront")["status"]["conditions"].clone();
    let ready = conditions.as_array().unwrap().iter().find(|condition| condition["type"] == "Ready").unwrap();
    assert_eq!(ready["reason"], "ApplyFailed");
    assert!(ready["message"].as_str().unwrap().contains("could not apply Service storefront"), "{ready}");
}

/// The condition of that type as the status tells it now.
fn condition(cluster: &FakeCluster, type_: &str) -> Value {
    let conditions = cluster.object("assetpipelines/storefront")["status"]["conditions"].clone();
    let found = conditions.as_array().unwrap().iter().find(|condition| condition["type"] == type_);
    found.unwrap().clone()
}

#[tokio::test]
async fn purge_is_carried_out_once_told_and_then_its_order_removed() {
    let (cluster, context) = settled().await;
    let orders =
        json!({"purge.assetpipeline.dev/1": "{}", "purge.assetpipeline.dev/2": "{\"host\":\"x.example\"}"});
    cluster.merge("assetpipelines/storefront", &json!({"metadata": {"annotations": orders}}));
    let store = cluster.store("ap-shop-storefront-0123456789");
    round(&cluster, &context).await.unwrap();
    let purged = read_pipeline_purge(&*store).await.unwrap();
    assert!(purged.is_some());
    assert_eq!(
        cluster.object("assetpipelines/storefront")["status"]["purges"],
        json!([
            {"id": "1", "purged": "every style sheet of the pipeline"},
            {"id": "2", "refused": "no tenant of this pipeline has the host x.example"},
        ])
    );
    assert_eq!(cluster.take_writes(), ["PATCH assetpipelines/storefront/status by assetpipeline-status"]);
    let told = cluster.take_hints().remove(0);
    assert_eq!(told.hints, [PurgeHint::new(HintScope::Pipeline)]);
    assert_eq!(told.target.peers_host, "storefront-peers.shop.svc.cluster.local");
    // As the API server keeps it: in Base64.
    let secret = cluster.object("secrets/storefront-notice-key");
    let keys = serde_json::to_value(ByteString(told.target.keys.into_bytes())).unwrap();
    assert_eq!(secret["data"]["keys"], keys);
    round(&cluster, &context).await.unwrap();
    let left = cluster.object("assetpipelines/storefront")["metadata"]["annotations"].clone();
    assert_eq!(left, json!({"assetpipeline.dev/binding-suffix": "0123456789"}));
    assert_eq!(cluster.take_writes(), ["PATCH assetpipelines/storefront"]);
    round(&cluster, &context).await.unwrap();
    assert_eq!(cluster.take_writes(), Vec::<String>::new());
    assert_eq!(read_pipeline_purge(&*store).await.unwrap(), purged, "it was carried out again");
    assert!(cluster.take_hints().is_empty(), "web pods were told again");
}

#[tokio::test]
async fn secrets_that_the_spec_names_are_told_until_they_are_there() {
    let (cluster, context) = settled().await;
    let spec =
        json!({"aws": {"credentialsSecretName": "aws"}, "originCredentials": {"secretName": "tokens"}});
    cluster.merge("assetpipelines/storefront", &json!({"spec": spec}));
    for (there, missing) in
        [(None, vec!["aws", "tokens"]), (Some("aws"), vec!["tokens"]), (Some("tokens"), vec![])]
    {
        if let Some(name) = there {
            let secret = json!({"metadata": {"name": name, "namespace": "shop"}, "data": {}});
            cluster.merge(&format!("secrets/{name}"), &secret);
        }
        round(&cluster, &context).await.unwrap();
        let told = condition(&cluster, "CredentialsReady");
        assert_eq!(told["reason"], if missing.is_empty() { "AsSpecified" } else { "SecretMissing" });
        for name in ["aws", "tokens"] {
            let is_told = told["message"].as_str().unwrap().contains(&format!("no Secret {name},"));
            assert_eq!(is_told, missing.contains(&name), "{told}");
        }
    }
}

#[tokio::test]
async fn objects_of_others_are_left_alone_and_told() {
    for (key, told) in [
        ("serviceaccounts/storefront-web", "ServiceAccount storefront-web"),
        ("serviceaccounts/storefront-worker", "ServiceAccount storefront-worker"),
        ("secrets/storefront-notice-key", "Secret storefront-notice-key"),
        ("configmaps/storefront-bindings", "ConfigMap storefront-bindings"),
        ("services/storefront-peers", "Service storefront-peers"),
        ("services/storefront", "Service storefront"),
        ("poddisruptionbudgets/storefront-web", "PodDisruptionBudget storefront-web"),
        ("poddisruptionbudgets/storefront-worker", "PodDisruptionBudget storefront-worker"),
        ("networkpolicies/storefront-web", "NetworkPolicy storefront-web"),
        ("networkpolicies/storefront-worker", "NetworkPolicy storefront-worker"),
        ("deployments/storefront-worker", "Deployment storefront-worker"),
        ("deployments/storefront-web", "Deployment storefront-web"),
    ] {
        let name = key.split_once('/').unwrap().1;
        // Read by name, and not heard of.
        for is_listed in [false, true] {
            let cluster = FakeCluster::with("assetpipelines/storefront", pipeline());
            cluster.merge(key, &json!({"metadata": {"name": name, "uid": "u-9", "namespace": "shop"}}));
            let before = cluster.object(key);
            let context = Arc::new(cluster.context());
            if is_listed {
                hear(&FakeCluster::default(), &context);
            }
            round(&cluster, &context).await.unwrap();
            assert_eq!(cluster.object(key), before);
            assert!(!cluster.take_writes().iter().any(|write| write.contains(&format!("{key} "))), "{key}");
            for type_ in ["Ready", "Stalled"] {
                let condition = condition(&cluster, type_);
                assert_eq!(condition["reason"], "ForeignResource", "{condition}");
                let message = condition["message"].as_str().unwrap();
                assert!(message.contains(told) && message.contains("rename the pipeline"), "{message}");
            }
        }
    }
}

#[tokio::test]
async fn pods_do_not_run_under_an_identity_or_a_key_of_others() {
    let cases = [
        ("serviceaccounts/storefront-web", vec!["storefront-web"]),
        ("serviceaccounts/storefront-worker", vec!["storefront-worker"]),
        ("secrets/storefront-notice-key", vec!["storefront-web", "storefront-worker"]),
    ];
    for ((key, held), is_listed) in cases.iter().flat_map(|case| [(case, false), (case, true)]) {
        let cluster = FakeCluster::with("assetpipelines/storefront", pipeline());
        cluster.merge(key, &json!({"metadata": {"name": key.split_once('/').unwrap().1}}));
        let context = Arc::new(cluster.context());
        if is_listed {
            hear(&FakeCluster::default(), &context);
        }
        round(&cluster, &context).await.unwrap();
        for tier in &["storefront-web", "storefront-worker"] {
            assert_eq!(cluster.has(&format!("deployments/{tier}")), !held.contains(tier), "{key} {tier}");
        }
    }
}

#[tokio::test]
async fn ingress_of_others_outlives_a_spec_without_one() {
    let (cluster, context) = settled().await;
    let ingress = json!({"metadata": {"name": "storefront", "namespace": "shop"}, "spec": {}});
    cluster.merge("ingresses/storefront", &ingress);
    cluster.merge("assetpipelines/storefront", &json!({"spec": {"ingress": null}}));
    round(&cluster, &context).await.unwrap();
    assert_eq!(cluster.object("ingresses/storefront"), ingress);
    // Of the Ingress, nothing is told any more.
    assert_eq!(cluster.take_writes(), ["PATCH assetpipelines/storefront/status by assetpipeline-status"]);
}

#[tokio::test]
async fn removal_takes_our_deployments_and_passes_over_those_of_others() {
    let (cluster, context) = settled().await;
    let others = json!({"metadata": {"ownerReferences": []}});
    cluster.merge("deployments/storefront-web", &others);
    let going = json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "annotations": null});
    // What is suspended goes as ever.
    let going = json!({"metadata": going, "spec": {"suspend": true}, "status": null});
    cluster.merge("assetpipelines/storefront", &going);
    for _ in 0..2 {
        let object = serde_json::from_value(cluster.object("assetpipelines/storefront")).unwrap();
        reconcile(Arc::new(DeserializeGuard(Ok(object))), Arc::clone(&context)).await.unwrap();
    }
    assert!(!cluster.has("deployments/storefront-worker"));
    assert!(cluster.has("deployments/storefront-web"));
    assert_eq!(cluster.object("assetpipelines/storefront")["metadata"]["finalizers"], json!([]));
}

/// A pipeline that goes, whose pods are gone, while AWS lets nothing be seen.
fn going_without_aws() -> (FakeCluster, Arc<Context>) {
    let mut object = pipeline();
    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    object["status"] = json!({"bindings": {"topicArn": "arn:aws:sns:eu-west-1:123456789012:t"}});
    let cluster = FakeCluster::with("assetpipelines/storefront", object);
    cluster.fail_aws(403);
    let context = Arc::new(cluster.context());
    (cluster, context)
}

#[tokio::test]
async fn pipeline_that_aws_keeps_says_so_and_goes_once_it_is_let_go_in_the_very_words() {
    let (cluster, context) = going_without_aws();
    for annotations in [json!({}), json!({"assetpipeline.dev/let-go": "true"})] {
        cluster.merge("assetpipelines/storefront", &json!({"metadata": {"annotations": annotations}}));
        let error = round(&cluster, &context).await.unwrap_err();
        assert!(matches!(error, ReconcileError::Finalize(_)), "{error}");
        let blocked = condition(&cluster, "DeletionBlocked");
        assert_eq!((&blocked["status"], &blocked["reason"]), (&json!("True"), &json!("AwsDenied")));
        let message = blocked["message"].as_str().unwrap();
        for told in [
            "look at bucket ap-shop-storefront-0123456789",
            "annotate it assetpipeline.dev/let-go=leave-everything-on-aws",
        ] {
            assert!(message.contains(told), "{message}");
        }
    }
    let finalizers =
        |cluster: &FakeCluster| cluster.object("assetpipelines/storefront")["metadata"]["finalizers"].clone();
    assert_eq!(finalizers(&cluster), json!(["assetpipeline.dev/bindings"]));
    cluster.take_notes();

    let annotations = json!({"assetpipeline.dev/let-go": "leave-everything-on-aws"});
    cluster.merge("assetpipelines/storefront", &json!({"metadata": {"annotations": annotations}}));
    assert_eq!(round(&cluster, &context).await.unwrap(), Action::await_change());
    assert_eq!(finalizers(&cluster), json!([]));
    let notes = cluster.take_notes();
    assert_eq!(notes.len(), 1, "{notes:?}");
    for (service, end) in [("s3", ""), ("sqs", ""), ("sqs", "-refresh"), ("sqs", "-dead"), ("sns", "")] {
        let place = if service == "s3" { "::" } else { "eu-west-1:123456789012:" };
        let arn = format!("arn:aws:{service}:{place}ap-shop-storefront-0123456789{end})");
        assert!(notes[0].contains(&arn), "{arn} is not in {notes:?}");
    }
}

/// One round in which AWS is looked at, unless the pace forbids it.
async fn look(cluster: &FakeCluster, context: &Arc<Context>) -> usize {
    let object: AssetPipeline = serde_json::from_value(cluster.object("assetpipelines/storefront")).unwrap();
    context.settled.forget(&object);
    reconcile(Arc::new(DeserializeGuard(Ok(object))), Arc::clone(context)).await.unwrap();
    cluster.take_aws_calls()
}

#[tokio::test]
async fn throttled_pipeline_waits_whatever_wakes_it_but_a_change_of_its_spec() {
    let (cluster, context) = settled().await;
    cluster.throttle_aws();
    // A HEAD, and since its answer says nothing, another call.
    assert_eq!(look(&cluster, &context).await, 2);
    let bindings = condition(&cluster, "BindingsReady");
    assert_eq!(bindings["reason"], "AwsThrottled");
    assert!(bindings["message"].as_str().unwrap().contains("SlowDown"), "{bindings}");
    cluster.take_writes();
    // As when a pod comes or goes: no call, and the status stands.
    assert_eq!(look(&cluster, &context).await, 0);
    assert_eq!((cluster.take_writes(), context.metrics.aws_throttled.get()), (vec![], 1));
    cluster.merge("assetpipelines/storefront", &json!({"metadata": {"generation": 2}}));
    assert_eq!(look(&cluster, &context).await, 2);
    assert_eq!(context.metrics.aws_throttled.get(), 2);
    assert_eq!(look(&cluster, &context).await, 0);
    let order = json!({"metadata": {"annotations": {"purge.assetpipeline.dev/1": "{}"}}});
    cluster.merge("assetpipelines/storefront", &order);
    assert_eq!(look(&cluster, &context).await, 2, "who orders a purge waits for it");
    // What a round finds settled ends the row.
    round(&cluster, &context).await.unwrap();
    assert_eq!(condition(&cluster, "BindingsReady")["reason"], "AsSpecified");
    assert_eq!(look(&cluster, &context).await, 2);
}

#[tokio::test]
async fn status_tells_how_often_drift_is_looked_for() {
    let (cluster, context) = settled().await;
    let told =
        || cluster.object("assetpipelines/storefront")["status"]["bindings"]["driftIntervalSeconds"].clone();
    assert_eq!(told(), json!(300));
    // One call a second.
    context.pace.count_by(|| 100);
    round(&cluster, &context).await.unwrap();
    assert_eq!(told(), json!(2_100));
    cluster.take_writes();
    // That AWS asks for fewer for a while is no news for every pipeline.
    context.pace.cut();
    round(&cluster, &context).await.unwrap();
    assert_eq!((told(), cluster.take_writes()), (json!(2_100), vec![]));
    assert_eq!(context.metrics.drift_interval_seconds.get(), 4_200);
}

#[tokio::test]
async fn pods_end_though_aws_lets_nothing_be_seen() {
    let (cluster, context) = settled().await;
    cluster.fail_aws(503);
    let going = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
    cluster.merge("assetpipelines/storefront", &going);
    for gone in ["deployments/storefront-web", "deployments/storefront-worker"] {
        assert!(cluster.has(gone), "{gone}");
        round(&cluster, &context).await.unwrap();
        assert!(!cluster.has(gone), "{gone}");
    }
    assert_eq!(condition(&cluster, "Ready")["reason"], "Deleting");
    round(&cluster, &context).await.unwrap_err();
    assert_eq!(condition(&cluster, "DeletionBlocked")["reason"], "AwsUnavailable");
}

#[tokio::test]
async fn suspended_pipeline_is_told_and_changed_only_once_it_goes_on() {
    let (cluster, context) = settled().await;
    let annotations = json!({"purge.assetpipeline.dev/1": "{}", "assetpipeline.dev/rotate-notice-key": "2"});
    let spec = json!({"suspend": true, "web": {"replicas": 5, "holdSeconds": 25}, "ingress": null});
    let metadata = json!({"generation": 2, "annotations": annotations});
    cluster.merge("assetpipelines/storefront", &json!({"metadata": metadata, "spec": spec}));
    cluster.merge("services/storefront", &json!({"spec": {"type": "LoadBalancer"}}));
    round(&cluster, &context).await.unwrap();
    let told = "PATCH assetpipelines/storefront/status by assetpipeline-status";
    assert_eq!(cluster.take_writes(), [told, "POST events"]);
    assert_eq!(condition(&cluster, "Suspended")["reason"], "Suspended");
    assert_eq!(condition(&cluster, "Ready")["status"], "True");
    round(&cluster, &context).await.unwrap();
    assert_eq!(cluster.take_writes(), Vec::<String>::new());

    let resumed = json!({"metadata": {"generation": 3}, "spec": {"suspend": false}});
    cluster.merge("assetpipelines/storefront", &resumed);
    round(&cluster, &context).await.unwrap();
    let writes = cluster.take_writes();
    for written in
        ["services/storefront ", "deployments/storefront-web ", "assetpipelines/storefront/status "]
    {
        assert!(writes.iter().any(|write| write.contains(written)), "{written} in {writes:?}");
    }
    assert_eq!(cluster.object("assetpipelines/storefront")["status"]["purges"][0]["id"], "1");
}

#[tokio::test]
async fn pipeline_that_is_suspended_from_the_start_claims_nothing() {
    let mut bare = pipeline();
    bare["metadata"]["finalizers"] = json!([]);
    bare["metadata"]["annotations"] = json!({});
    bare["spec"]["suspend"] = json!(true);
    let cluster = FakeCluster::with("assetpipelines/storefront", bare);
    let context = Arc::new(cluster.context());
    let object: AssetPipeline = serde_json::from_value(cluster.object("assetpipelines/storefront")).unwrap();
    reconcile(Arc::new(DeserializeGuard(Ok(object))), context).await.unwrap();
    let told = "PATCH assetpipelines/storefront/status by assetpipeline-status";
    assert_eq!(cluster.take_writes(), [told, "POST events"]);
    assert_eq!(condition(&cluster, "Ready")["status"], "False");
}

#[tokio::test]
async fn unclaimed_pipeline_gets_its_names_before_anything_else() {
    let mut bare = pipeline();
    bare["metadata"]["finalizers"] = json!([]);
    bare["metadata"]["annotations"] = json!({});
    let cluster = FakeCluster::with("assetpipelines/storefront", bare);
    let context = Arc::new(cluster.context());
    let object: AssetPipeline = serde_json::from_value(cluster.object("assetpipelines/storefront")).unwrap();
    reconcile(Arc::new(DeserializeGuard(Ok(object))), context).await.unwrap();
    assert_eq!(cluster.take_writes(), ["PATCH assetpipelines/storefront by assetpipeline-claim"]);
    let metadata = cluster.object("assetpipelines/storefront")["metadata"].clone();
    assert_eq!(metadata["finalizers"], json!(["assetpipeline.dev/bindings"]));
    assert_eq!(metadata["annotations"]["assetpipeline.dev/binding-suffix"].as_str().unwrap().len(), 10);
}
