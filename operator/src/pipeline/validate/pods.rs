//! What the spec adds to a tier's pods, in the words of Kubernetes. Nothing of the operator's own is among it.

mod environment;
mod quantity;
mod resources;
mod scheduling;
mod volumes;

use std::{collections::BTreeMap, num::NonZeroU32};

use crds::{JOB_MEBIBYTES, PodTemplate, WEB_MEBIBYTES, WEB_REQUESTS, WORKER_MEBIBYTES, WORKER_REQUESTS};
use k8s_openapi::api::core::v1::{EnvVar, LocalObjectReference, Toleration, Volume, VolumeMount};

use super::{InvalidSpec, invalid};

use quantity::{Mebibytes, Millicores};
pub use resources::Resources;
pub use volumes::{NOTICE_KEY_VOLUME, ORIGIN_CREDENTIALS_VOLUME};

const NOT_YOURS: &str = "it is not yours to set; leave it out, or use a prefix of your own";
const CONFINES: &str = "annotations cannot loosen what confines the pods or give them another identity; leave it \
                        out, roles are named in spec.aws";

/// What a tier's pods have beside what the operator gives them.
#[derive(Debug, Clone, PartialEq)]
pub struct PodOverlay {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub env: Vec<EnvVar>,
    pub volumes: Vec<(Volume, VolumeMount)>,
    pub node_selector: BTreeMap<String, String>,
    pub tolerations: Vec<Toleration>,
    pub priority_class_name: Option<String>,
    pub image_pull_secrets: Vec<LocalObjectReference>,
    pub runtime_class_name: Option<String>,
    pub resources: Resources,
}

/// What web pods have unless the spec says otherwise.
pub(super) fn web_needs() -> Resources {
    needs(WEB_REQUESTS, WEB_MEBIBYTES)
}

/// What worker pods have unless the spec says otherwise, with so many jobs at the same time.
pub(super) fn worker_needs(concurrency: NonZeroU32) -> Resources {
    needs(WORKER_REQUESTS, WORKER_MEBIBYTES + JOB_MEBIBYTES * u64::from(concurrency.get()))
}

fn needs((cpu, memory): (u64, u64), limit: u64) -> Resources {
    Resources {
        cpu_request: Millicores(cpu),
        memory_request: Mebibytes(memory),
        cpu_limit: None,
        memory_limit: Mebibytes(limit),
    }
}

pub(super) fn validate(
    field: &str,
    template: Option<&PodTemplate>,
    needed: Resources,
) -> Result<PodOverlay, InvalidSpec> {
    let PodTemplate {
        labels,
        annotations,
        env,
        volumes,
        node_selector,
        tolerations,
        priority_class_name,
        image_pull_secrets,
        runtime_class_name,
        resources,
    } = &template.cloned().unwrap_or_default();
    refuse_keys(&format!("{field}.labels"), labels, is_own_label, NOT_YOURS)?;
    refuse_keys(&format!("{field}.annotations"), annotations, is_own_annotation, NOT_YOURS)?;
    refuse_keys(&format!("{field}.annotations"), annotations, is_loosening, CONFINES)?;
    if let Some(class) = priority_class_name.as_ref().filter(|class| class.starts_with("system-")) {
        let problem = "classes that begin with system- are for the cluster's own pods; name another one";
        return Err(invalid(&format!("{field}.priorityClassName"), class, problem));
    }
    let pull_secrets = image_pull_secrets.iter().map(|secret| secret.name.clone());
    Ok(PodOverlay {
        labels: labels.clone(),
        annotations: annotations.clone(),
        env: environment::validate(&format!("{field}.env"), env)?,
        volumes: volumes::validate(&format!("{field}.volumes"), volumes)?,
        node_selector: node_selector.clone(),
        tolerations: scheduling::validate(&format!("{field}.tolerations"), tolerations)?,
        priority_class_name: priority_class_name.clone(),
        image_pull_secrets: pull_secrets.map(|name| LocalObjectReference { name }).collect(),
        runtime_class_name: runtime_class_name.clone(),
        resources: resources::validate(&format!("{field}.resources"), resources.as_ref(), needed)?,
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
