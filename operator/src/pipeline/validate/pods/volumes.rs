//! Folders of the spec's own.

use std::collections::BTreeSet;

use crds::{ConfigMapVolume, EmptyVolume, PodVolume, SecretVolume};
use k8s_openapi::{
    api::core::v1::{ConfigMapVolumeSource, EmptyDirVolumeSource, SecretVolumeSource, Volume, VolumeMount},
    apimachinery::pkg::api::resource::Quantity,
};

use super::{
    super::{InvalidSpec, invalid},
    quantity::Mebibytes,
};

/// Below it nothing is ours or the system's.
const ROOT: &str = "/mnt/";

/// Names of the operator's own volumes.
pub const NOTICE_KEY_VOLUME: &str = "notice-key";
pub const ORIGIN_CREDENTIALS_VOLUME: &str = "origin-credentials";

pub(super) fn validate(
    field: &str,
    volumes: &[PodVolume],
) -> Result<Vec<(Volume, VolumeMount)>, InvalidSpec> {
    let mut paths = BTreeSet::new();
    if let Some(twice) = volumes.iter().find(|volume| !paths.insert(&volume.mount_path)) {
        return Err(invalid(field, &twice.mount_path, "two of them have this mountPath; give each its own"));
    }
    volumes.iter().map(|volume| validate_volume(field, volume)).collect()
}

fn validate_volume(field: &str, volume: &PodVolume) -> Result<(Volume, VolumeMount), InvalidSpec> {
    let PodVolume { name, mount_path, config_map, secret, empty_dir } = volume;
    let refuse = |problem: &str| invalid(field, name, problem);
    if [NOTICE_KEY_VOLUME, ORIGIN_CREDENTIALS_VOLUME].contains(&name.as_str()) {
        return Err(refuse("the name is the operator's; choose another one"));
    }
    if !mount_path.starts_with(ROOT) || mount_path.contains("..") {
        return Err(refuse("its mountPath must lie below /mnt"));
    }
    let mut mounted = Volume { name: name.clone(), ..Volume::default() };
    let read_only = match (config_map, secret, empty_dir) {
        (Some(ConfigMapVolume { name, optional }), None, None) => {
            let (name, optional) = (name.clone(), optional.then_some(true));
            mounted.config_map =
                Some(ConfigMapVolumeSource { name, optional, ..ConfigMapVolumeSource::default() });
            Some(true)
        }
        (None, Some(SecretVolume { secret_name, optional }), None) => {
            let (secret_name, optional) = (Some(secret_name.clone()), optional.then_some(true));
            mounted.secret =
                Some(SecretVolumeSource { secret_name, optional, ..SecretVolumeSource::default() });
            Some(true)
        }
        (None, None, Some(EmptyVolume { size_limit })) => {
            let size = Mebibytes::parse(size_limit)
                .ok_or_else(|| refuse("its sizeLimit must be a number of MiB or GiB, such as 64Mi"))?;
            let size_limit = Some(Quantity(size.to_string()));
            mounted.empty_dir = Some(EmptyDirVolumeSource { size_limit, medium: None });
            None
        }
        _ => return Err(refuse("it needs one of configMap, secret and emptyDir; give one of them")),
    };
    let mount = VolumeMount {
        name: name.clone(),
        mount_path: mount_path.clone(),
        read_only,
        ..VolumeMount::default()
    };
    Ok((mounted, mount))
}
