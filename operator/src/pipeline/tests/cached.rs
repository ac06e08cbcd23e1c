//! Rounds that know the children from watches.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Service, ServiceAccount},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
};
use kube::runtime::watcher::Event;
use serde_json::json;

use super::{FakeCluster, round, settled};
use crate::{children::Child, context::Context};

/// What the watches tell of the cluster as it is now, for them to have been listed.
pub(super) fn hear(cluster: &FakeCluster, context: &Context) {
    hear_of::<Deployment>(cluster, context);
    hear_of::<Service>(cluster, context);
    hear_of::<ServiceAccount>(cluster, context);
    hear_of::<PodDisruptionBudget>(cluster, context);
    hear_of::<Ingress>(cluster, context);
    hear_of::<NetworkPolicy>(cluster, context);
}

fn hear_of<K: Child>(cluster: &FakeCluster, context: &Context) {
    let board = K::board(&context.children).unwrap();
    board.note::<K>(Event::Init);
    for object in cluster.list::<K>() {
        board.note::<K>(Event::InitApply(object));
    }
    board.note::<K>(Event::InitDone);
}

#[tokio::test]
async fn settled_round_reads_only_what_no_watch_tells_of() {
    let (cluster, context) = settled().await;
    hear(&cluster, &context);
    cluster.take_reads();
    round(&cluster, &context).await.unwrap();
    let mut reads = cluster.take_reads();
    reads.sort();
    assert_eq!(reads, ["configmaps/storefront-bindings", "secrets/storefront-notice-key"]);
    assert_eq!(cluster.take_writes(), Vec::<String>::new());
}

#[tokio::test]
async fn child_that_no_watch_tells_of_is_made_where_nothing_stands() {
    let (cluster, context) = settled().await;
    hear(&cluster, &context);
    let ours: Service = serde_json::from_value(cluster.object("services/storefront")).unwrap();
    cluster.remove("services/storefront");
    Service::board(&context.children).unwrap().note(Event::Delete(ours));
    // Without our label nobody tells of it.
    cluster.merge("services/storefront", &json!({"metadata": {"name": "storefront", "uid": "theirs"}}));
    round(&cluster, &context).await.unwrap();
    let written = cluster.take_writes().into_iter().filter(|write| write.contains("services/")).count();
    assert_eq!(written, 0);
    let told = &cluster.object("assetpipelines/storefront")["status"]["conditions"];
    assert!(told.to_string().contains("Service storefront"), "{told}");
    cluster.remove("services/storefront");
    round(&cluster, &context).await.unwrap();
    let writes = cluster.take_writes();
    assert!(writes.contains(&"PATCH services/storefront by assetpipeline-operator".to_owned()), "{writes:?}");
}
