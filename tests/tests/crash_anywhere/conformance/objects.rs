//! What is asked of an API server.

use std::time::Duration;

use anyhow::{Result, ensure};
use crds::AssetPipeline;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::ConfigMap};
use kube::{
    Api, Resource, ResourceExt,
    api::{
        ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions,
    },
};
use operator::names::PIPELINE_LABEL;
use serde_json::{Value, json};
use tests::patience::eventually;

use super::Told;
use crate::world::World;

const GOES_WITHIN: Duration = Duration::from_secs(30);

/// One object of one kind, and what was seen of it.
struct Subject<'a> {
    world: &'a World,
    api: Api<DynamicObject>,
    resource: ApiResource,
    name: String,
    version: Option<String>,
    told: Told,
}

pub(super) async fn tell(world: &World) -> Result<Told> {
    let mut told = fields_of_managers(world).await?;
    told.extend(versions(world).await?);
    told.extend(finalizers(world).await?);
    told.extend(pipeline(world).await?);
    told.extend(foreground(world).await?);
    Ok(told)
}

async fn fields_of_managers(world: &World) -> Result<Told> {
    let mut map = Subject::new::<ConfigMap>(world, "managers").await;
    map.get("missing").await?;
    map.apply("made", "one", json!({"data": {"x": "1", "y": "1"}})).await?;
    map.apply("unchanged", "one", json!({"data": {"x": "1", "y": "1"}})).await?;
    map.apply("conflict", "two", json!({"data": {"x": "2"}})).await?;
    map.force("taken", "two", json!({"data": {"x": "2"}})).await?;
    map.apply("no longer its own", "one", json!({"data": {"y": "1"}})).await?;
    map.apply("shared", "one", json!({"data": {"x": "2", "y": "1"}})).await?;
    map.apply("given up by one of two", "two", json!({})).await?;
    map.apply("given up by the other", "one", json!({"data": {"y": "1"}})).await?;
    map.merge("merged", json!({"data": {"y": "3", "z": "1"}})).await?;
    map.force("applied after that", "one", json!({"data": {"y": "1"}})).await?;
    map.apply("what was merged stays", "one", json!({})).await?;
    map.merge("removed", json!({"data": {"z": null}})).await?;
    let labels = |name: &str| json!({"metadata": {"labels": {name: "l"}}});
    map.apply("label", "one", labels("one")).await?;
    map.apply("label beside it", "two", labels("two")).await?;
    map.apply("label gone", "one", json!({})).await?;
    map.create("exists", json!({})).await?;
    map.delete("deleted", DeleteParams::background()).await?;
    map.delete("deleted again", DeleteParams::background()).await?;
    Ok(map.told)
}

async fn versions(world: &World) -> Result<Told> {
    let mut map = Subject::new::<ConfigMap>(world, "versions").await;
    let at =
        |version: &str, text: &str| json!({"metadata": {"resourceVersion": version}, "data": {"x": text}});
    map.apply("no object of this version", "one", at("1", "0")).await?;
    map.create("created", json!({"data": {"x": "1"}})).await?;
    let first = map.version.clone().unwrap_or_default();
    map.force("in this version", "one", at(&first, "2")).await?;
    map.force("in an older one", "one", at(&first, "3")).await?;
    map.force("in one from before all", "one", at("1", "4")).await?;
    map.merge("merged in an older one", at(&first, "4")).await?;
    map.get("in the end").await?;
    let of = |uid: &str| json!({"metadata": {"uid": uid, "labels": {"conformance": "uid"}}});
    let uid = map.api.get(&map.name).await?.uid().unwrap_or_default();
    map.force("of another uid", "one", of("1b4b0d6c-0000-4000-8000-000000000000")).await?;
    map.force("of this uid", "one", of(&uid)).await?;
    map.list("listed by label", "conformance=uid").await?;
    map.list("listed by another label", "conformance=none").await?;
    let only = |uid: &str| DeleteParams {
        preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
        ..DeleteParams::background()
    };
    map.delete("deleted by another uid", only("1b4b0d6c-0000-4000-8000-000000000000")).await?;
    map.delete("deleted by its uid", only(&uid)).await?;
    map.force("no object of this uid", "one", of(&uid)).await?;
    Ok(map.told)
}

