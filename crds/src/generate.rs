//! The `CustomResourceDefinition` as it is installed: derived from the types, plus what no derive can say.

mod reference;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps,
};
use kube::CustomResourceExt;
use serde_json::json;

pub use self::reference::print_reference;
use crate::{AssetPipeline, AssetTenant};

/// The resource definition of `AssetPipeline`.
pub fn asset_pipeline_crd() -> CustomResourceDefinition {
    complete(AssetPipeline::crd())
}

/// The resource definition of `AssetTenant`.
pub fn asset_tenant_crd() -> CustomResourceDefinition {
    complete(AssetTenant::crd())
}

fn complete(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        if let Some(root) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            default_status_to_unobserved(root);
        }
    }
    crd
}

/// A definition as the text of a YAML file.
pub fn print_yaml(crd: &CustomResourceDefinition) -> Result<String, Unprintable> {
    serde_yaml_ng::to_string(crd).map_err(Unprintable)
}

/// A definition as a template of the Helm chart. Values decide whether it is installed, and whether it
/// outlives the release. Helm installs what lies in a chart's `crds/` once and never upgrades it.
pub fn print_template(crd: &CustomResourceDefinition) -> Result<String, Unprintable> {
    let yaml = print_yaml(crd)?;
    let kept = "metadata:\n{{- if .Values.crds.keep }}\n  annotations:\n    helm.sh/resource-policy: keep\n{{- end }}\n";
    let body = yaml.replacen("metadata:\n", kept, 1);
    Ok(format!("{{{{- if .Values.crds.install }}}}\n{body}{{{{- end }}}}\n"))
}

/// The definition could not be written as YAML.
#[derive(Debug, thiserror::Error)]
#[error("could not write the resource definition as YAML")]
pub struct Unprintable(#[source] serde_yaml_ng::Error);

/// kstatus takes an object without status for ready. A default of -1, which is never a generation, makes a
/// new object count as in progress until the operator has seen it.
fn default_status_to_unobserved(root: &mut JSONSchemaProps) {
    if let Some(status) = root.properties.as_mut().and_then(|properties| properties.get_mut("status")) {
        status.default = Some(JSON(json!({"observedGeneration": -1})));
    }
}

#[cfg(test)]
mod tests;
