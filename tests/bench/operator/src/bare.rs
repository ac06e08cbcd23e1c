//! A client that keeps what the operator keeps, as kube's own reflectors do it, and does nothing else.

use std::{fmt::Debug, io::Write, time::Duration};

use crds::AssetPipeline;
use futures::{StreamExt, future::BoxFuture};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Service, ServiceAccount},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, Client, Resource,
    runtime::{WatchStreamExt, reflector, watcher},
};
use operator::{
    children::{Child, prune_metadata},
    names::ours,
};
use serde::de::DeserializeOwned;

/// Between two counts of what is kept.
const COUNT: Duration = Duration::from_millis(200);

type Kept = (Box<dyn Fn() -> usize + Send>, BoxFuture<'static, ()>);

/// Prints how many objects there are, as often as that changes.
pub(crate) async fn keep() -> anyhow::Result<()> {
    let client = Client::try_default().await?;
    let ours = watcher::Config::default().labels(&ours());
    let pipelines = reflect::<AssetPipeline>(&client, watcher::Config::default(), |pipeline| {
        prune_metadata(&mut pipeline.metadata);
    });
    let all = [
        pipelines,
        reflect::<Deployment>(&client, ours.clone(), Child::prune),
        reflect::<Service>(&client, ours.clone(), Child::prune),
        reflect::<ServiceAccount>(&client, ours.clone(), Child::prune),
        reflect::<PodDisruptionBudget>(&client, ours.clone(), Child::prune),
        reflect::<Ingress>(&client, ours.clone(), Child::prune),
        reflect::<NetworkPolicy>(&client, ours, Child::prune),
    ];
    let mut counts = Vec::new();
    for (count, kept) in all {
        counts.push(count);
        tokio::spawn(kept);
    }
    let mut told = None;
    loop {
        let count: usize = counts.iter().map(|count| count()).sum();
        if told != Some(count) {
            println!("{count}");
            std::io::stdout().flush()?;
            told = Some(count);
        }
        tokio::time::sleep(COUNT).await;
    }
}

fn reflect<K>(client: &Client, which: watcher::Config, prune: fn(&mut K)) -> Kept
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let events = watcher(Api::<K>::all(client.clone()), which).default_backoff();
    let kept = events.modify(prune).reflect(writer).for_each(|_| std::future::ready(()));
    (Box::new(move || store.len()), Box::pin(kept))
}
