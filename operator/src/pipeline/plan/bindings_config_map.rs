//! The `ConfigMap` that tells other people's pods how the bindings are called: entries are environment variables,
//! so that a pod takes all of them by `envFrom`.
//!
//! Names and ARNs only: what a pod may do with them is its role's matter, and no secret is here.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use pipeline::env;

use super::{KnownBindings, bindings::NamedBindings, metadata::build_metadata};
use crate::{
    config::WorkloadConfig,
    names::{bindings_config_map, shared_labels},
    pipeline::validate::ValidPipeline,
};

pub(super) fn build_bindings_config_map(
    valid: &ValidPipeline,
    named: &NamedBindings,
    workloads: &WorkloadConfig,
) -> ConfigMap {
    let NamedBindings {
        known: KnownBindings { bucket, queue_url, refresh_queue_url, topic_arn },
        bucket_arn,
        queue_arn,
        refresh_queue_arn,
        dead_letter_queue_url,
        dead_letter_queue_arn,
    } = named;
    let entries = [
        (env::REGION, &workloads.aws_region),
        (env::BUCKET, bucket),
        (env::BUCKET_ARN, bucket_arn),
        (env::QUEUE_URL, queue_url),
        (env::QUEUE_ARN, queue_arn),
        (env::REFRESH_QUEUE_URL, refresh_queue_url),
        (env::REFRESH_QUEUE_ARN, refresh_queue_arn),
        (env::DEAD_LETTER_QUEUE_URL, dead_letter_queue_url),
        (env::DEAD_LETTER_QUEUE_ARN, dead_letter_queue_arn),
        (env::TOPIC_ARN, topic_arn),
    ];
    let data: BTreeMap<String, String> =
        entries.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
    ConfigMap {
        metadata: build_metadata(valid, bindings_config_map(&valid.name), shared_labels(&valid.name)),
        data: Some(data),
        ..ConfigMap::default()
    }
}
