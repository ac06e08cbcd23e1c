//! What the pods of both tiers have in common: restricted security, probes, AWS access, the notice key.

use std::{collections::BTreeMap, fmt::Display};

use k8s_openapi::{
    api::core::v1::{
        Capabilities, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction, Lifecycle,
        ObjectFieldSelector, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements,
        SeccompProfile, SecretKeySelector, SecretVolumeSource, SecurityContext, Toleration,
        TopologySpreadConstraint, Volume, VolumeMount,
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{LabelSelector, ObjectMeta},
        util::intstr::IntOrString,
    },
};
use pipeline::env;

use super::notice_secret::KEYS_ENTRY;
use crate::{
    config::WorkloadConfig,
    names::{Tier, notice_secret},
    pipeline::validate::{
        NOTICE_KEY_VOLUME, ORIGIN_CREDENTIALS_VOLUME, PodOverlay, Resources, ValidPipeline,
    },
};

pub(super) const PUBLIC_PORT_NAME: &str = "public";
pub(super) const INTERNAL_PORT_NAME: &str = "internal";
pub(super) const OPERATION_PORT_NAME: &str = "operation";

const NOTICE_KEY_DIRECTORY: &str = "/etc/assetpipeline/notice-key";
pub(super) const ORIGIN_CREDENTIALS_DIRECTORY: &str = "/etc/assetpipeline/origin-credentials";
/// Any number but 0; the images have no users.
const USER_ID: i64 = 65_532;
/// The label of a node that tells its zone.
const ZONE: &str = "topology.kubernetes.io/zone";
/// The label of a node that tells itself.
const HOST: &str = "kubernetes.io/hostname";
/// Seconds after which a pod leaves a node that has gone silent.
const SILENT_NODE_SECONDS: i64 = 10;

/// What distinguishes one tier's pods from the other's.
pub(super) struct TierPods<'a> {
    pub tier: Tier,
    /// What the spec adds.
    pub overlay: &'a PodOverlay,
    pub image: String,
    pub env: Vec<EnvVar>,
    pub ports: Vec<ContainerPort>,
    pub lifecycle: Option<Lifecycle>,
    pub grace_seconds: u32,
    /// Name of the Secret with the headers for origins.
    pub origin_credentials: Option<String>,
    /// `DoNotSchedule` or `ScheduleAnyway`, where spreading over the zones evenly is not possible.
    pub when_zones_are_uneven: &'static str,
}

pub(super) fn build_template(
    valid: &ValidPipeline,
    workloads: &WorkloadConfig,
    pods: TierPods<'_>,
) -> PodTemplateSpec {
    let TierPods {
        tier,
        overlay,
        image,
        env,
        ports,
        lifecycle,
        grace_seconds,
        origin_credentials,
        when_zones_are_uneven,
    } = pods;
    let PodOverlay {
        labels,
        annotations,
        env: added_env,
        volumes: added_volumes,
        node_selector,
        tolerations,
        priority_class_name,
        image_pull_secrets,
        runtime_class_name,
        resources,
    } = overlay.clone();
    let folders = build_secret_folders(valid, origin_credentials).into_iter().chain(added_volumes);
    let (volumes, volume_mounts) = folders.unzip();
    let container = Container {
        name: tier.as_str().to_owned(),
        image: Some(image),
        image_pull_policy: Some(workloads.image_pull_policy.clone()),
        env: Some(env.into_iter().chain(build_shared_env(valid, workloads)).chain(added_env).collect()),
        ports: Some(ports),
        resources: Some(build_resources(resources)),
        lifecycle,
        liveness_probe: Some(build_probe("/health", 10, 3)),
        readiness_probe: Some(build_probe("/ready", 2, 2)),
        security_context: Some(build_container_security()),
        volume_mounts: Some(volume_mounts),
        ..Container::default()
    };
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels.into_iter().chain(tier.labels(&valid.name)).collect()),
            annotations: (!annotations.is_empty()).then_some(annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            containers: vec![container],
            service_account_name: Some(tier.child_name(&valid.name)),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            termination_grace_period_seconds: Some(grace_seconds.into()),
            security_context: Some(build_pod_security()),
            tolerations: Some(build_tolerations().into_iter().chain(tolerations).collect()),
            node_selector: (!node_selector.is_empty()).then_some(node_selector),
            priority_class_name,
            image_pull_secrets: (!image_pull_secrets.is_empty()).then_some(image_pull_secrets),
            runtime_class_name,
            topology_spread_constraints: Some(vec![
                build_spread(valid, tier, ZONE, when_zones_are_uneven),
                // Preferred, since a zone may have fewer nodes than pods.
                build_spread(valid, tier, HOST, "ScheduleAnyway"),
            ]),
            volumes: Some(volumes),
            ..PodSpec::default()
        }),
    }
}

/// A setting with a plain value.
pub(super) fn env_value(name: &str, value: impl Into<String>) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.into()), value_from: None }
}