async fn finalizers(world: &World) -> Result<Told> {
    let mut map = Subject::new::<ConfigMap>(world, "finalizers").await;
    let with = |names: &[&str]| json!({"metadata": {"finalizers": names}});
    map.apply("first", "one", with(&["test.dev/one"])).await?;
    map.apply("beside it", "two", with(&["test.dev/two"])).await?;
    map.delete("told to go", DeleteParams::background()).await?;
    map.delete("told again", DeleteParams::background()).await?;
    map.apply("changed while it goes", "three", json!({"data": {"x": "1"}})).await?;
    map.apply("one more while it goes", "three", with(&["test.dev/three"])).await?;
    map.apply("first gone", "one", json!({})).await?;
    map.merge("last gone", json!({"metadata": {"finalizers": null}})).await?;
    map.get("gone").await?;
    Ok(map.told)
}

async fn pipeline(world: &World) -> Result<Told> {
    let mut pipeline = Subject::new::<AssetPipeline>(world, "pipeline").await;
    let tenant = |host: &str| json!([{"host": host, "origin": "https://www.example.com"}]);
    pipeline.create("without a spec", json!({})).await?;
    pipeline.apply("applied without a spec", "one", json!({"metadata": {"labels": {"a": "b"}}})).await?;
    let status = json!({"observedGeneration": 7});
    pipeline.create("made", json!({"spec": {"tenants": tenant("a.example.com")}, "status": status})).await?;
    pipeline.merge("other spec", json!({"spec": {"tenants": tenant("b.example.com")}})).await?;
    let remark =
        json!({"metadata": {"annotations": {"test.dev/remark": "x"}, "finalizers": ["test.dev/one"]}});
    pipeline.apply("remark", "one", remark).await?;
    let body = json!({"spec": {"tenants": []}, "status": {"observedGeneration": 2}});
    pipeline.apply_status("status", "one", &body).await?;
    pipeline.apply_status("status again", "one", &body).await?;
    pipeline.merge("status beside the way", json!({"status": {"observedGeneration": 9}})).await?;
    pipeline.metadata("metadata alone").await?;
    pipeline.list("listed", "").await?;
    let uid = pipeline.api.get(&pipeline.name).await?.uid().unwrap_or_default();
    let mut map = Subject::new::<ConfigMap>(world, "belonging").await;
    let owner = json!({
        "apiVersion": "assetpipeline.dev/v1alpha1", "kind": "AssetPipeline", "name": pipeline.name, "uid": uid,
    });
    map.apply("belongs to it", "one", json!({"metadata": {"ownerReferences": [owner]}})).await?;
    pipeline.delete("told to go", DeleteParams::background()).await?;
    map.get("its owner still goes").await?;
    pipeline.merge("free", json!({"metadata": {"finalizers": null}})).await?;
    pipeline.get("gone").await?;
    map.until_gone().await?;
    pipeline.told.extend(map.told);
    Ok(pipeline.told)
}

async fn foreground(world: &World) -> Result<Told> {
    let mut deployment = Subject::new::<Deployment>(world, "deployment").await;
    let labels = json!({"app": "conformance", PIPELINE_LABEL: world.name});
    let container = json!({"name": "one", "image": "registry.invalid/one:1"});
    let body = json!({
        "metadata": {"labels": labels},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    });
    deployment.apply("made", "one", body).await?;
    deployment.delete("told to go", DeleteParams::foreground()).await?;
    deployment.until_gone().await?;
    Ok(deployment.told)
}

impl<'a> Subject<'a> {
    async fn new<K: Resource<DynamicType = ()>>(world: &'a World, suffix: &str) -> Self {
        let resource = ApiResource::erase::<K>(&());
        let client = world.hands().await.client;
        let api = Api::namespaced_with(client, &world.namespace, &resource);
        let name = format!("{}-{suffix}", world.name);
        Self { world, api, resource, name, version: None, told: Vec::new() }
    }

    fn body(&self, mut body: Value) -> Value {
        body["apiVersion"] = json!(self.resource.api_version);
        body["kind"] = json!(self.resource.kind);
        body["metadata"]["name"] = json!(self.name);
        body
    }

