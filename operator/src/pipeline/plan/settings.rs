//! The settings that the pods read from their environment, by the names of [`pipeline::env`].

use crds::{CompileErrors, LiveReload};
use k8s_openapi::api::core::v1::EnvVar;
use pipeline::env;

use super::{
    KnownBindings,
    pod::{ORIGIN_CREDENTIALS_DIRECTORY, env_pod_ip, env_value},
};
use crate::{config::WorkloadConfig, names::peers_service, pipeline::validate::ValidPipeline};

pub(super) fn build_web_env(
    valid: &ValidPipeline,
    known: &KnownBindings,
    workloads: &WorkloadConfig,
) -> Vec<EnvVar> {
    let errors = match valid.errors {
        CompileErrors::Show => "Show",
        CompileErrors::Status => "Status",
    };
    let compile =
        serde_json::to_string(&valid.compile).expect("options are plain words, which always serialize");
    let limits =
        serde_json::to_string(&valid.rate_limits).expect("limits are plain numbers, which always serialize");
    let mut settings = build_binding_env(known);
    settings.extend([
        env_value(env::PEERS_HOST, peers_host(valid, workloads)),
        env_pod_ip(env::POD_IP),
        env_value(env::COMPILE_OPTIONS, compile),
        env_value(env::HOLD_SECONDS, valid.timeouts.hold.to_string()),
        env_value(env::MAX_AGE_SECONDS, valid.max_age_seconds.to_string()),
        env_value(env::MAX_STALE_SECONDS, valid.max_stale_seconds.to_string()),
        env_value(env::ERRORS, errors),
        env_value(env::RATE_LIMITS, limits),
    ]);
    match valid.live_reload {
        LiveReload::Enabled => settings.push(env_value(env::LIVE_RELOAD, "On")),
        // Pods have it off by themselves.
        LiveReload::Disabled => {}
    }
    let emulator = [
        (env::SNS_CERTIFICATE_AUTHORITY, &workloads.sns_certificate_authority),
        (env::SNS_CERTIFICATE_ENDPOINT, &workloads.sns_certificate_endpoint),
    ];
    settings.extend(emulator.into_iter().filter_map(|(name, value)| Some(env_value(name, value.clone()?))));
    settings
}

pub(super) fn build_worker_env(
    valid: &ValidPipeline,
    known: &KnownBindings,
    workloads: &WorkloadConfig,
) -> Vec<EnvVar> {
    let mut settings = build_binding_env(known);
    settings.extend([
        env_value(env::PEERS_HOST, peers_host(valid, workloads)),
        env_value(env::CONCURRENCY, valid.concurrency.to_string()),
        env_value(env::VISIBILITY_SECONDS, valid.timeouts.visibility.to_string()),
    ]);
    if !valid.private_networks.is_empty() {
        let networks: Vec<String> = valid.private_networks.iter().map(ToString::to_string).collect();
        settings.push(env_value(env::PRIVATE_NETWORKS, networks.join(",")));
    }
    if valid.origin_credentials.is_some() {
        settings.push(env_value(env::ORIGIN_CREDENTIALS, ORIGIN_CREDENTIALS_DIRECTORY));
    }
    settings
}

fn build_binding_env(known: &KnownBindings) -> Vec<EnvVar> {
    let KnownBindings { bucket, queue_url, refresh_queue_url, topic_arn } = known;
    vec![
        env_value(env::BUCKET, bucket),
        env_value(env::QUEUE_URL, queue_url),
        env_value(env::REFRESH_QUEUE_URL, refresh_queue_url),
        env_value(env::TOPIC_ARN, topic_arn),
    ]
}

pub(super) fn peers_host(valid: &ValidPipeline, workloads: &WorkloadConfig) -> String {
    format!("{}.{}.svc.{}", peers_service(&valid.name), valid.namespace, workloads.cluster_domain)
}
