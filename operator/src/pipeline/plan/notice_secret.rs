//! The Secret with the keys that sign what pods say to pods.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};

use super::{
    key_rotation::{KeyRing, ObservedRing, plan_ring},
    metadata::build_metadata,
};
use crate::{
    names::{KEY_PROGRESS_ANNOTATION, ROTATE_ANNOTATION, notice_secret, shared_labels},
    pipeline::{plan::Chance, validate::ValidPipeline},
};

/// The only entry: one key a line. Also the name of the mounted file.
pub(super) const KEYS_ENTRY: &str = "keys";

/// With the observed keys where there are any, and with the next step of their replacement.
pub(super) fn build_notice_secret(
    valid: &ValidPipeline,
    observed: Option<&Secret>,
    chance: &Chance,
) -> Secret {
    let observed = observed.map(read_ring).unwrap_or_default();
    let ring = plan_ring(observed, valid.rotate.as_deref(), &chance.notice_key, chance.now);
    let KeyRing { keys, progress, followed } = ring;
    let mut metadata = build_metadata(valid, notice_secret(&valid.name), shared_labels(&valid.name));
    let followed = followed.map(|wish| (ROTATE_ANNOTATION.to_owned(), wish));
    let told = [(KEY_PROGRESS_ANNOTATION.to_owned(), progress.to_string())];
    metadata.annotations = Some(told.into_iter().chain(followed).collect());
    let lines = keys.iter().flat_map(|key| [key.as_str(), "\n"]).collect::<String>();
    Secret {
        metadata,
        data: Some(BTreeMap::from([(KEYS_ENTRY.to_owned(), ByteString(lines.into_bytes()))])),
        ..Secret::default()
    }
}

/// The text that pods read their keys from.
pub fn keys_of(secret: &Secret) -> Option<String> {
    let keys = secret.data.as_ref()?.get(KEYS_ENTRY)?;
    String::from_utf8(keys.0.clone()).ok()
}

fn read_ring(secret: &Secret) -> ObservedRing {
    let bytes = secret.data.as_ref().and_then(|data| data.get(KEYS_ENTRY));
    let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes.0)).unwrap_or_default();
    let annotation = |name: &str| secret.metadata.annotations.as_ref()?.get(name);
    ObservedRing {
        keys: text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect(),
        progress: annotation(KEY_PROGRESS_ANNOTATION).and_then(|text| text.parse().ok()),
        followed: annotation(ROTATE_ANNOTATION).cloned(),
    }
}
