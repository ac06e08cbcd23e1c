//! Tenants as objects of their own: two of them want one host, one of them goes, the pipeline goes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::{AssetTenant, AssetTenantSpec, PipelineReference};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use tests::{
    patience::eventually,
    sass,
    scene::{PIPELINE, Scene, Setting, Tier, play},
    visitor::Visitor,
};

const SASS: &str = "a { b: 1px + 1px; }\n";
const MOVED: &str = "a { b: 2px + 2px; }\n";
/// Two rounds of the operator, and what the web pods remember.
const REGISTERED_WITHIN: Duration = Duration::from_secs(20);
/// The operator looks at a host that is somebody else's every half minute.
const FREE_WITHIN: Duration = Duration::from_secs(50);

#[tokio::test]
async fn tenant_is_served_under_all_its_hosts_and_hands_over_what_it_lets_go() -> Result<()> {
    play("tenants", Setting::default(), async |scene| {
        scene.origin.put("/app.scss", SASS);
        scene.origin.put("/new/app.scss", MOVED);
        let hosts = [format!("shop.{}.example", scene.namespace), format!("www.{}.example", scene.namespace)];
        let visitors = visitors_of(scene, &hosts)?;
        create(scene, "first", &hosts, &scene.origin.url()).await?;
        wait_for(scene, "first", "True", "Registered").await?;
        let jobs = scene.metrics(Tier::Web).await?.sum("assets_web_jobs_sent_total");
        for visitor in &visitors {
            expect(visitor, SASS).await?;
        }
        let sent = scene.metrics(Tier::Web).await?.sum("assets_web_jobs_sent_total") - jobs;
        ensure!(sent == 1, "one file of one tenant cost {sent} jobs");

        // The second one is told who has the host, and is served what is its own.
        let own = format!("own.{}.example", scene.namespace);
        let wanted = [hosts[0].clone(), own.clone(), scene.visitor.host().to_owned()];
        create(scene, "second", &wanted, &format!("{}/new", scene.origin.url())).await?;
        let message = wait_for(scene, "second", "False", "HostTaken").await?;
        let inline = format!("{} by spec.tenants of AssetPipeline {PIPELINE}", scene.visitor.host());
        for told in [format!("{} by AssetTenant first", hosts[0]), inline] {
            ensure!(message.contains(&told), "{told:?} is not in: {message}");
        }
        expect(&visitors_of(scene, &[own])?[0], MOVED).await?;
        expect(&visitors[0], SASS).await?;

        // A host that is let go of is nobody's, then the other's.
        let only = json!({"spec": {"hosts": [hosts[1]]}});
        let patch = Patch::Merge(&only);
        tenants(scene).patch("first", &PatchParams::default(), &patch).await?;
        eventually(FREE_WITHIN, "the other one's files", async || expect(&visitors[0], MOVED).await).await?;
        expect(&visitors[1], SASS).await?;

        // Another origin never shows the old one's files, once the change has reached the pods.
        let moved = json!({"spec": {"origin": format!("{}/new", scene.origin.url())}});
        tenants(scene).patch("first", &PatchParams::default(), &Patch::Merge(&moved)).await?;
        eventually(REGISTERED_WITHIN, "the new origin's files", async || expect(&visitors[1], MOVED).await)
            .await?;

        tenants(scene).delete("second", &DeleteParams::default()).await?;
        eventually(REGISTERED_WITHIN, "the host to be nobody's", async || {
            let answer = visitors[0].get("/app.css").await?;
            ensure!(answer.header("x-asset-error") == "unknown-host", "{answer:?}");
            Ok(())
        })
        .await?;

        scene.delete_pipeline().await?;
        wait_for(scene, "first", "False", "PipelineNotFound").await?;
        tenants(scene).delete("first", &DeleteParams::default()).await?;
        eventually(REGISTERED_WITHIN, "the tenants to be gone", async || {
            let left = tenants(scene).list(&kube::api::ListParams::default()).await?.items.len();
            ensure!(left == 0, "{left} are left");
            Ok(())
        })
        .await
    })
    .await
}

fn tenants(scene: &Scene) -> Api<AssetTenant> {
    scene.control.api(&scene.namespace)
}

fn visitors_of(scene: &Scene, hosts: &[String]) -> Result<Vec<Visitor>> {
    hosts.iter().map(|host| Visitor::new(scene.visitor.node_port(), host)).collect()
}

async fn create(scene: &Scene, name: &str, hosts: &[String], origin: &str) -> Result<()> {
    let spec = AssetTenantSpec {
        pipeline_ref: PipelineReference { name: PIPELINE.to_owned() },
        hosts: hosts.to_vec(),
        origin: origin.to_owned(),
        ..AssetTenantSpec::default()
    };
    let created = tenants(scene).create(&PostParams::default(), &AssetTenant::new(name, spec)).await;
    created.map(drop).context("cannot create a tenant")
}

/// Waits until Ready tells this; its message.
async fn wait_for(scene: &Scene, name: &str, status: &str, reason: &str) -> Result<String> {
    eventually(FREE_WITHIN, &format!("{name} to be {reason}"), async || {
        let tenant = tenants(scene).get(name).await?;
        let conditions = tenant.status.map(|status| status.conditions).unwrap_or_default();
        let ready = conditions.into_iter().find(|condition| condition.type_ == "Ready");
        let ready = ready.context("there is no condition Ready")?;
        ensure!((ready.status.as_str(), ready.reason.as_str()) == (status, reason), "{ready:?}");
        Ok(ready.message)
    })
    .await
}

async fn expect(visitor: &Visitor, source: &str) -> Result<()> {
    let answer = visitor.get("/app.css").await?;
    ensure!((answer.status, &answer.body) == (200, &sass::compile(source)?), "{answer:?}");
    Ok(())
}
