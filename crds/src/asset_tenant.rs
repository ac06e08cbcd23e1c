//! An `AssetTenant`: a site as an object of its own, for those who keep their tenants in Git.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CompileEngine, LimitsSpec};

/// A site whose Sass an `AssetPipeline` of the same namespace compiles.
#[derive(CustomResource, JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "assetpipeline.dev",
    version = "v1alpha1",
    kind = "AssetTenant",
    plural = "assettenants",
    shortname = "at",
    namespaced,
    status = "AssetTenantStatus",
    derive = "PartialEq",
    cel,
    doc = "A site whose Sass an `AssetPipeline` of the same namespace compiles.",
    validation = Rule::new("self.spec.pipelineRef.name == oldSelf.spec.pipelineRef.name").message(
        "spec.pipelineRef cannot be changed, since the old pipeline's registry would keep the hosts: delete \
         the AssetTenant and make it anew"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Pipeline", type_ = "string", json_path = ".spec.pipelineRef.name"),
    printcolumn(
        name = "Host",
        type_ = "string",
        json_path = ".spec.hosts[0]",
        description = "The first of the hosts."
    ),
    printcolumn(name = "Origin", type_ = "string", json_path = ".spec.origin"),
    printcolumn(
        name = "Tenant",
        type_ = "string",
        json_path = ".status.tenantId",
        description = "The id under which the files lie.",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AssetTenantSpec {
    /// The pipeline that serves the site.
    pub pipeline_ref: PipelineReference,
    /// The host names under which visitors ask for the style sheets, in lower case and without a port. All
    /// of them serve the same files; the first one is the site's main one.
    #[schemars(length(min = 1, max = 10), inner(length(min = 1, max = 253)))]
    #[schemars(extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = [{
        "rule": r"self.all(host, host.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$'))",
        "message": "every entry of spec.hosts must be a DNS name in lower case without a port, such as assets.example.com"
    }, {
        "rule": r"!self.exists(host, host.matches('^[0-9]+([.][0-9]+){3}$'))",
        "message": "every entry of spec.hosts must be a DNS name and not an IP address, which no Ingress takes"
    }]))]
    pub hosts: Vec<String>,
    /// The site's own web server: an http or https URL. A path is put before every source's path. Another
    /// origin makes new files: those of the old one are never served for it.
    #[schemars(length(min = 1, max = 2048))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": r"self.matches('^https?://[^/?#@\\s]+(/[^?#\\s]*)?$')",
        "message": "spec.origin must be an http or https URL without user, query or fragment, such as https://www.example.com"
    }]))]
    pub origin: String,
    /// The site as visitors' browsers reach it, where that is not the `origin`, as with an origin that only the
    /// cluster reaches: an http or https URL. Fonts and images of the CSS are looked for below it, and visitors
    /// who ask for anything but style sheets are redirected there. A change makes new files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": r"self.matches('^https?://[^/?#@\\s]+(/[^?#\\s]*)?$')",
        "message": "spec.siteUrl must be an http or https URL without user, query or fragment, such as https://www.example.com"
    }]))]
    pub site_url: Option<String>,
    /// Absolute paths at the origin where imports are looked for after the importing file's own
    /// folder, such as `/node_modules`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 512)))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self.all(path, path.startsWith('/') && !path.contains('..'))",
        "message": "every entry of spec.loadPaths must be a path that begins with / and holds no .., such as /node_modules"
    }]))]
    pub load_paths: Vec<String>,
    /// A site under development: compile errors are always shown in its pages.
    #[serde(default)]
    pub development: bool,
    /// Which compiler makes this site's CSS, in place of the pipeline's `spec.compile.engine`. A change makes
    /// new files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<CompileEngine>,
    /// How much this tenant may ask of one web pod, in place of the pipeline's `spec.limits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitsSpec>,
}

/// A pipeline of the same namespace.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PipelineReference {
    /// Name of the `AssetPipeline`.
    #[schemars(length(min = 1, max = 50))]
    pub name: String,
}

/// What the operator last saw and did.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetTenantStatus {
    /// The `metadata.generation` that this status speaks of; -1 before the operator has seen the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling and Stalled. Ready says `Registered`, or why not: `HostTaken`, `PipelineNotFound`,
    /// `PipelineNotReady`, `PipelineSuspended`, `InvalidSpec`, or what the store did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The hosts that are served for this tenant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub hosts: Vec<String>,
    /// The id under which the tenant's files lie; it changes with origin and load paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// The bucket in whose registry the hosts stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
}

#[cfg(test)]
mod tests;
