//! The status of an `AssetPipeline`, in the shape that kstatus (Helm's `--wait`, Flux) understands.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::PurgeStatus;

/// The names of the conditions.
pub mod condition_type {
    /// Everything that visitors need is there and serves, with one web pod missing at the most.
    pub const READY: &str = "Ready";
    /// The operator still has work to do, or waits for something to come up.
    pub const RECONCILING: &str = "Reconciling";
    /// Nothing will change until a person acts: on the spec, on an object or a host that is somebody else's, or on
    /// what AWS denies or refuses. What passes by itself is told by `Reconciling`.
    pub const STALLED: &str = "Stalled";
    /// The bucket, queues and topic exist, are this pipeline's or may be used by it, and no write on them is left.
    pub const BINDINGS_READY: &str = "BindingsReady";
    /// The bindings are all there, and what the operator may not change, since the spec says `ReadOnly` or a tag is
    /// somebody else's, is as it should be all the same.
    pub const DRIFT_FREE: &str = "DriftFree";
    /// SNS posts notices to the endpoint.
    pub const SUBSCRIPTION_READY: &str = "SubscriptionReady";
    /// Every tenant of the spec is in the registry.
    pub const TENANTS_READY: &str = "TenantsReady";
    /// Enough web pods are ready to serve: one may be missing.
    pub const WEB_AVAILABLE: &str = "WebAvailable";
    /// A worker pod is ready, or none is wanted, since there is no work.
    pub const WORKERS_AVAILABLE: &str = "WorkersAvailable";
    /// The load balancer of the Ingress has an address. There only while the spec asks for an Ingress.
    pub const INGRESS_READY: &str = "IngressReady";
    /// Each timeout of the chain from worker to CDN leaves the next one time enough; the message tells them all.
    pub const TIMEOUTS_COHERENT: &str = "TimeoutsCoherent";
    /// The pods of each tier lie over the zones that take them as evenly as they can.
    pub const ZONES_SPREAD: &str = "ZonesSpread";
    /// Every Secret that the spec names is in the namespace; what it holds is not looked at.
    pub const CREDENTIALS_READY: &str = "CredentialsReady";
    /// The pipeline cannot go, since AWS does not let the operator see or remove what it has there. There only
    /// while it holds.
    pub const DELETION_BLOCKED: &str = "DeletionBlocked";
    /// The spec says that nothing is changed. There only while it holds.
    pub const SUSPENDED: &str = "Suspended";
}

/// The reasons that conditions give. They are part of the API: scripts and alerts match on them.
pub mod condition_reason {
    /// The condition holds as the spec asks for it.
    pub const AS_SPECIFIED: &str = "AsSpecified";
    /// Work is under way.
    pub const IN_PROGRESS: &str = "InProgress";
    /// Nothing stands in the way.
    pub const NOT_STALLED: &str = "NotStalled";
    /// The spec contradicts itself; the message names the field.
    pub const INVALID_SPEC: &str = "InvalidSpec";
    /// The API server refused a child object.
    pub const APPLY_FAILED: &str = "ApplyFailed";
    /// Fewer web pods are ready than serving takes: more than one is missing, or all are.
    pub const WEB_NOT_READY: &str = "WebNotReady";
    /// Worker pods are wanted, and none is ready.
    pub const WORKERS_NOT_READY: &str = "WorkersNotReady";
    /// The Ingress has no address yet; the controller of its class gives it one.
    pub const WAITING_FOR_LOAD_BALANCER: &str = "WaitingForLoadBalancer";
    /// The spec asks for an Ingress, and names no host that it could serve.
    pub const NO_HOSTS: &str = "NoHosts";
    /// One zone has at least two pods more than another that would take them.
    pub const UNEVEN: &str = "Uneven";
    /// All nodes that take the pods are in one zone.
    pub const SINGLE_ZONE: &str = "SingleZone";
    /// No node that takes the pods tells its zone.
    pub const NO_ZONES: &str = "NoZones";
    /// The operator does not watch nodes, or may not.
    pub const NODES_UNSEEN: &str = "NodesUnseen";
    /// The AWS resources are not all there yet.
    pub const BINDINGS_NOT_READY: &str = "BindingsNotReady";
    /// The registry does not hold all tenants yet.
    pub const TENANTS_NOT_READY: &str = "TenantsNotReady";
    /// AWS did not answer, or did not know what was there a moment ago.
    pub const AWS_UNAVAILABLE: &str = "AwsUnavailable";
    /// AWS asked for fewer calls; the operator waits, longer each time, and goes on by itself.
    pub const AWS_THROTTLED: &str = "AwsThrottled";
    /// AWS refused the operator's credentials or permissions.
    pub const AWS_DENIED: &str = "AwsDenied";
    /// AWS refused a request as wrong.
    pub const AWS_REFUSED: &str = "AwsRefused";
    /// A resource of the needed name exists and is not marked as this pipeline's: by tags on AWS, by its controller in the cluster.
    pub const FOREIGN_RESOURCE: &str = "ForeignResource";
    /// A resource is not this pipeline's, and neither its tag nor the Helm values allow that it is used.
    pub const ADOPTION_NOT_ALLOWED: &str = "AdoptionNotAllowed";
    /// A resource that the spec names for adoption, or for reading only, does not exist.
    pub const RESOURCE_MISSING: &str = "ResourceMissing";
    /// A resource with mode `ReadOnly` is not set as it should be, or others have set a tag that the spec has otherwise;
    /// the message says how.
    pub const DRIFTED: &str = "Drifted";
    /// A Secret that the spec names is not there; the message says which.
    pub const SECRET_MISSING: &str = "SecretMissing";
    /// A tenant's host is claimed by somebody else.
    pub const HOST_TAKEN: &str = "HostTaken";
    /// The spec names no endpoint, so nothing is subscribed.
    pub const NO_ENDPOINT: &str = "NoEndpoint";
    /// The subscription waits until a web pod is ready to confirm it.
    pub const WAITING_FOR_WEB: &str = "WaitingForWeb";
    /// Nothing is subscribed, since the endpoint does not lead to the web pods; the message says what was seen.
    pub const UNREACHABLE: &str = "Unreachable";
    /// SNS has not seen the confirmation of the subscription yet.
    pub const PENDING_CONFIRMATION: &str = "PendingConfirmation";
    /// The object is being deleted.
    pub const DELETING: &str = "Deleting";
    /// The spec says that nothing is changed.
    pub const SUSPENDED: &str = "Suspended";
    /// Every host of a tenant is served.
    pub const REGISTERED: &str = "Registered";
    /// A tenant names a pipeline that is not there, or is going.
    pub const PIPELINE_NOT_FOUND: &str = "PipelineNotFound";
    /// A tenant's pipeline has no bucket yet.
    pub const PIPELINE_NOT_READY: &str = "PipelineNotReady";
    /// A tenant has changed, and its pipeline is suspended.
    pub const PIPELINE_SUSPENDED: &str = "PipelineSuspended";
}

