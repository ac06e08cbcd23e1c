//! From what a person wrote to what can be planned: parsed, bounded, coherent. Pure.
//!
//! The API server refuses most wrong specs already. The same rules stand here for objects that were
//! stored before a rule existed, together with those that a schema cannot express.

mod bindings;
mod ingress;
mod limits;
mod pods;
mod rates;
mod tenant;
mod timeouts;

use std::{
    fmt::Display,
    net::{Ipv4Addr, Ipv6Addr},
    num::NonZeroU32,
};

use crds::{
    AssetPipeline, AssetPipelineSpec, AwsSpec, BindingsSpec, BindingsStatus, CompileErrors,
    CompileSourceMaps, CompileSpec, CompileStyle, CompileUrls, FreshnessSpec, LiveReload, NetworkPolicies,
    ServiceSpec, ServiceType,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};
use pipeline::{
    options::{CompileOptions, OutputStyle, SourceMaps, UrlHandling},
    rate::RateLimits,
};
use url::Url;

use super::observe::told_suffix;
use crate::{
    aws::{BindingSuffix, subscription::NOTICE_PATH},
    names::{ROTATE_ANNOTATION, SUFFIX_ANNOTATION},
    purges::{PurgesPlan, plan_purges},
    scaler::Limits,
    tenants::WantedTenant,
};

pub use ingress::{AccessLogs, Certificate, Policy, Redirect, Tls, ValidIngress};
pub use limits::validate_limits;
pub use pods::{NOTICE_KEY_VOLUME, ORIGIN_CREDENTIALS_VOLUME, PodOverlay, Resources};
pub use rates::validate_rate_limits;
pub use tenant::{validate_engine, validate_host, validate_load_paths, validate_url};
pub use timeouts::Timeouts;

/// Loopback and link-local networks, also as IPv6 maps them: there the node and the cloud tell their secrets.
/// `0.0.0.0` and `::` are loopback, too, for whoever connects to them.
const NEVER_PRIVATE: [IpNet; 9] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 8)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10)),
    IpNet::V6(Ipv6Net::new_assert(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), 96 + 8)),
    IpNet::V6(Ipv6Net::new_assert(Ipv4Addr::new(127, 0, 0, 0).to_ipv6_mapped(), 96 + 8)),
    IpNet::V6(Ipv6Net::new_assert(Ipv4Addr::new(169, 254, 0, 0).to_ipv6_mapped(), 96 + 16)),
];

/// Where clouds tell their secrets within larger networks that may be named: workers ask nothing there. The
/// addresses are Alibaba's, Oracle's and Azure's, AWS's and Google's.
const METADATA: [IpNet; 5] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(100, 100, 100, 200), 32)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 0, 192), 32)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(168, 63, 129, 16), 32)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0), 32)),
];

/// A spec that contradicts itself or cannot be carried out.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidSpec {
    #[error("{field} is {value:?}: {problem}")]
    Field { field: String, value: String, problem: String },
    #[error("the object has no {0}; only objects of the API server can be reconciled")]
    Unidentified(&'static str),
}

/// A pipeline whose every field is known to be usable.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidPipeline {
    pub namespace: String,
    pub name: String,
    pub generation: i64,
    pub owner_reference: OwnerReference,
    pub suffix: Suffix,
    /// What the status last told of the bindings.
    pub told: BindingsStatus,
    pub purges: PurgesPlan,
    pub web_replicas: i32,
    pub web_pods: PodOverlay,
    pub timeouts: Timeouts,
    pub concurrency: NonZeroU32,
    pub limits: Limits,
    pub worker_pods: PodOverlay,
    pub exposure: Exposure,
    pub ingress: Option<ValidIngress>,
    pub endpoint: Option<Url>,
    pub compile: CompileOptions,
    pub errors: CompileErrors,
    pub live_reload: LiveReload,
    /// The wish by which a person last asked for another notice key.
    pub rotate: Option<String>,
    pub max_age_seconds: u32,
    pub max_stale_seconds: u32,
    pub rate_limits: RateLimits,
    pub private_networks: Vec<IpNet>,
    /// Absent: as the operator's settings say.
    pub network_policies: Option<NetworkPolicies>,
    /// Name of the Secret with the headers for origins.
    pub origin_credentials: Option<String>,
    pub aws: AwsSpec,
    pub bindings: BindingsSpec,
    pub tenants: Vec<WantedTenant>,
}

