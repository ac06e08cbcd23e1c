//! What the API server itself does with an `AssetPipeline`: refuse a wrong one with words that help, fill in
//! defaults, show columns. Nothing is stored: every write is a dry run.

mod cases;

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use cases::{Refused, accepted, named, refused};
use crds::{AssetPipeline, AssetPipelineSpec, asset_pipeline_crd};
use kube::{
    Api, Client,
    api::{PatchParams, PostParams},
};
use serde_json::{Value, json};
use tests::{
    control::Control,
    declared::{NAMESPACE, apply, columns},
};

#[tokio::test]
async fn every_wrong_spec_is_refused_with_the_field_and_the_way_out() -> Result<()> {
    let client = Control::connect().await?.client;
    let mut wrong = Vec::new();
    for Refused { spec, field, says } in refused() {
        match dry_run(&client, "site", &spec).await? {
            Err(message) if message.contains(field) && message.contains(says) => {}
            Err(message) => wrong.push(format!("{field} and {says:?} are not both in: {message}")),
            Ok(_) => wrong.push(format!("{field} was not refused: {spec}")),
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn the_last_good_value_on_each_side_of_a_bound_is_accepted() -> Result<()> {
    let client = Control::connect().await?.client;
    for spec in accepted() {
        if let Err(message) = dry_run(&client, "site", &spec).await? {
            bail!("{spec} was refused: {message}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn names_that_cannot_begin_a_services_name_are_refused() -> Result<()> {
    let client = Control::connect().await?.client;
    let says =
        "metadata.name must have at most 50 characters, start with a letter and hold only a-z, 0-9 and -";
    for (name, is_right) in named() {
        match (dry_run(&client, &name, &json!({})).await?, is_right) {
            (Ok(_), true) => {}
            (Err(message), false) => assert!(message.contains(says), "{name}: {message}"),
            (Ok(_), false) => bail!("{name} was not refused"),
            (Err(message), true) => bail!("{name} was refused: {message}"),
        }
    }
    Ok(())
}

/// The table must grow with the definition.
#[test]
fn the_table_has_a_case_for_every_rule_and_every_bounded_field() -> Result<()> {
    let definition = serde_json::to_value(asset_pipeline_crd())?;
    let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec");
    let mut limits = Limits::default();
    limits.collect("spec", schema.context("the definition has no schema of the spec")?);
    let cases = refused();
    for message in limits.messages {
        assert!(cases.iter().any(|case| message.contains(case.says)), "no case for the rule: {message}");
    }
    let fields: BTreeSet<String> = cases.iter().map(|case| without_indices(case.field)).collect();
    let missing: Vec<_> = limits.fields.difference(&fields).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    Ok(())
}

#[tokio::test]
async fn pipeline_that_no_operator_has_seen_says_so() -> Result<()> {
    let client = Control::connect().await?.client;
    let pipelines: Api<AssetPipeline> = Api::namespaced(client, NAMESPACE);
    let parameters = PostParams { dry_run: true, ..PostParams::default() };
    let pipeline = AssetPipeline::new("site", AssetPipelineSpec::default());
    let created = pipelines.create(&parameters, &pipeline).await?;
    let status = created.status.context("there is no status")?;
    assert_eq!(status.observed_generation, Some(-1));
    Ok(())
}

#[tokio::test]
async fn kubectl_get_shows_what_matters() -> Result<()> {
    let client = Control::connect().await?.client;
    let [shown, wide] = columns::<AssetPipeline>(&client).await?;
    assert_eq!(shown, ["Name", "Ready", "Reason", "Web", "Workers", "Queue", "URL", "Age"]);
    assert_eq!(wide, ["Bucket"]);
    Ok(())
}

async fn dry_run(client: &Client, name: &str, spec: &Value) -> Result<Result<Value, String>> {
    apply::<AssetPipeline>(client, name, spec, PatchParams::apply("e2e").dry_run()).await
}

/// What a schema limits.
#[derive(Default)]
struct Limits {
    /// Fields with a bound, without list indices.
    fields: BTreeSet<String>,
    /// Messages of the CEL rules.
    messages: Vec<String>,
}

impl Limits {
    fn collect(&mut self, path: &str, schema: &Value) {
        const BOUNDS: [&str; 7] =
            ["minimum", "maximum", "minLength", "maxLength", "maxItems", "pattern", "enum"];
        if BOUNDS.iter().any(|bound| schema.get(bound).is_some()) {
            self.fields.insert(path.to_owned());
        }
        let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
        self.messages.extend(rules.filter_map(|rule| Some(rule["message"].as_str()?.to_owned())));
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            self.collect(&format!("{path}.{name}"), property);
        }
        if let Some(items) = schema.get("items") {
            self.collect(path, items);
        }
    }
}

/// `spec.tenants[0].host` as `spec.tenants.host`.
fn without_indices(field: &str) -> String {
    field.split(']').map(|part| part.split('[').next().unwrap_or_default()).collect()
}
