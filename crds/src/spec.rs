//! The spec of an `AssetPipeline`: one struct per part, each in its own file.

mod aws;
mod bindings;
mod compile;
mod ingress;
mod limits;
mod network;
mod origin;
mod pod_template;
mod service;
mod tenant;
mod tiers;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use aws::{AwsSpec, NotificationsSpec};
pub use bindings::{
    BindingMode, BindingsSpec, BucketEncryptionSpec, BucketSpec, BucketVersioning, DeletionPolicy,
    MAX_NONCURRENT_VERSION_DAYS, MAX_TAGS, QueueNames, QueuesSpec, TopicSpec, WhenNotEmpty,
};
pub use compile::{
    CompileEngine, CompileErrors, CompileSourceMaps, CompileSpec, CompileStyle, CompileUrls, FreshnessSpec,
    LiveReload,
};
pub use ingress::{
    ALGORITHM_ATTRIBUTE, AccessLogsSpec, ExternalDnsSpec, IDLE_TIMEOUT_MARGIN_SECONDS, IngressGroupSpec,
    IngressScheme, IngressSpec, IngressTlsSpec, MIN_SLOW_START_SECONDS, OWN_INGRESS_ANNOTATIONS,
    OWN_LOAD_BALANCER_ATTRIBUTES, OWN_TARGET_GROUP_ATTRIBUTES, SECURITY_GROUPS_ANNOTATION,
};
pub use limits::LimitsSpec;
pub use network::NetworkPolicies;
pub use origin::OriginCredentialsSpec;
pub use pod_template::{
    ConfigMapVolume, EmptyVolume, EntryReference, EnvironmentSource, EnvironmentVariable, JOB_MEBIBYTES,
    PodAmounts, PodResources, PodTemplate, PodToleration, PodVolume, PullSecret, SecretVolume, TaintEffect,
    TolerationOperator, WEB_MEBIBYTES, WEB_REQUESTS, WORKER_MEBIBYTES, WORKER_REQUESTS,
};
pub use service::{ServiceSpec, ServiceType};
pub use tenant::TenantSpec;
pub use tiers::{WebSpec, WorkerSpec};

use crate::status::AssetPipelineStatus;

/// Longest name of an `AssetPipeline`: children add up to 13 characters, and a Service's name ends at 63.
pub const MAX_NAME_LENGTH: usize = 50;

/// A fleet of web and worker pods that compiles the Sass of its tenants' sites on the first visit.
#[derive(CustomResource, JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "assetpipeline.dev",
    version = "v1alpha1",
    kind = "AssetPipeline",
    plural = "assetpipelines",
    shortname = "ap",
    namespaced,
    status = "AssetPipelineStatus",
    scale(
        spec_replicas_path = ".spec.web.replicas",
        status_replicas_path = ".status.web.replicas",
        label_selector_path = ".status.web.selector"
    ),
    selectable = ".spec.suspend",
    derive = "PartialEq",
    cel,
    doc = "A fleet of web and worker pods that compiles the Sass of its tenants' sites on the first visit.",
    validation = Rule::new(
        "size(self.metadata.name) <= 50 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')"
    ).message(
        "metadata.name must have at most 50 characters, start with a letter and hold only a-z, 0-9 and -: \
         it begins the names of Services"
    ),
    validation = Rule::new(
        "has(self.spec.bindings.bucket.name) == has(oldSelf.spec.bindings.bucket.name) && \
         (!has(self.spec.bindings.bucket.name) || \
          self.spec.bindings.bucket.name == oldSelf.spec.bindings.bucket.name)"
    ).message(
        "spec.bindings.bucket.name cannot be set, changed or removed later, since files and registrations would \
         stay behind: make a new AssetPipeline"
    ),
    validation = Rule::new(
        "has(self.spec.bindings.queues.names) == has(oldSelf.spec.bindings.queues.names) && \
         (!has(self.spec.bindings.queues.names) || \
          self.spec.bindings.queues.names == oldSelf.spec.bindings.queues.names)"
    ).message(
        "spec.bindings.queues.names cannot be set, changed or removed later, since jobs would stay behind: make a \
         new AssetPipeline"
    ),
    validation = Rule::new(
        "has(self.spec.bindings.topic.name) == has(oldSelf.spec.bindings.topic.name) && \
         (!has(self.spec.bindings.topic.name) || \
          self.spec.bindings.topic.name == oldSelf.spec.bindings.topic.name)"
    ).message(
        "spec.bindings.topic.name cannot be set, changed or removed later, since notices would be lost: make a new \
         AssetPipeline"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(
        name = "Web",
        type_ = "integer",
        json_path = ".status.web.readyReplicas",
        description = "Web pods that are ready."
    ),
    printcolumn(
        name = "Workers",
        type_ = "integer",
        json_path = ".status.worker.readyReplicas",
        description = "Worker pods that are ready."
    ),
    printcolumn(
        name = "Queue",
        type_ = "integer",
        json_path = ".status.queue.visible",
        description = "Jobs that wait for a worker."
    ),
    printcolumn(
        name = "URL",
        type_ = "string",
        json_path = ".status.url",
        description = "Where the first tenant's visitors ask."
    ),
    printcolumn(
        name = "Bucket",
        type_ = "string",
        json_path = ".status.bindings.bucket",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = ingress::spec_rules()))]
