//! The metadata that all children share: labels, and who owns them.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::pipeline::validate::ValidPipeline;

/// The owner reference makes the cluster delete the child together with its pipeline.
pub(super) fn build_metadata(
    valid: &ValidPipeline,
    name: String,
    labels: BTreeMap<String, String>,
) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(valid.namespace.clone()),
        labels: Some(labels),
        owner_references: Some(vec![valid.owner_reference.clone()]),
        ..ObjectMeta::default()
    }
}
