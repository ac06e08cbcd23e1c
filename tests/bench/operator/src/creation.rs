//! How long it takes until all children of a batch are there: made by the operator from pipelines that somebody
//! applies, and by a bare client that knows them already and writes one after the other.

use std::{fmt, time::Instant};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams},
};
use operator::names::{MANAGED_BY_LABEL, PIPELINE_LABEL};
use serde_json::{Value, json};
use tests::control_plane::create_namespace;

use crate::fleet::{BATCH, CONCURRENCY, Fleet, namespace_of};

/// How many times the bare client's time the operator may take.
pub(crate) const MOST_TIMES: f64 = 1.3;
const BARE_MANAGER: &str = "bare";

/// Seconds for one batch, made in turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Race {
    batch: usize,
    pub(crate) operator: f64,
    pub(crate) bare: f64,
}

impl fmt::Display for Race {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batch, operator, bare } = self;
        let times = operator / bare;
        write!(f, "batch {batch}: operator {operator:.1} s, bare client {bare:.1} s, {times:.2} times")
    }
}

/// The operator's time includes the pipelines themselves, its rounds, its calls of AWS and what it tells of them.
pub(crate) async fn create(fleet: &Fleet, batch: usize) -> anyhow::Result<Race> {
    create_namespace(&fleet.client, &namespace_of(batch)).await?;
    let started = Instant::now();
    fleet.create_pipelines(batch).await?;
    fleet.await_children(batch).await?;
    let operator = started.elapsed().as_secs_f64();

    // Their statuses and events come after that, and are nobody's concern here.
    fleet.settle_batch(batch).await?;
    let bare = format!("bare-{batch}");
    create_namespace(&fleet.client, &bare).await?;
    let sets = read_sets(fleet, batch).await?;
    let started = Instant::now();
    let writes = stream::iter(&sets).map(|set| async move {
        for (api, object) in set {
            let parameters = PatchParams::apply(BARE_MANAGER).force();
            api.patch(&object.name_any(), &parameters, &Patch::Apply(object)).await?;
        }
        anyhow::Ok(())
    });
    writes.buffer_unordered(CONCURRENCY).try_collect::<()>().await.context("the bare client failed")?;
    Ok(Race { batch, operator, bare: started.elapsed().as_secs_f64() })
}

type Set = Vec<(Api<DynamicObject>, DynamicObject)>;

/// The children of each pipeline of a batch, to be written into the bare client's namespace.
async fn read_sets(fleet: &Fleet, batch: usize) -> anyhow::Result<Vec<Set>> {
    let (from, to) = (namespace_of(batch), format!("bare-{batch}"));
    let mut sets: Vec<Set> = std::iter::repeat_with(Vec::new).take(BATCH).collect();
    for kind in &fleet.kinds {
        let target = fleet.api(kind, &to);
        for object in fleet.api(kind, &from).list(&ListParams::default()).await? {
            let owner = object.labels().get(PIPELINE_LABEL).cloned();
            let number = owner.and_then(|owner| owner.strip_prefix("site-")?.parse::<usize>().ok());
            let set = number.and_then(|number| sets.get_mut(number));
            let set = set.with_context(|| format!("{} belongs to nobody", object.name_any()))?;
            set.push((target.clone(), written_by_hand(&object, &kind.resource, &to)?));
        }
    }
    Ok(sets)
}

/// What an author of the object would write: without what the API server has added.
fn written_by_hand(
    object: &DynamicObject,
    resource: &kube::api::ApiResource,
    namespace: &str,
) -> anyhow::Result<DynamicObject> {
    let mut value = serde_json::to_value(object)?;
    let metadata = &object.metadata;
    let mut labels = metadata.labels.clone().unwrap_or_default();
    // The operator does not watch these.
    labels.insert(MANAGED_BY_LABEL.to_owned(), BARE_MANAGER.to_owned());
    let fields = value.as_object_mut().context("an object without fields")?;
    fields.insert("apiVersion".to_owned(), json!(resource.api_version));
    fields.insert("kind".to_owned(), json!(resource.kind));
    fields.insert(
        "metadata".to_owned(),
        json!({
            "name": metadata.name, "namespace": namespace, "labels": labels,
            "annotations": metadata.annotations, "ownerReferences": metadata.owner_references,
        }),
    );
    fields.remove("status");
    if let Some(spec) = fields.get_mut("spec").and_then(Value::as_object_mut) {
        let is_headless = spec.get("clusterIP").is_some_and(|address| address == "None");
        if resource.kind == "Service" && !is_headless {
            spec.remove("clusterIP");
            spec.remove("clusterIPs");
        }
    }
    Ok(serde_json::from_value(value)?)
}
