//! The example of the README: Bootstrap, from its manifest to the visitor.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cluster::command::capture;
use crds::{AssetPipeline, condition_type};
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::{Api, api::DeleteParams};
use tests::{
    control::Control, ended::Ended, patience::eventually, places, sass, scene::check_condition,
    visitor::Visitor,
};

const MANIFEST: &str = "examples/storefront.yaml";
const SITE: &str = "examples/origin";
/// Namespace, pipeline and Service.
const NAME: &str = "storefront";
const LIMIT: Duration = Duration::from_mins(3);

#[tokio::test]
async fn bootstrap_arrives_byte_for_byte_and_is_a_hit_from_then_on() -> Result<()> {
    let _place = places::take_one().await?;
    let control = Control::with_operator().await?;
    let namespaces: Api<Namespace> = Api::all(control.client.clone());
    let existed = namespaces.get_opt(NAME).await?.is_some();
    let shown = Ended::of(show(&control)).await;
    if existed { shown.then(Ok(())) } else { shown.then(take_away(&control, &namespaces).await) }
}

async fn show(control: &Control) -> Result<()> {
    apply(control).await?;
    let visitor = find_visitor(control).await?;
    for file in ["app", "checkout"] {
        let path = format!("/{file}.css");
        let first = visitor.get(&path).await?;
        let source = control.cluster.cache.checkout.join(SITE).join(format!("{file}.scss"));
        assert_eq!(first.status, 200, "{}", first.body);
        // Not assert_eq!: Bootstrap's 280 kB twice would help nobody.
        let made = sass::compile_file(&source)?;
        ensure!(made.contains(&first.body), "{path} is not what an engine makes of its source");
        assert_eq!(first.header("content-type"), "text/css; charset=utf-8");

        let second = visitor.get(&path).await?;
        ensure!(second.header("cache-status").starts_with("AssetPipeline; hit; "), "{:?}", second.headers);
        ensure!(second.body == first.body, "the second answer differs from the first");
        let etag = second.header("etag");
        ensure!(!etag.is_empty() && etag == first.header("etag"), "{:?}", second.headers);
        let third = visitor.get_unless(&path, etag).await?;
        assert_eq!((third.status, third.header("etag"), &*third.body), (304, etag, ""));
    }
    Ok(())
}

async fn apply(control: &Control) -> Result<()> {
    let manifest = control.cluster.cache.checkout.join(MANIFEST);
    let kubectl = || control.cluster.kubectl();
    capture(kubectl().args(["apply", "--filename"]).arg(&manifest))?;
    control.ensure_credentials(NAME).await?;
    let pipelines: Api<AssetPipeline> = control.api(NAME);
    eventually(LIMIT, "the example to be ready", async || {
        check_condition(&pipelines.get(NAME).await?, condition_type::READY)
    })
    .await?;
    capture(kubectl().args(["rollout", "status", "--namespace", NAME, "deployment/origin", "--timeout=60s"]))
        .map(drop)
}

async fn find_visitor(control: &Control) -> Result<Visitor> {
    let pipeline: Api<AssetPipeline> = control.api(NAME);
    let tenants = pipeline.get(NAME).await?.spec.tenants;
    let tenant = tenants.first().context("the example has no tenant")?;
    let service: Api<Service> = control.api(NAME);
    let ports = service.get(NAME).await?.spec.and_then(|spec| spec.ports).unwrap_or_default();
    let node_port = ports.first().and_then(|port| port.node_port).context("the example has no NodePort")?;
    let node_port = u16::try_from(node_port)?;
    // The pods are ready a moment before kube-proxy knows of them.
    let scout = Visitor::scout(node_port, &tenant.host)?;
    eventually(LIMIT, "the NodePort to be reached", async || scout.get("/").await.map(drop)).await?;
    Visitor::new(node_port, &tenant.host)
}

async fn take_away(control: &Control, namespaces: &Api<Namespace>) -> Result<()> {
    let pipelines: Api<AssetPipeline> = control.api(NAME);
    pipelines.delete(NAME, &DeleteParams::default()).await?;
    eventually(LIMIT, "the example to be gone", async || {
        ensure!(pipelines.get_opt(NAME).await?.is_none(), "the pipeline is still there");
        Ok(())
    })
    .await?;
    namespaces.delete(NAME, &DeleteParams::default()).await?;
    eventually(LIMIT, "the example's namespace to be gone", async || {
        ensure!(namespaces.get_opt(NAME).await?.is_none(), "it is still there");
        Ok(())
    })
    .await
}
