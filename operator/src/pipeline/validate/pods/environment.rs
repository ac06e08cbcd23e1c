//! Environment variables of the spec's own.

use crds::{EntryReference, EnvironmentSource, EnvironmentVariable};
use k8s_openapi::api::core::v1::{ConfigMapKeySelector, EnvVar, EnvVarSource, SecretKeySelector};

use super::super::{InvalidSpec, invalid};

pub(super) fn validate(field: &str, variables: &[EnvironmentVariable]) -> Result<Vec<EnvVar>, InvalidSpec> {
    variables.iter().map(|variable| validate_variable(field, variable)).collect()
}

fn validate_variable(field: &str, variable: &EnvironmentVariable) -> Result<EnvVar, InvalidSpec> {
    let EnvironmentVariable { name, value, value_from } = variable;
    let refuse = |problem: &str| invalid(field, name, problem);
    if name.starts_with("ASSETS_") || name.starts_with("AWS_") {
        return Err(refuse(
            "the name is the operator's; leave it out, it follows from the spec, or from the operator's Helm \
             values aws",
        ));
    }
    let (value, value_from) = match (value, value_from) {
        (Some(value), None) => (Some(value.clone()), None),
        (None, Some(source)) => (
            None,
            Some(validate_source(source).ok_or_else(|| {
                refuse("its valueFrom needs either secretKeyRef or configMapKeyRef; give one of them")
            })?),
        ),
        (Some(_), Some(_)) | (None, None) => {
            return Err(refuse("it needs either value or valueFrom; give one of them"));
        }
    };
    Ok(EnvVar { name: name.clone(), value, value_from })
}

fn validate_source(source: &EnvironmentSource) -> Option<EnvVarSource> {
    let EnvironmentSource { secret_key_ref, config_map_key_ref } = source;
    let (secret_key_ref, config_map_key_ref) = match (secret_key_ref, config_map_key_ref) {
        (Some(EntryReference { name, key, optional }), None) => {
            let (name, key) = (name.clone(), key.clone());
            (Some(SecretKeySelector { name, key, optional: optional.then_some(true) }), None)
        }
        (None, Some(EntryReference { name, key, optional })) => {
            let (name, key) = (name.clone(), key.clone());
            (None, Some(ConfigMapKeySelector { name, key, optional: optional.then_some(true) }))
        }
        (Some(_), Some(_)) | (None, None) => return None,
    };
    Some(EnvVarSource { secret_key_ref, config_map_key_ref, ..EnvVarSource::default() })
}
