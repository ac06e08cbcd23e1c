//! The kinds of children: where each is kept, and what of it nobody reads.

use std::{collections::BTreeMap, fmt::Debug};

use k8s_openapi::{
    Metadata, NamespaceResourceScope,
    api::{
        apps::v1::{Deployment, DeploymentStatus},
        core::v1::{ConfigMap, Secret, Service, ServiceAccount},
        networking::v1::{Ingress, NetworkPolicy},
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::Resource;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Board, ChildCache};
use crate::{names::APPLIED_ANNOTATION, pipeline::ownership::is_controlled_by};

/// Annotations that others write, at length or often, and that say nothing to us.
const UNREAD: [&str; 2] =
    ["kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision"];

/// A kind of a pipeline's children.
pub trait Child:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()>
    + Metadata<Ty = ObjectMeta>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + 'static
{
    /// `None` for a kind that is read by name and not watched.
    fn board(children: &ChildCache) -> Option<&Board>;

    /// Drops what no round reads, so that it takes no room and its changes wake nobody.
    fn prune(&mut self) {
        prune_metadata(self.metadata_mut());
    }
}

/// What the scaler reads of a worker Deployment: some bytes of thousands, once a second.
#[derive(Debug, Deserialize)]
pub struct WorkerSight {
    metadata: ObjectMeta,
    spec: WorkerSpec,
    status: Option<WorkerStatus>,
}

#[derive(Debug, Deserialize)]
struct WorkerSpec {
    replicas: Option<i32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WorkerStatus {
    ready_replicas: Option<i32>,
}

impl WorkerSight {
    pub fn is_controlled_by(&self, uid: &str) -> bool {
        is_controlled_by(&self.metadata, uid)
    }

    /// Whether the operator has applied it; before that the scaler's manager alone holds all of it.
    pub fn is_applied(&self) -> bool {
        self.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(APPLIED_ANNOTATION))
    }

    pub fn uid(&self) -> Option<&str> {
        self.metadata.uid.as_deref()
    }

    /// What it asks for.
    pub fn replicas(&self) -> Option<u32> {
        self.spec.replicas.and_then(|replicas| u32::try_from(replicas).ok())
    }

    /// Pods of it that the cluster takes for ready.
    pub fn ready(&self) -> u32 {
        let ready = self.status.as_ref().and_then(|status| status.ready_replicas);
        ready.and_then(|ready| u32::try_from(ready).ok()).unwrap_or_default()
    }
}

impl Child for Deployment {
    fn board(children: &ChildCache) -> Option<&Board> {
        Some(&children.deployments)
    }

    fn prune(&mut self) {
        prune_metadata(&mut self.metadata);
        self.status = self.status.take().map(|status| DeploymentStatus {
            observed_generation: status.observed_generation,
            replicas: status.replicas,
            ready_replicas: status.ready_replicas,
            updated_replicas: status.updated_replicas,
            ..DeploymentStatus::default()
        });
    }
}

impl Child for Service {
    fn board(children: &ChildCache) -> Option<&Board> {
        Some(&children.services)
    }

    fn prune(&mut self) {
        prune_metadata(&mut self.metadata);
        self.status = None;
    }
}

impl Child for ServiceAccount {
    fn board(children: &ChildCache) -> Option<&Board> {
        Some(&children.service_accounts)
    }
}

impl Child for PodDisruptionBudget {
    fn board(children: &ChildCache) -> Option<&Board> {
        Some(&children.disruption_budgets)
    }

    /// Its status changes with every pod.
    fn prune(&mut self) {
        prune_metadata(&mut self.metadata);
        self.status = None;
    }
}

impl Child for Ingress {
    fn board(children: &ChildCache) -> Option<&Board> {
        Some(&children.ingresses)
    }

    /// The spec may ask for any annotation.
    fn prune(&mut self) {
        let annotations = self.metadata.annotations.take();
        prune_metadata(&mut self.metadata);
        self.metadata.annotations = annotations;
    }
}

impl Child for NetworkPolicy {
    fn board(children: &ChildCache) -> Option<&Board> {
        Some(&children.network_policies)
    }
}

impl Child for Secret {
    fn board(_: &ChildCache) -> Option<&Board> {
        None
    }
}

impl Child for ConfigMap {
    fn board(_: &ChildCache) -> Option<&Board> {
        None
    }
}

/// Of the metadata rounds read who owns the object and what it is called and marked with.
pub fn prune_metadata(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    metadata.creation_timestamp = None;
    drop_unread(metadata.annotations.as_mut());
}

fn drop_unread(annotations: Option<&mut BTreeMap<String, String>>) {
    if let Some(annotations) = annotations {
        annotations.retain(|name, _| !UNREAD.contains(&name.as_str()));
    }
}
