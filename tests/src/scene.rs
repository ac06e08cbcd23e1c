//! A pipeline of a test's own, on the real cluster: its namespace, its origin, its visitors.
//!
//! Owns everything that it makes, and takes it away again however the test ends; what stands in the way
//! is shown where the test failed. Tenants, names and ports are unique, so tests do not meet.

mod objects;
mod pods;
mod ready;
mod report;
mod setting;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::{AssetPipeline, AssetPipelineSpec, BindingsStatus};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use crate::{
    control::Control,
    ended::Ended,
    origin::Origin,
    patience::eventually,
    places::{self, Held},
    scene::report::print_report,
    visitor::Visitor,
};

pub use pods::{Paused, Tier, fetch_metrics};
pub use ready::{check_condition, find_condition, is_ready};
pub use setting::{Setting, Sns};

/// Name of the pipeline in its namespace.
pub const PIPELINE: &str = "site";
const READY_WITHIN: Duration = Duration::from_mins(2);
/// Pods serve on for some seconds after they were told to end.
const GONE_WITHIN: Duration = Duration::from_mins(2);

/// A pipeline that is ready, with two tenants of the same origin.
pub struct Scene {
    pub control: Control,
    pub namespace: String,
    pub origin: Origin,
    /// A tenant as in production.
    pub visitor: Visitor,
    /// A tenant with `development: true`.
    pub developer: Visitor,
}

/// Makes a scene, plays the act on it when it is ready, and takes it away, whatever the act came to.
pub async fn play(name: &str, setting: Setting, act: impl AsyncFnOnce(&Scene) -> Result<()>) -> Result<()> {
    let place = places::take_one().await?;
    play_on(&place, name, setting, act).await
}

/// Likewise, on places that are held already.
pub async fn play_on(
    _place: &Held,
    name: &str,
    setting: Setting,
    act: impl AsyncFnOnce(&Scene) -> Result<()>,
) -> Result<()> {
    let control = Control::with_operator().await?;
    let scene = Scene::prepare(control, name).await?;
    // In a box: acts that call AWS are large.
    let act = Box::pin(async {
        scene.set(&setting).await?;
        scene.wait_until_ready(&setting).await?;
        act(&scene).await
    });
    let ended = Ended::of(act).await;
    if !ended.is_well() {
        print_report(&scene);
    }
    ended.then(scene.end().await)
}

impl Scene {
    pub fn pipelines(&self) -> Api<AssetPipeline> {
        self.control.api(&self.namespace)
    }

    pub async fn pipeline(&self) -> Result<AssetPipeline> {
        self.pipelines().get(PIPELINE).await.context("cannot read the pipeline")
    }

    /// The pipeline's AWS resources as its status tells them.
    pub async fn bindings(&self) -> Result<BindingsStatus> {
        let status = self.pipeline().await?.status.context("the pipeline has no status")?;
        status.bindings.context("the status names no bindings")
    }

    /// Replaces the fields of the spec that are set here.
    pub async fn change_spec(&self, spec: &AssetPipelineSpec) -> Result<()> {
        let patch = Patch::Merge(json!({ "spec": spec }));
        let changed = self.pipelines().patch(PIPELINE, &PatchParams::default(), &patch).await;
        changed.map(drop).context("cannot change the pipeline")
    }

    /// Makes the pipeline that was deleted anew, by the same spec, and waits until it is ready.
    pub async fn set_again(&self, setting: &Setting) -> Result<()> {
        self.set(setting).await?;
        self.wait_until_ready(setting).await
    }

    /// Asks the API server to delete the pipeline, and waits until it is gone.
    pub async fn delete_pipeline(&self) -> Result<()> {
        self.ask_for_deletion().await?;
        eventually(GONE_WITHIN, "the pipeline to be gone", async || self.check_gone().await).await
    }

    /// Asks the API server to delete the pipeline; one that is gone is no error.
    pub async fn ask_for_deletion(&self) -> Result<()> {
        match self.pipelines().delete(PIPELINE, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            asked => asked.map(drop).context("cannot delete the pipeline"),
        }
    }

    async fn check_gone(&self) -> Result<()> {
        let left = self.pipelines().get_opt(PIPELINE).await?;
        let finalizers = left.as_ref().map(|left| left.metadata.finalizers.clone());
        ensure!(left.is_none(), "it is still there, with finalizers {finalizers:?}");
        Ok(())
    }

    async fn end(self) -> Result<()> {
        self.ask_for_deletion().await?;
        eventually(GONE_WITHIN, "the pipeline to be gone", async || {
            // Nobody visits any more, so nobody needs the seconds for which ending pods serve on.
            self.remove_ending_pods().await?;
            self.check_gone().await
        })
        .await?;
        let namespaces: Api<Namespace> = Api::all(self.control.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::default()).await?;
        eventually(GONE_WITHIN, "the namespace to be gone", async || {
            let left = namespaces.get_opt(&self.namespace).await?;
            ensure!(left.is_none(), "it is {:?}", left.and_then(|left| left.status));
            Ok(())
        })
        .await
    }
}