/// The pod's own address.
pub(super) fn env_pod_ip(name: &str) -> EnvVar {
    let field =
        ObjectFieldSelector { field_path: "status.podIP".to_owned(), ..ObjectFieldSelector::default() };
    let source = EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() };
    EnvVar { name: name.to_owned(), value: None, value_from: Some(source) }
}

pub(super) fn container_port(name: &str, port: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: port.into(),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

/// Requests for scheduling, and limits.
fn build_resources(resources: Resources) -> ResourceRequirements {
    let Resources { cpu_request, memory_request, cpu_limit, memory_limit } = resources;
    let quantity = |name: &str, amount: &dyn Display| (name.to_owned(), Quantity(amount.to_string()));
    let mut limits = BTreeMap::from([quantity("memory", &memory_limit)]);
    limits.extend(cpu_limit.map(|limit| quantity("cpu", &limit)));
    ResourceRequirements {
        requests: Some(BTreeMap::from([quantity("cpu", &cpu_request), quantity("memory", &memory_request)])),
        limits: Some(limits),
        ..ResourceRequirements::default()
    }
}

fn build_shared_env(valid: &ValidPipeline, workloads: &WorkloadConfig) -> Vec<EnvVar> {
    let mut shared = vec![
        env_value(env::NOTICE_KEY_FILE, format!("{NOTICE_KEY_DIRECTORY}/{KEYS_ENTRY}")),
        env_value("AWS_REGION", workloads.aws_region.clone()),
    ];
    let endpoints = workloads.endpoints.variables();
    shared.extend(endpoints.map(|(name, endpoint)| env_value(name, endpoint.to_string())));
    if let Some(secret) = &valid.aws.credentials_secret_name {
        shared.extend([
            env_secret("AWS_ACCESS_KEY_ID", secret, None),
            env_secret("AWS_SECRET_ACCESS_KEY", secret, None),
            env_secret("AWS_SESSION_TOKEN", secret, Some(true)),
        ]);
    }
    shared
}

fn env_secret(name: &str, secret: &str, optional: Option<bool>) -> EnvVar {
    let entry = SecretKeySelector { name: secret.to_owned(), key: name.to_owned(), optional };
    let source = EnvVarSource { secret_key_ref: Some(entry), ..EnvVarSource::default() };
    EnvVar { name: name.to_owned(), value: None, value_from: Some(source) }
}

fn build_probe(path: &str, period_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(OPERATION_PORT_NAME.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(2),
        failure_threshold: Some(failure_threshold),
        ..Probe::default()
    }
}

fn build_pod_security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER_ID),
        run_as_group: Some(USER_ID),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

fn build_container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
        read_only_root_filesystem: Some(true),
        ..SecurityContext::default()
    }
}

fn build_tolerations() -> Vec<Toleration> {
    ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
        .map(|taint| Toleration {
            key: Some(taint.to_owned()),
            operator: Some("Exists".to_owned()),
            effect: Some("NoExecute".to_owned()),
            toleration_seconds: Some(SILENT_NODE_SECONDS),
            ..Toleration::default()
        })
        .into()
}

/// A dead zone or node does not count (`nodeTaintsPolicy`), and neither do the pods of the previous rollout
/// (`matchLabelKeys`); else either of them would keep new pods from being scheduled.
fn build_spread(
    valid: &ValidPipeline,
    tier: Tier,
    topology: &str,
    when_unsatisfiable: &str,
) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: topology.to_owned(),
        when_unsatisfiable: when_unsatisfiable.to_owned(),
        node_taints_policy: Some("Honor".to_owned()),
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        label_selector: Some(LabelSelector {
            match_labels: Some(tier.selector(&valid.name)),
            ..LabelSelector::default()
        }),
        ..TopologySpreadConstraint::default()
    }
}

fn build_secret_folders(
    valid: &ValidPipeline,
    origin_credentials: Option<String>,
) -> Vec<(Volume, VolumeMount)> {
    let keys = mounted(NOTICE_KEY_VOLUME, NOTICE_KEY_DIRECTORY, notice_secret(&valid.name), Needed::Yes);
    // Pods start without it, since tenants may come before their credentials.
    let credentials = origin_credentials
        .map(|secret| mounted(ORIGIN_CREDENTIALS_VOLUME, ORIGIN_CREDENTIALS_DIRECTORY, secret, Needed::No));
    [keys].into_iter().chain(credentials).collect()
}

/// Whether a pod needs a Secret to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needed {
    Yes,
    No,
}

/// A Secret as a folder.
fn mounted(name: &str, directory: &str, secret: String, needed: Needed) -> (Volume, VolumeMount) {
    let source = SecretVolumeSource {
        secret_name: Some(secret),
        optional: (needed == Needed::No).then_some(true),
        ..SecretVolumeSource::default()
    };
    let volume = Volume { name: name.to_owned(), secret: Some(source), ..Volume::default() };
    let mount = VolumeMount {
        name: name.to_owned(),
        mount_path: directory.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    (volume, mount)
}
