//! What the API server itself does with an `AssetTenant`: refuse a wrong one with words that help, keep it
//! with its pipeline, show columns.

use anyhow::{Context, Result, bail, ensure};
use crds::AssetTenant;
use kube::{
    Api,
    api::{DeleteParams, PatchParams},
};
use serde_json::{Value, json};
use tests::{
    control::Control,
    declared::{NAMESPACE, apply, columns},
};

const NAME: &str = "e2e-tenant";

/// A right spec in which these fields are other ones.
fn spec(changed: &Value) -> Value {
    let mut spec = json!({
        "pipelineRef": {"name": "nobody"}, "hosts": ["shop.example"], "origin": "https://www.shop.example",
    });
    if let (Some(spec), Some(changed)) = (spec.as_object_mut(), changed.as_object()) {
        spec.extend(changed.clone());
    }
    spec
}

/// Wrong fields, each with the path and the words of its refusal.
fn refused() -> Vec<(Value, &'static str, &'static str)> {
    let host = "a DNS name in lower case without a port, such as assets.example.com";
    let address = "a DNS name and not an IP address";
    let origin = "an http or https URL without user, query or fragment, such as https://www.example.com";
    let path = "a path that begins with / and holds no .., such as /node_modules";
    let eleven: Vec<String> = (0..11).map(|number| format!("{number}.example")).collect();
    vec![
        (json!({"hosts": []}), "spec.hosts", "at least 1 items"),
        (json!({"hosts": eleven}), "spec.hosts", "at most 10 items"),
        (json!({"hosts": ["a.example", "a.example"]}), "spec.hosts", "duplicate entries"),
        (json!({"hosts": ["Shop.example"]}), "spec.hosts", host),
        (json!({"hosts": ["shop.example:80"]}), "spec.hosts", host),
        (json!({"hosts": ["10.0.0.1"]}), "spec.hosts", address),
        (json!({"origin": "ftp://a.example"}), "spec.origin", origin),
        (json!({"origin": ""}), "spec.origin", "at least 1 chars long"),
        (json!({"siteUrl": "www.shop.example"}), "spec.siteUrl", origin),
        (json!({"siteUrl": ""}), "spec.siteUrl", "at least 1 chars long"),
        (json!({"loadPaths": ["scss"]}), "spec.loadPaths", path),
        (json!({"loadPaths": vec!["/a"; 17]}), "spec.loadPaths", "at most 16 items"),
        (
            json!({"limits": {"requestsPerSecond": 0}}),
            "spec.limits.requestsPerSecond",
            "greater than or equal to 1",
        ),
        (json!({"engine": "Dart"}), "spec.engine", r#"supported values: "Auto", "Grass", "Sasso""#),
        (json!({"pipelineRef": {"name": ""}}), "spec.pipelineRef.name", "at least 1 chars long"),
        (json!({"pipelineRef": null}), "spec.pipelineRef", "must be of type object"),
        (json!({"host": "a.example"}), "spec.host", "field not declared in schema"),
    ]
}

#[tokio::test]
async fn every_wrong_tenant_is_refused_with_the_field_and_the_way_out() -> Result<()> {
    let client = Control::connect().await?.client;
    let mut wrong = Vec::new();
    for (changed, field, says) in refused() {
        match apply::<AssetTenant>(&client, NAME, &spec(&changed), PatchParams::apply("e2e").dry_run())
            .await?
        {
            Err(message) if message.contains(field) && message.contains(says) => {}
            Err(message) => wrong.push(format!("{field} and {says:?} are not both in: {message}")),
            Ok(_) => wrong.push(format!("{changed} was not refused")),
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn right_tenants_are_accepted_and_not_yet_observed() -> Result<()> {
    let client = Control::connect().await?.client;
    let ten: Vec<String> = (0..10).map(|number| format!("{number}.example")).collect();
    for changed in [
        json!({}),
        json!({"hosts": ten, "loadPaths": ["/node_modules"], "development": true}),
        json!({"limits": {"coldPathsPerMinute": 5}}),
        json!({"engine": "Sasso"}),
    ] {
        match apply::<AssetTenant>(&client, NAME, &spec(&changed), PatchParams::apply("e2e").dry_run())
            .await?
        {
            Ok(object) => assert_eq!(object["status"]["observedGeneration"], -1, "{object}"),
            Err(message) => bail!("{changed} was refused: {message}"),
        }
    }
    Ok(())
}

#[tokio::test]
async fn tenant_stays_with_its_pipeline() -> Result<()> {
    let client = Control::connect().await?.client;
    let api: Api<AssetTenant> = Api::namespaced(client.clone(), NAMESPACE);
    let made =
        apply::<AssetTenant>(&client, NAME, &spec(&json!({})), PatchParams::apply("e2e").force()).await?;
    let moved = spec(&json!({"pipelineRef": {"name": "other"}}));
    let refused =
        apply::<AssetTenant>(&client, NAME, &moved, PatchParams::apply("e2e").dry_run().force()).await;
    api.delete(NAME, &DeleteParams::default()).await?;
    made.map_err(anyhow::Error::msg)?;
    let message = refused?.err().context("the pipeline was changed")?;
    ensure!(message.contains("spec.pipelineRef cannot be changed"), "{message}");
    Ok(())
}

#[tokio::test]
async fn kubectl_get_shows_what_matters() -> Result<()> {
    let client = Control::connect().await?.client;
    let [shown, _] = columns::<AssetTenant>(&client).await?;
    assert_eq!(shown, ["Name", "Ready", "Reason", "Pipeline", "Host", "Origin", "Age"]);
    Ok(())
}