/// The end of the bindings' names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suffix {
    /// Not drawn yet.
    Absent,
    /// The status names bindings that end in it, but the pipeline carries it no more.
    Lost(BindingSuffix),
    /// The pipeline carries it.
    Written(BindingSuffix),
}

/// How the Service is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    ClusterIp,
    NodePort { port: Option<i32> },
}

pub fn validate(object: &AssetPipeline) -> Result<ValidPipeline, InvalidSpec> {
    let AssetPipelineSpec {
        web,
        worker,
        service,
        ingress,
        notifications,
        compile,
        errors,
        live_reload,
        freshness,
        limits,
        private_networks,
        network_policies,
        origin_credentials,
        aws,
        bindings,
        tenants,
        // What is suspended is not planned for.
        suspend: _,
    } = &object.spec;
    let tenants = tenants.iter().map(tenant::validate).collect::<Result<Vec<_>, _>>()?;
    let concurrency = positive("spec.worker.concurrency", worker.concurrency)?;
    let (max_age_seconds, max_stale_seconds) = validate_freshness(freshness)?;
    let timeouts = Timeouts::from_hold_seconds(unsigned("spec.web.holdSeconds", web.hold_seconds)?)?
        .behind(ingress.as_ref())?;
    let ingress = ingress.as_ref().map(ingress::validate).transpose()?;
    let endpoint = notifications.endpoint.as_deref();
    let endpoint = endpoint.map(|url| validate_endpoint(url, &tenants, ingress.as_ref())).transpose()?;
    Ok(ValidPipeline {
        namespace: object.namespace().ok_or(InvalidSpec::Unidentified("namespace"))?,
        name: object.name_any(),
        generation: object.metadata.generation.ok_or(InvalidSpec::Unidentified("generation"))?,
        owner_reference: object.controller_owner_ref(&()).ok_or(InvalidSpec::Unidentified("uid"))?,
        suffix: validate_suffix(object)?,
        told: object.status.as_ref().and_then(|status| status.bindings.clone()).unwrap_or_default(),
        purges: plan_purges(
            object.annotations(),
            object.status.as_ref().map_or(&[], |status| &status.purges),
        ),
        web_replicas: web.replicas,
        web_pods: pods::validate("spec.web.podTemplate", web.pod_template.as_ref(), pods::web_needs())?,
        timeouts,
        concurrency,
        limits: validate_limits(worker)?,
        worker_pods: pods::validate(
            "spec.worker.podTemplate",
            worker.pod_template.as_ref(),
            pods::worker_needs(concurrency),
        )?,
        exposure: validate_exposure(service)?,
        ingress,
        endpoint,
        compile: build_compile_options(compile),
        errors: *errors,
        live_reload: *live_reload,
        rotate: object.annotations().get(ROTATE_ANNOTATION).cloned(),
        max_age_seconds,
        max_stale_seconds,
        rate_limits: validate_rate_limits(limits)?,
        private_networks: private_networks
            .iter()
            .map(|text| validate_network(text))
            .collect::<Result<_, _>>()?,
        network_policies: *network_policies,
        origin_credentials: origin_credentials.as_ref().map(|credentials| credentials.secret_name.clone()),
        aws: aws.clone(),
        bindings: bindings::validate(bindings)?,
        tenants,
    })
}

fn validate_freshness(freshness: &FreshnessSpec) -> Result<(u32, u32), InvalidSpec> {
    let FreshnessSpec { max_age_seconds, max_stale_seconds } = freshness;
    let max_age = unsigned("spec.freshness.maxAgeSeconds", *max_age_seconds)?;
    let max_stale = unsigned("spec.freshness.maxStaleSeconds", *max_stale_seconds)?;
    if max_stale < max_age {
        return Err(invalid(
            "spec.freshness.maxStaleSeconds",
            &max_stale,
            "it must not be below maxAgeSeconds",
        ));
    }
    Ok((max_age, max_stale))
}

