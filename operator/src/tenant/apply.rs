//! Carries a plan out, without a choice of its own.

use crds::AssetTenant;
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use pipeline::{
    Error,
    names::{HostName, TenantId},
};
use serde_json::json;

use super::plan::{Obstacle, Plan};
use crate::{
    context::Context,
    names::{CLAIM_MANAGER, TENANT_FINALIZER},
    tenants::{TenantStep, TenantsPlan, apply_tenants},
};

/// The cluster refused a write.
#[derive(Debug, thiserror::Error)]
#[error("could not {verb} AssetTenant {name}")]
pub struct WriteError {
    pub(super) verb: &'static str,
    pub(super) name: String,
    #[source]
    pub(super) source: kube::Error,
}

/// What a round came to. The status is made from this and from nothing else.
#[derive(Debug)]
pub enum Applied {
    Waiting(Obstacle),
    /// The finalizer was written.
    Claimed,
    /// Something was written; the next round sees what came of it.
    Worked {
        bucket: String,
    },
    Registered {
        bucket: String,
        hosts: Vec<HostName>,
        id: Option<TenantId>,
        taken: Vec<(HostName, String)>,
    },
    Failed(Error),
}

pub async fn apply(context: &Context, object: &AssetTenant, plan: Plan) -> Result<Applied, WriteError> {
    match plan {
        Plan::Wait(obstacle) => Ok(Applied::Waiting(obstacle)),
        Plan::Unknown(error) => Ok(Applied::Failed(error)),
        Plan::Claim => {
            write_finalizer(context, object).await?;
            Ok(Applied::Claimed)
        }
        Plan::Register { bucket, owner, plan } => {
            let TenantsPlan { steps, taken, registered } = plan;
            if steps.is_empty() {
                let id = registered.first().map(|(_, id)| id.clone());
                let hosts = registered.into_iter().map(|(host, _)| host).collect();
                return Ok(Applied::Registered { bucket, hosts, id, taken });
            }
            Ok(match apply_tenants(&*context.open_store(&bucket), &owner, steps).await {
                Ok(()) => Applied::Worked { bucket },
                Err(error) => Applied::Failed(error),
            })
        }
    }
}

pub async fn apply_departure(
    context: &Context,
    bucket: &str,
    owner: &str,
    steps: Vec<TenantStep>,
) -> Result<(), Error> {
    apply_tenants(&*context.open_store(bucket), owner, steps).await
}

/// The resource version makes sure that the object is still the one that was looked at.
async fn write_finalizer(context: &Context, object: &AssetTenant) -> Result<(), WriteError> {
    let claim = json!({
        "apiVersion": AssetTenant::api_version(&()),
        "kind": AssetTenant::kind(&()),
        "metadata": {
            "name": object.name_any(),
            "resourceVersion": object.resource_version(),
            "finalizers": [TENANT_FINALIZER],
        }
    });
    let parameters = PatchParams::apply(CLAIM_MANAGER).force();
    let name = object.name_any();
    let written = namespaced(context, object).patch(&name, &parameters, &Patch::Apply(&claim)).await;
    written.map(drop).map_err(|source| WriteError { verb: "claim", name, source })
}

/// A merge under the object's version: whoever wrote our finalizer, a restored backup included, it goes.
pub async fn let_go(context: &Context, object: &AssetTenant) -> Result<(), WriteError> {
    if !object.finalizers().iter().any(|finalizer| finalizer == TENANT_FINALIZER) {
        return Ok(());
    }
    let others: Vec<&String> =
        object.finalizers().iter().filter(|finalizer| *finalizer != TENANT_FINALIZER).collect();
    let patch = json!({"metadata": {"finalizers": others, "resourceVersion": object.resource_version()}});
    let name = object.name_any();
    let api = namespaced(context, object);
    match api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        written => written.map(drop).map_err(|source| WriteError { verb: "let go of", name, source }),
    }
}

pub(super) fn namespaced(context: &Context, object: &AssetTenant) -> Api<AssetTenant> {
    Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default())
}
