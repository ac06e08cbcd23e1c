//! No field without a meaning: for each one of the generated schemas, values that differ end in different
//! children, other resources or registrations on AWS, another rest after a deletion, or another number of workers.
//!
//! The list of fields is the schema's. What a field does is shown elsewhere; that it does anything, here.

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use aws_sdk_s3::primitives::ByteStream;
use crds::{AssetPipeline, AssetTenant, asset_pipeline_crd, asset_tenant_crd};
use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, api::PostParams, core::DeserializeGuard};
use operator::{
    pipeline::validate_limits,
    scaler::{Pods, Queue, Sample, Signal, Window, decide},
    tenant,
};
use serde_json::{Value, json};

use crate::{
    apiserver::merge,
    examples::{Examples, Shows, of_pipelines, of_tenants},
    hands::WithQueues,
    process::Operator,
    scenario::settle,
    schema::{Field, set, spec_schema},
    wire::Fault,
    world::World,
};

/// More than a tenant needs to come to rest.
const MOST_ROUNDS: usize = 20;

#[tokio::test(start_paused = true)]
async fn every_field_of_a_pipeline_makes_a_difference() -> Result<()> {
    let base = json!({
        "ingress": {},
        "notifications": {"endpoint": "https://hooks.example.com/work_complete"},
        "tenants": [{"host": "shop.example.com", "origin": "https://www.example.com"}],
    });
    let seen = async |spec: &Value, shows: Shows| {
        let spec: AssetPipeline =
            serde_json::from_value(json!({"metadata": {"name": "front"}, "spec": spec}))?;
        spec.validate_cel()?;
        match shows {
            Shows::InScaling => decide_on_workers(&spec),
            Shows::AtRest | Shows::AfterDeletion | Shows::AfterDeletionOfFullBucket => {
                live(&serde_json::to_value(spec.spec)?, shows).await
            }
        }
    };
    check(&asset_pipeline_crd(), &of_pipelines(&World::memory().given()), &base, seen).await
}

#[tokio::test(start_paused = true)]
async fn every_field_of_a_tenant_makes_a_difference() -> Result<()> {
    let name = World::memory().name;
    let base = json!({
        "pipelineRef": {"name": name}, "hosts": ["docs.example.com"], "origin": "https://docs.example.com",
    });
    let settled = World::memory();
    settled.hands().await.create_pipeline(&settled, &json!({})).await?;
    settle(&settled).await?;
    let seen = async |spec: &Value, _: Shows| register(&settled.fork(), spec).await;
    check(&asset_tenant_crd(), &of_tenants(&name), &base, seen).await
}

/// Each field's values, one by one: what is seen is never the same for two of them.
async fn check(
    definition: &CustomResourceDefinition,
    examples: &Examples,
    base: &Value,
    seen: impl AsyncFn(&Value, Shows) -> Result<Value>,
) -> Result<()> {
    let root = spec_schema(definition)?;
    let mut known: HashMap<(String, Shows), Value> = HashMap::new();
    let mut failures = Vec::new();
    for Field { path, schema, .. } in examples.fields(&root)? {
        let example = examples.of(&path);
        let values = match examples.values(&path, &schema) {
            Ok(values) => values,
            Err(error) => {
                failures.push(format!("{error:#}"));
                continue;
            }
        };
        let mut told: Vec<(Value, Value)> = Vec::new();
        for value in values {
            let mut spec = base.clone();
            merge(&mut spec, &example.given);
            examples.furnish(&mut spec, &path, &root)?;
            set(&mut spec, &path, &value);
            let key = (spec.to_string(), example.shows);
            if !known.contains_key(&key) {
                let found = seen(&spec, example.shows).await;
                known.insert(key.clone(), found.with_context(|| format!("spec.{path}: {value}"))?);
            }
            let found = known[&key].clone();
            if let Some((other, _)) = told.iter().find(|(_, seen)| *seen == found) {
                failures.push(format!("spec.{path}: nothing tells {value} from {other}"));
            }
            told.push((value, found));
        }
        if told.len() < 2 {
            failures.push(format!("spec.{path} has fewer than two values: give examples of it"));
        }
    }
    ensure!(failures.is_empty(), "{} fields:\n{}", failures.len(), failures.join("\n"));
    Ok(())
}

/// Everything but the pipeline itself, where one with this spec rests, or after its deletion.
async fn live(spec: &Value, shows: Shows) -> Result<Value> {
    let world = World::memory();
    let hands = world.hands().await;
    hands.make_given(&world, WithQueues::Yes).await?;
    hands.create_pipeline(&world, spec).await?;
    settle(&world).await?;
    if shows != Shows::AtRest {
        if shows == Shows::AfterDeletionOfFullBucket {
            let bucket = find_bucket(&world).await?;
            let body = ByteStream::from_static(b"somebody's file");
            hands.aws.s3.put_object().bucket(bucket).key("theirs").body(body).send().await?;
        }
        hands.delete_pipeline(&world).await?;
        settle(&world).await?;
    }
    let mut state = world.state().await?;
    let objects = state["cluster"].as_array_mut().context("a state without objects")?;
    objects.retain(|object| object["kind"] != "AssetPipeline");
    Ok(state)
}

async fn find_bucket(world: &World) -> Result<String> {
    let object = Operator::start(world, Fault::Nothing).await?.pipeline(world).await?;
    let status = object.and_then(|object| object.status).and_then(|status| status.bindings);
    status.and_then(|bindings| bindings.bucket).context("there is no bucket")
}

/// What the scaler makes of queues and pods of several numbers.
fn decide_on_workers(pipeline: &AssetPipeline) -> Result<Value> {
    let limits = validate_limits(&pipeline.spec.worker)?;
    let begin = Timestamp::UNIX_EPOCH;
    let mut decisions = Vec::new();
    for replicas in [0, 1, 3, 2_000] {
        for visible in [0, 1, 7, 100_000] {
            for empty in [0, 30, 100_000] {
                let sample = Sample {
                    visits: Signal::Told(Queue { visible, ..Queue::default() }),
                    pods: Pods { replicas, ready: replicas, ..Pods::default() },
                    ..Sample::default()
                };
                let now = begin + Duration::from_secs(empty);
                let window = Window::default().with(&sample, begin).with(&sample, now);
                let decision = decide(&limits, &window, &sample, now);
                decisions.push(json!([decision.replicas, decision.reason.as_str()]));
            }
        }
    }
    Ok(Value::Array(decisions))
}

/// What the registry holds once a tenant with this spec is at rest.
async fn register(world: &World, spec: &Value) -> Result<Value> {
    let operator = Operator::start(world, Fault::Nothing).await?;
    let tenants: Api<AssetTenant> = Api::namespaced(operator.context.client.clone(), &world.namespace);
    let object: AssetTenant = serde_json::from_value(json!({"metadata": {"name": "docs"}, "spec": spec}))?;
    object.validate_cel()?;
    tenants.create(&PostParams::default(), &object).await?;
    for _ in 0..MOST_ROUNDS {
        let before = operator.wire.write_count();
        let object = tenants.get("docs").await?;
        Box::pin(tenant::reconcile(Arc::new(DeserializeGuard(Ok(object))), Arc::clone(&operator.context)))
            .await?;
        if operator.wire.write_count() == before {
            return Ok(world.state().await?["aws"].clone());
        }
    }
    bail!("it does not come to rest")
}
