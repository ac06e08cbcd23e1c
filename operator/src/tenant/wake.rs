//! Which tenants look again when a pipeline has changed: those of the pipeline, and only where the change
//! is one that concerns them. A pipeline's status changes with every job in its queue.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crds::{AssetPipeline, AssetTenant, condition_type};
use kube::{
    ResourceExt,
    core::DeserializeGuard,
    runtime::reflector::{ObjectRef, Store},
};

type Tenant = DeserializeGuard<AssetTenant>;

/// What tenants see of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Face {
    bucket: Option<String>,
    endpoint: Option<String>,
    is_set_up: bool,
    is_going: bool,
    is_suspended: bool,
}

/// Remembers each pipeline as its tenants last saw it.
pub struct Wakes {
    tenants: Store<Tenant>,
    /// By namespace and name; at most as many as there are pipelines that stay.
    seen: Mutex<HashMap<(String, String), Face>>,
}

impl Wakes {
    pub fn new(tenants: Store<Tenant>) -> Self {
        Self { tenants, seen: Mutex::default() }
    }

    /// The tenants that must look again.
    pub fn of(&self, pipeline: &DeserializeGuard<AssetPipeline>) -> Vec<ObjectRef<Tenant>> {
        // Its own reconcile tells of one that cannot be read.
        let Ok(pipeline) = &pipeline.0 else { return Vec::new() };
        let name = (pipeline.namespace().unwrap_or_default(), pipeline.name_any());
        if !self.is_news(&name, face_of(pipeline)) {
            return Vec::new();
        }
        let (namespace, name) = name;
        let is_its = |tenant: &Tenant| {
            let tenant = tenant.0.as_ref().ok();
            tenant.is_some_and(|tenant| {
                tenant.metadata.namespace.as_deref() == Some(&namespace)
                    && tenant.spec.pipeline_ref.name == name
            })
        };
        let tenants = self.tenants.state().into_iter().filter(|tenant| is_its(tenant));
        tenants.map(|tenant| ObjectRef::from_obj(&*tenant)).collect()
    }

    fn is_news(&self, name: &(String, String), face: Face) -> bool {
        // Every entry is whole after every call, so a panic elsewhere leaves nothing half written.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // All that is heard of one that goes is news: nothing tells when to forget it.
        if face.is_going {
            seen.remove(name);
            return true;
        }
        if seen.get(name) == Some(&face) {
            return false;
        }
        seen.insert(name.clone(), face);
        true
    }
}

fn face_of(pipeline: &AssetPipeline) -> Face {
    let status = pipeline.status.as_ref();
    Face {
        bucket: status.and_then(|status| status.bindings.as_ref()?.bucket.clone()),
        endpoint: pipeline.spec.notifications.endpoint.clone(),
        is_set_up: status
            .and_then(|status| status.condition(condition_type::BINDINGS_READY))
            .is_some_and(|bindings| bindings.status == "True"),
        is_going: pipeline.metadata.deletion_timestamp.is_some(),
        is_suspended: pipeline.spec.suspend,
    }
}
