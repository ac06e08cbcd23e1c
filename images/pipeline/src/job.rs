//! A job: one order to compile one key, as it travels through the queue.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    Error, ErrorKind,
    key::{AssetPath, Key},
    names::{Fingerprint, JobId, TenantId},
    options::CompileOptions,
};

/// The `version` that this build writes and understands.
pub const JOB_VERSION: u32 = 1;

/// How long one attempt may fetch and compile, in seconds. Together with the queue's visibility it is
/// shorter than a hold, so that a killed worker's job still answers those who wait.
pub const RUN_LIMIT_SECONDS: u32 = 15;

/// How long after its sending a job may still be started, in seconds.
pub const JOB_LIFETIME_SECONDS: i64 = 600;

/// How a worker goes about a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// The sender knows of no manifest: the sources are fetched and compiled.
    #[default]
    Compile,
    /// There is a manifest: the origin is asked whether its closure has changed, and only then is it
    /// compiled.
    Revalidate,
}

/// One order to compile. Complete: a worker needs no other source of settings to carry it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Shape of this object; 1.
    pub version: u32,
    pub id: JobId,
    pub tenant_id: TenantId,
    pub path: AssetPath,
    pub origin: Url,
    #[serde(default)]
    pub load_paths: Vec<String>,
    /// Below which URL the CSS's relative URLs are made absolute; they stay as they are without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebase_to: Option<Url>,
    pub options: CompileOptions,
    /// The sender's view of [`CompileOptions::fingerprint`]; a worker of another build hands the job back.
    pub fingerprint: Fingerprint,
    #[serde(default)]
    pub task: Task,
    /// A manifest whose sources were read at this time or later makes the job needless.
    pub not_before: Timestamp,
    /// The latest purge of the key, ahead by what clocks may differ: no source is read before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purged: Option<Timestamp>,
    /// An unstarted job is dropped after this time.
    pub expires: Timestamp,
    /// The web pod that waits, for the direct notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Url>,
    /// W3C trace context of the request that caused the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Job {
    /// A job of `now` with the default options, which any manifest answers and nobody waits for.
    pub fn new(tenant_id: TenantId, path: AssetPath, origin: Url, now: Timestamp) -> Self {
        let options = CompileOptions::default();
        Self {
            version: JOB_VERSION,
            id: JobId::random(),
            tenant_id,
            path,
            origin,
            load_paths: Vec::new(),
            rebase_to: None,
            fingerprint: options.fingerprint(),
            options,
            task: Task::Compile,
            not_before: Timestamp::UNIX_EPOCH,
            purged: None,
            expires: now + SignedDuration::from_secs(JOB_LIFETIME_SECONDS),
            reply_to: None,
            traceparent: None,
        }
    }

    pub fn key(&self) -> Key {
        Key {
            fingerprint: self.fingerprint.clone(),
            tenant_id: self.tenant_id.clone(),
            path: self.path.clone(),
        }
    }

    /// The message body: JSON.
    pub fn to_message(&self) -> String {
        serde_json::to_string(self).expect("a job holds only text and numbers, which always serialize")
    }

    /// Whether a body that this build cannot read is of a build that knows more engines, options or tasks.
    pub fn is_of_another_build(body: &str) -> bool {
        #[derive(Deserialize)]
        struct Head {
            #[serde(rename = "version")]
            _version: u32,
            #[serde(rename = "fingerprint")]
            _fingerprint: Fingerprint,
        }
        serde_json::from_str::<Head>(body).is_ok()
    }

    /// Reads a message body; a body of another version or shape is [`ErrorKind::Invalid`].
    pub fn from_message(body: &str) -> Result<Self, Error> {
        let invalid = || Error::new(ErrorKind::Invalid, "read a job");
        let job: Self = serde_json::from_str(body).map_err(|source| invalid().with_source(source))?;
        if job.version == JOB_VERSION {
            Ok(job)
        } else {
            Err(invalid().with_source(format!("its version is {}, not {JOB_VERSION}", job.version)))
        }
    }
}