    async fn get(&mut self, step: &str) -> Result<()> {
        let answer = self.api.get(&self.name).await;
        self.note(step, answer)
    }

    async fn create(&mut self, step: &str, body: Value) -> Result<()> {
        let object: DynamicObject = serde_json::from_value(self.body(body))?;
        let answer = self.api.create(&PostParams::default(), &object).await;
        self.note(step, answer)
    }

    async fn apply(&mut self, step: &str, manager: &str, body: Value) -> Result<()> {
        let patch = Patch::Apply(self.body(body));
        let answer = self.api.patch(&self.name, &PatchParams::apply(manager), &patch).await;
        self.note(step, answer)
    }

    async fn force(&mut self, step: &str, manager: &str, body: Value) -> Result<()> {
        let patch = Patch::Apply(self.body(body));
        let answer = self.api.patch(&self.name, &PatchParams::apply(manager).force(), &patch).await;
        self.note(step, answer)
    }

    async fn apply_status(&mut self, step: &str, manager: &str, body: &Value) -> Result<()> {
        let patch = Patch::Apply(self.body(body.clone()));
        let answer = self.api.patch_status(&self.name, &PatchParams::apply(manager), &patch).await;
        self.note(step, answer)
    }

    async fn merge(&mut self, step: &str, patch: Value) -> Result<()> {
        let answer = self.api.patch(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await;
        self.note(step, answer)
    }

    async fn delete(&mut self, step: &str, parameters: DeleteParams) -> Result<()> {
        match self.api.delete(&self.name, &parameters).await {
            Ok(answer) => {
                self.told.push(format!("{step}: is there still: {}", answer.is_left()));
                Ok(())
            }
            Err(error) => self.note(step, Err(error)),
        }
    }

    async fn metadata(&mut self, step: &str) -> Result<()> {
        let found = self.api.get_metadata(&self.name).await?;
        self.told.push(format!("{step}: {:?} {:?}", found.metadata.annotations, found.metadata.generation));
        Ok(())
    }

    async fn list(&mut self, step: &str, labels: &str) -> Result<()> {
        let found = self.api.list(&ListParams::default().labels(labels)).await?;
        ensure!(found.metadata.resource_version.is_some(), "a list without a version");
        let names: Vec<String> = found.iter().map(ResourceExt::name_any).collect();
        self.told.push(format!("{step}: {names:?}"));
        Ok(())
    }

    /// The cluster's controllers do their part.
    async fn until_gone(&mut self) -> Result<()> {
        eventually(GOES_WITHIN, &format!("{} to go", self.name), async || {
            self.world.work().await?;
            ensure!(self.api.get_opt(&self.name).await?.is_none(), "it is still there");
            Ok(())
        })
        .await?;
        self.told.push(format!("{} went", self.name));
        Ok(())
    }

    /// What nobody here has set is left out: the server's defaults, and what changes with every run.
    fn note(&mut self, step: &str, answer: kube::Result<DynamicObject>) -> Result<()> {
        let told = match answer {
            Ok(object) => {
                let is_new = self.version.as_ref() != object.metadata.resource_version.as_ref();
                self.version.clone_from(&object.metadata.resource_version);
                let has_generation = object.types.as_ref().is_some_and(|types| types.kind == "AssetPipeline");
                // The definition's default.
                let unseen = json!({"observedGeneration": -1});
                let mut finalizers = object.finalizers().to_vec();
                finalizers.sort();
                json!({
                    "new version": is_new,
                    "generation": object.metadata.generation.filter(|_| has_generation),
                    "going": object.metadata.deletion_timestamp.is_some(),
                    "labels": object.labels(),
                    "annotations": object.annotations(),
                    "finalizers": finalizers,
                    "data": object.data.get("data").filter(|data| **data != json!({})),
                    "tenants": object.data.pointer("/spec/tenants/0/host"),
                    "status": object.data.get("status").filter(|status| has_generation && **status != unseen),
                })
                .to_string()
            }
            Err(kube::Error::Api(status)) => format!("{} {}", status.code, status.reason),
            Err(error) => return Err(error.into()),
        };
        self.told.push(format!("{step}: {told}"));
        Ok(())
    }
}