/// Another suffix than before would leave the bindings behind, and with them whatever they hold.
fn validate_suffix(object: &AssetPipeline) -> Result<Suffix, InvalidSpec> {
    let told = told_suffix(object);
    let Some(text) = object.annotations().get(SUFFIX_ANNOTATION) else {
        return Ok(told.map_or(Suffix::Absent, Suffix::Lost));
    };
    let field = format!("metadata.annotations[{SUFFIX_ANNOTATION}]");
    let problem = "it was changed by hand; write back what the names in status.bindings end in";
    let written: BindingSuffix = text.parse().map_err(|_| invalid(&field, &text, problem))?;
    match told {
        Some(told) if told != written => {
            let problem = format!("it was changed by hand: status.bindings tells {told}; write that back");
            Err(invalid(&field, &text, &problem))
        }
        Some(_) | None => Ok(Suffix::Written(written)),
    }
}

fn build_compile_options(compile: &CompileSpec) -> CompileOptions {
    let CompileSpec { style, engine, urls, source_maps } = compile;
    let style = match style {
        CompileStyle::Expanded => OutputStyle::Expanded,
        CompileStyle::Compressed => OutputStyle::Compressed,
    };
    let urls = match urls {
        CompileUrls::Rebase => UrlHandling::Rebase,
        CompileUrls::Keep => UrlHandling::Keep,
    };
    let source_maps = match source_maps {
        CompileSourceMaps::None => SourceMaps::None,
        CompileSourceMaps::Inline => SourceMaps::Inline,
    };
    CompileOptions { engine: validate_engine(*engine), style, urls, source_maps }
}

fn validate_exposure(service: &ServiceSpec) -> Result<Exposure, InvalidSpec> {
    let ServiceSpec { type_, node_port } = service;
    match (type_, node_port) {
        (ServiceType::ClusterIP, None) => Ok(Exposure::ClusterIp),
        (ServiceType::ClusterIP, Some(port)) => {
            Err(invalid("spec.service.nodePort", &port, "it needs spec.service.type NodePort"))
        }
        (ServiceType::NodePort, port) => Ok(Exposure::NodePort { port: *port }),
    }
}

/// Visitors and SNS must not meet under one host: what a tenant's host serves is the tenant's.
fn validate_endpoint(
    text: &str,
    tenants: &[WantedTenant],
    ingress: Option<&ValidIngress>,
) -> Result<Url, InvalidSpec> {
    let refuse = |problem: &str| invalid("spec.notifications.endpoint", &text, problem);
    let url: Url = text.parse().map_err(|error| refuse(&format!("{error}")))?;
    if !is_plain_http(&url) || !url.path().ends_with(NOTICE_PATH) {
        return Err(refuse("it must be an http or https URL that ends in /work_complete"));
    }
    if tenants.iter().any(|tenant| url.host_str() == Some(tenant.host.as_str())) {
        return Err(refuse("its host is a tenant's; give notifications a host of their own"));
    }
    if let Some(ingress) = ingress {
        ingress.check_endpoint(&url).map_err(refuse)?;
    }
    Ok(url)
}

fn validate_network(text: &str) -> Result<IpNet, InvalidSpec> {
    let refuse = |problem: &str| invalid("spec.privateNetworks", &text, problem);
    let network: IpNet = text.parse().map_err(|_| refuse("it must be a network such as 10.20.0.0/16"))?;
    let overlaps = |never: &&IpNet| never.contains(&network) || network.contains(*never);
    if let Some(never) = NEVER_PRIVATE.iter().find(overlaps) {
        return Err(refuse(&format!(
            "it overlaps {never}, and loopback and link-local addresses are never allowed; name the \
             networks of your origins only"
        )));
    }
    if let Some(metadata) = METADATA.iter().find(|metadata| metadata.contains(&network)) {
        return Err(refuse(&format!("it lies in {metadata}, where a cloud tells machines their secrets")));
    }
    Ok(network.trunc())
}

/// An http or https URL without user, query or fragment.
fn is_plain_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

fn unsigned(field: &str, value: i32) -> Result<u32, InvalidSpec> {
    u32::try_from(value).map_err(|_| invalid(field, &value, "it must not be negative"))
}

fn positive(field: &str, value: i32) -> Result<NonZeroU32, InvalidSpec> {
    unsigned(field, value)
        .ok()
        .and_then(NonZeroU32::new)
        .ok_or_else(|| invalid(field, &value, "it must be at least 1"))
}

fn invalid(field: &str, value: &dyn Display, problem: &str) -> InvalidSpec {
    InvalidSpec::Field { field: field.to_owned(), value: value.to_string(), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests;
