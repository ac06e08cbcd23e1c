//! What a web pod knows of one URL, for people who ask why they see what they see.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    key::{AssetPath, Key},
    manifest::Manifest,
    names::HostName,
    purge::Purge,
};

/// The path of the operation listener that tells it, with `host` and `path` as its query.
pub const WHY_PATH: &str = "/why";

/// One URL as a web pod sees it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    pub host: HostName,
    pub path: AssetPath,
    /// When it was looked at, by the pod's clock.
    pub at: Timestamp,
    /// `None` where nobody has the host; then nothing else is known.
    pub tenant: Option<WhyTenant>,
    /// The tenant's purges that are about this style sheet.
    #[serde(default)]
    pub purges: Vec<Purge>,
    /// As the store has it, with its closure. `None` where nobody has asked for it yet.
    pub manifest: Option<Manifest>,
    /// What a visitor gets now, and why: sentences.
    pub reasons: Vec<String>,
    pub answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhyTenant {
    pub key: Key,
    pub origin: Url,
    /// Where the style sheet's source is.
    pub source: Option<Url>,
    pub development: bool,
}

/// What a visitor gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The file, which is fresh.
    Fresh,
    /// The file, while a newer one is looked for.
    Stale,
    /// The last good file, instead of a failure.
    LastGood,
    /// The failure.
    Failure,
    /// Nothing until a job has ended.
    Wait,
    /// That nobody has this host.
    UnknownHost,
}
