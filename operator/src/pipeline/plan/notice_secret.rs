//! The Secret with the key that signs what pods say to pods. Drawn once, then kept.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};

use super::metadata::build_metadata;
use crate::{
    names::{notice_secret, shared_labels},
    pipeline::validate::ValidPipeline,
};

/// The only entry: one key a line. Also the name of the mounted file.
pub(super) const KEYS_ENTRY: &str = "keys";

/// With the observed keys where there are any, else with `fresh_key`.
pub(super) fn build_notice_secret(
    valid: &ValidPipeline,
    observed: Option<&Secret>,
    fresh_key: &str,
) -> Secret {
    let observed = observed.and_then(|secret| secret.data.as_ref()).and_then(|data| data.get(KEYS_ENTRY));
    let keys = observed.filter(|keys| !keys.0.is_empty()).cloned();
    let keys = keys.unwrap_or_else(|| ByteString(format!("{fresh_key}\n").into_bytes()));
    Secret {
        metadata: build_metadata(valid, notice_secret(&valid.name), shared_labels(&valid.name)),
        data: Some(BTreeMap::from([(KEYS_ENTRY.to_owned(), keys)])),
        ..Secret::default()
    }
}