pub struct AssetPipelineSpec {
    /// The pods that answer visitors.
    #[serde(default)]
    pub web: WebSpec,
    /// The pods that fetch and compile.
    #[serde(default)]
    pub worker: WorkerSpec,
    /// The Service in front of the web pods; it listens on port 80.
    #[serde(default)]
    pub service: ServiceSpec,
    /// An Ingress with one rule per inline tenant's host, and for `ingress.hosts`. Absent: no Ingress is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<IngressSpec>,
    /// The durable way (SNS) by which the web pods hear that a file is compiled.
    #[serde(default)]
    pub notifications: NotificationsSpec,
    /// How style sheets are compiled. A change makes new files; those of the old settings stay.
    #[serde(default)]
    pub compile: CompileSpec,
    /// How a compile error is answered. `Show`: status 200 with the error made visible in the page.
    /// `Status`: status 422, which browsers ignore. A tenant with `development: true` always gets `Show`.
    #[serde(default)]
    pub errors: CompileErrors,
    /// Whether pages may listen for changes of their style sheets. `Enabled`: a page that loads the script
    /// `/_assets/live.js` of a tenant's host shows changed style sheets without being loaded anew, within
    /// seconds for tenants with `development: true`. Each such page keeps a connection to a web pod.
    #[serde(default)]
    pub live_reload: LiveReload,
    /// For how long compiled files are served before their sources are looked at again.
    #[serde(default)]
    pub freshness: FreshnessSpec,
    /// How much one tenant may ask of one web pod. What is beyond gets status 429 with `Retry-After`.
    #[serde(default)]
    pub limits: LimitsSpec,
    /// Networks (CIDR) in which tenants' origins may lie although their addresses are private, such as
    /// `10.20.0.0/16`. All of their ports may be asked; elsewhere ports 80 and 443 of public addresses and
    /// names are. Loopback and link-local addresses and those of cloud metadata are never asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 43)))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self.all(network, isCIDR(network))",
        "message": "every entry of spec.privateNetworks must be a network with its prefix length, such as 10.20.0.0/16"
    }]))]
    pub private_networks: Vec<String>,
    /// Whether the operator keeps a `NetworkPolicy` for each tier of pods; they count where the cluster's network
    /// plugin enforces them. `Managed`: visitors reach the web pods from anywhere, `/metrics` is asked from the
    /// cluster's pods and from private addresses, and pods of the pipeline ask each other; web pods ask DNS and AWS,
    /// workers origins, too, at public addresses and in `privateNetworks`. Policies add up: what else is to pass is
    /// let through by one of your own. `None`: none is made, and those that were made are deleted. Absent: as the
    /// operator's Helm value `networkPolicies.default` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_policies: Option<NetworkPolicies>,
    /// Headers that tenants' origins are asked with, for origins that ask for a password or a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin_credentials: Option<OriginCredentialsSpec>,
    /// What the pods need to reach AWS.
    #[serde(default)]
    pub aws: AwsSpec,
    /// The AWS resources: by default the operator makes all of them, and keeps the bucket at the end.
    #[serde(default)]
    pub bindings: BindingsSpec,
    /// The sites that are served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["host"]))]
    pub tenants: Vec<TenantSpec>,
    /// While true the operator changes nothing of this pipeline, on AWS or in the cluster: changes of the spec,
    /// purges and what its `AssetTenant`s change wait until it is false again. Its pods run on, and the number of
    /// workers alone still follows the queues, within `spec.worker`. What is deleted goes all the same.
    #[serde(default)]
    pub suspend: bool,
}

#[cfg(test)]
mod tests;
