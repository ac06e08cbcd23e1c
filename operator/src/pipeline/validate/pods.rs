//! What the spec adds to a tier's pods, in the words of Kubernetes. Nothing of the operator's own is among it.

mod environment;

use std::collections::BTreeMap;

use crds::PodTemplate;
use k8s_openapi::api::core::v1::EnvVar;

use super::{InvalidSpec, invalid};

const NOT_YOURS: &str = "it is not yours to set; leave it out, or use a prefix of your own";
const CONFINES: &str = "annotations cannot loosen what confines the pods or give them another identity; leave it \
                        out, roles are named in spec.aws";

/// What a tier's pods have beside what the operator gives them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PodOverlay {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub env: Vec<EnvVar>,
}

pub(super) fn validate(field: &str, template: Option<&PodTemplate>) -> Result<PodOverlay, InvalidSpec> {
    let Some(PodTemplate { labels, annotations, env }) = template else {
        return Ok(PodOverlay::default());
    };
    refuse_keys(&format!("{field}.labels"), labels, is_own_label, NOT_YOURS)?;
    refuse_keys(&format!("{field}.annotations"), annotations, is_own_annotation, NOT_YOURS)?;
    refuse_keys(&format!("{field}.annotations"), annotations, is_loosening, CONFINES)?;
    Ok(PodOverlay {
        labels: labels.clone(),
        annotations: annotations.clone(),
        env: environment::validate(&format!("{field}.env"), env)?,
    })
}

fn refuse_keys(
    field: &str,
    entries: &BTreeMap<String, String>,
    is_refused: fn(&str) -> bool,
    problem: &str,
) -> Result<(), InvalidSpec> {
    match entries.keys().find(|key| is_refused(key)) {
        Some(key) => Err(invalid(field, key, problem)),
        None => Ok(()),
    }
}

fn is_own_label(key: &str) -> bool {
    key.starts_with("app.kubernetes.io/") || is_own_annotation(key) || key == "pod-template-hash"
}

fn is_own_annotation(key: &str) -> bool {
    key.starts_with("assetpipeline.dev/")
}

fn is_loosening(key: &str) -> bool {
    key.contains("apparmor.security.")
        || key.contains("seccomp.security.")
        || key.starts_with("iam.amazonaws.com/")
}

#[cfg(test)]
mod tests;
