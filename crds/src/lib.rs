//! The API types of group `assetpipeline.dev`: what a person writes, and what the operator answers.
//!
//! The doc comments are the descriptions that `kubectl explain` shows, so they name units and effects.
//! Rules that the API server can check stand here, as schema or CEL; what it cannot check is the
//! operator's `validate`. Nothing here does any I/O, and no field is accepted and then ignored.

mod asset_tenant;
mod generate;
mod purge;
mod spec;
mod status;

pub use asset_tenant::{AssetTenant, AssetTenantSpec, AssetTenantStatus, PipelineReference};
pub use generate::{
    Unprintable, asset_pipeline_crd, asset_tenant_crd, print_reference, print_template, print_yaml,
};
pub use purge::{MAX_PURGE_STATUSES, PURGE_ANNOTATION_PREFIX, PurgeRequest, PurgeStatus};
pub use spec::{
    ALGORITHM_ATTRIBUTE, AccessLogsSpec, AssetPipeline, AssetPipelineSpec, AwsSpec, BindingMode,
    BindingsSpec, BucketEncryptionSpec, BucketSpec, BucketVersioning, CompileEngine, CompileErrors,
    CompileSourceMaps, CompileSpec, CompileStyle, CompileUrls, ConfigMapVolume, DeletionPolicy, EmptyVolume,
    EntryReference, EnvironmentSource, EnvironmentVariable, ExternalDnsSpec, FreshnessSpec,
    IDLE_TIMEOUT_MARGIN_SECONDS, IngressGroupSpec, IngressScheme, IngressSpec, IngressTlsSpec, JOB_MEBIBYTES,
    LimitsSpec, LiveReload, MAX_NAME_LENGTH, MAX_NONCURRENT_VERSION_DAYS, MAX_TAGS, MIN_SLOW_START_SECONDS,
    NetworkPolicies, NotificationsSpec, OWN_INGRESS_ANNOTATIONS, OWN_LOAD_BALANCER_ATTRIBUTES,
    OWN_TARGET_GROUP_ATTRIBUTES, OriginCredentialsSpec, PodAmounts, PodResources, PodTemplate, PodToleration,
    PodVolume, PullSecret, QueueNames, QueuesSpec, SECURITY_GROUPS_ANNOTATION, SecretVolume, ServiceSpec,
    ServiceType, TaintEffect, TenantSpec, TolerationOperator, TopicSpec, WEB_MEBIBYTES, WEB_REQUESTS,
    WORKER_MEBIBYTES, WORKER_REQUESTS, WebSpec, WhenNotEmpty, WorkerSpec,
};
pub use status::{
    AssetPipelineStatus, BindingsStatus, QueueStatus, TenantStatus, TierStatus, ZoneStatus, condition_reason,
    condition_type,
};

/// The API group of all our resources, and the prefix of our labels, annotations and AWS tags.
pub const GROUP: &str = "assetpipeline.dev";