/// What the operator last saw and did.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetPipelineStatus {
    /// The `metadata.generation` that this status speaks of; -1 before the operator has seen the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling and Stalled for everybody; `BindingsReady`, `DriftFree`, `SubscriptionReady`, `TenantsReady`,
    /// `CredentialsReady`, `WebAvailable`, `WorkersAvailable`, `ZonesSpread` and `TimeoutsCoherent` for details; `IngressReady`,
    /// `Suspended` and `DeletionBlocked` only while there is something to tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Where the first tenant's visitors ask: scheme and host. Absent without an Ingress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Names and addresses of the Ingress's load balancer: where the DNS names of the tenants' hosts are to lead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub load_balancer: Vec<String>,
    /// The web pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web: Option<TierStatus>,
    /// The worker pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<TierStatus>,
    /// The jobs in both queues, of visits and of refreshes, when they were last looked at. SQS's numbers are approximate and late by seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueStatus>,
    /// The AWS resources of this pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bindings: Option<BindingsStatus>,
    /// The tenants as the registry holds them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["host"]))]
    pub tenants: Vec<TenantStatus>,
    /// The latest purges that were ordered, and what came of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub purges: Vec<PurgeStatus>,
}

impl AssetPipelineStatus {
    /// The condition of this type, where it was told.
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == type_)
    }
}

/// The pods of one tier.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TierStatus {
    /// Pods that exist.
    pub replicas: i32,
    /// Pods that are ready.
    pub ready_replicas: i32,
    /// Which pods these are, as a label selector: autoscalers ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// The zones that take these pods, and those that have some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub zones: Vec<ZoneStatus>,
}

/// The pods of one tier in one zone.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ZoneStatus {
    /// The nodes' label `topology.kubernetes.io/zone`.
    pub name: String,
    /// Pods that were not told to end.
    pub replicas: i32,
    /// Those of them that are ready.
    pub ready_replicas: i32,
}

/// Jobs in the queues.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueStatus {
    /// Jobs that wait for a worker.
    pub visible: i64,
    /// Jobs that a worker has taken.
    pub in_flight: i64,
}

/// The AWS resources of a pipeline, each absent until it exists.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BindingsStatus {
    /// Name of the bucket of files and registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// URL of the queue of jobs that visitors wait for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_url: Option<String>,
    /// URL of the queue of jobs that nobody waits for: refreshes of files that are served stale meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_queue_url: Option<String>,
    /// URL of the queue of jobs that failed for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_queue_url: Option<String>,
    /// ARN of the topic of notices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_arn: Option<String>,
    /// ARN of the confirmed subscription of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_arn: Option<String>,
    /// Seconds between two looks for drift: 300, or more where the operator has too many pipelines for its budget of
    /// calls. Longer for a while after AWS has asked for fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_interval_seconds: Option<i64>,
}

/// A tenant as the registry holds it.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantStatus {
    /// The host that visitors ask for.
    pub host: String,
    /// The id under which the tenant's files lie; it changes with origin and load paths.
    pub id: String,
}
