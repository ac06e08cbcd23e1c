//! A manifest: the stored outcome of the last job of a key, good or bad. S3's copy is the only truth.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    key::Encoding,
    names::{Digest, JobId},
};

/// The `version` that this build writes and understands.
pub const MANIFEST_VERSION: u32 = 1;

/// One stored body of a compiled file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredBody {
    pub encoding: Encoding,
    /// Length in bytes, as stored.
    pub length: u64,
}

/// What was read at the origin, or found absent there, to make a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    pub read: Vec<SourceRead>,
    /// URLs that were asked for and do not exist; one of them appearing would change the result.
    pub absent: Vec<String>,
}

/// One source with the validators that its origin gave (RFC 9110 §8.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceRead {
    pub url: String,
    pub sha256: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

/// A compiled file: its bodies, and what they were made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Good {
    pub digest: Digest,
    pub encodings: Vec<StoredBody>,
    pub closure: Closure,
    /// When the first of the sources was asked for.
    pub sources_read_at: Timestamp,
    /// As [`Manifest::modified_at`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_at: Option<Timestamp>,
    /// As [`Manifest::engine`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub engine: String,
}

impl Good {
    /// Since when these have been the key's bytes, as far as is known.
    pub fn modified(&self) -> Timestamp {
        self.modified_at.unwrap_or(self.sources_read_at)
    }
}

/// How an origin failed to give a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OriginFailure {
    /// No connection, a broken answer, a refused address, or a status that blames the origin (502).
    Failed,
    /// No complete answer in time (504).
    TimedOut,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// The style sheet was compiled and its bodies stored.
    Compiled { digest: Digest, encodings: Vec<StoredBody> },
    /// The Sass is wrong; the message is the compiler's, or names the limit that was hit.
    CompileError { message: String },
    /// The origin has no such source.
    SourceNotFound { message: String },
    /// The origin did not give a source that it may have.
    OriginFailed { failure: OriginFailure, message: String },
    /// Attempt after attempt came to no end, through no fault of the site's that is known.
    Abandoned { message: String },
}

/// The stored outcome of a key's latest job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Shape of this object; 1.
    pub version: u32,
    #[serde(flatten)]
    pub outcome: Outcome,
    pub closure: Closure,
    /// When the first of the sources was asked for, by the worker's clock. Orders two manifests of one key.
    pub sources_read_at: Timestamp,
    /// On a compiled file: since when its bytes have been the key's. Later by at least a second than those
    /// of every other file of the key, so that a date of whole seconds names one of them. Set when the
    /// manifest is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_at: Option<Timestamp>,
    /// Compiler and version that the outcome is from, such as `grass/0.13.4`; empty where none had a say.
    /// Kept until the closure changes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub engine: String,
    pub job: JobId,
    /// How many jobs in a row have failed, this one included; 0 for a compiled file.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// On a failure: the file that was good before, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<Good>,
}

/// A path of serde's, which gives a reference.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Closure {
    /// Whether it tells nothing, so that nothing can be said of what was made from it.
    pub fn is_empty(&self) -> bool {
        self.read.is_empty() && self.absent.is_empty()
    }

    /// Whether this URL was asked for.
    pub fn has(&self, url: &str) -> bool {
        self.read.iter().any(|source| source.url == url) || self.absent.iter().any(|absent| absent == url)
    }
}

impl Manifest {
    /// Whether what is served by this manifest may be another one after a change of this URL of the origin.
    pub fn may_depend_on(&self, url: &str) -> bool {
        let is_whole = match &self.outcome {
            Outcome::Compiled { .. } | Outcome::CompileError { .. } | Outcome::SourceNotFound { .. } => {
                !self.closure.is_empty()
            }
            // It ended before everything was asked for.
            Outcome::OriginFailed { .. } | Outcome::Abandoned { .. } => false,
        };
        !is_whole
            || self.closure.has(url)
            || self.last_good.as_ref().is_some_and(|good| good.closure.has(url))
    }

    /// The newest good file that this manifest knows: its own, or the one before a failure.
    pub fn good(&self) -> Option<Good> {
        match &self.outcome {
            Outcome::Compiled { digest, encodings } => Some(Good {
                digest: digest.clone(),
                encodings: encodings.clone(),
                closure: self.closure.clone(),
                sources_read_at: self.sources_read_at,
                modified_at: self.modified_at,
                engine: self.engine.clone(),
            }),
            Outcome::CompileError { .. }
            | Outcome::SourceNotFound { .. }
            | Outcome::OriginFailed { .. }
            | Outcome::Abandoned { .. } => self.last_good.clone(),
        }
    }
}
