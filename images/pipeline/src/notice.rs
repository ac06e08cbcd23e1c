//! A notice: the hint that a key's manifest has changed. It carries no truth, only where to look.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{key::Key, names::JobId, ports::ETag};

/// The `version` that this build writes and understands.
pub const NOTICE_VERSION: u32 = 1;

/// "Read this key's manifest." Lost, late, repeated or forged, it costs one read and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// Shape of this object; 1.
    pub version: u32,
    #[serde(flatten)]
    pub key: Key,
    pub job: JobId,
    /// The manifest's entity tag in the store.
    pub etag: ETag,
    /// The web pod that waits; whoever gets the notice by another way relays it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Url>,
}
