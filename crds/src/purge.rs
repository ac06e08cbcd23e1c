//! A purge as a person orders it: an annotation on the pipeline, which the operator carries out and removes.
//!
//! Each request is an annotation of its own, so that several people never overwrite each other's. What came
//! of it stands in the status, by the request's id.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Begins the annotations that order purges; the rest is the request's id.
pub const PURGE_ANNOTATION_PREFIX: &str = "purge.assetpipeline.dev/";

/// Purges whose outcome the status tells.
pub const MAX_PURGE_STATUSES: usize = 16;

/// What is to be made anew before it is served again. The annotation's value, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PurgeRequest {
    /// The tenant's host; without it, everything of the pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Only the style sheet that visitors ask for under this path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Only the style sheets that are made from the source at this path of the origin, or at this URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependency: Option<String>,
}

/// What came of a purge.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PurgeStatus {
    /// The request's id: the end of its annotation's name.
    pub id: String,
    /// What was purged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purged: Option<String>,
    /// Why nothing was purged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}
