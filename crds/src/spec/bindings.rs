//! The AWS resources of a pipeline: made or given, and what becomes of them when the pipeline goes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a pipeline comes to a resource, and whether the operator may change it.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BindingMode {
    #[default]
    Create,
    Adopt,
    AdoptOrCreate,
    ReadOnly,
}

/// What becomes of a resource that the operator made when its pipeline is deleted.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DeletionPolicy {
    Retain,
    Delete,
}

/// What becomes of a bucket that is to be deleted and holds objects.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WhenNotEmpty {
    #[default]
    Keep,
    DeleteAllObjects,
}

/// Whether a bucket keeps what was overwritten or deleted.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BucketVersioning {
    Enabled,
    Suspended,
}

/// Longest time for which versions that are no longer current may be kept: ten years.
pub const MAX_NONCURRENT_VERSION_DAYS: i32 = 3_650;

/// Most tags that a pipeline may have on its resources. S3, SQS and SNS take 50, the operator's own included.
pub const MAX_TAGS: usize = 30;

/// The AWS resources of a pipeline. By default the operator makes all of them.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BindingsSpec {
    /// The bucket of files and registry.
    pub bucket: BucketSpec,
    /// The queues of jobs, and the queue of those that failed for good.
    pub queues: QueuesSpec,
    /// The topic of notices, and its subscription.
    pub topic: TopicSpec,
    /// Tags, by key, on bucket, queues and topic, such as those by which AWS Cost Explorer tells costs apart. One that
    /// is left out later is removed there again. A key that somebody else has set on a resource stays theirs, and
    /// `DriftFree` tells where its value differs; on what has mode `ReadOnly` no tag is set, and `DriftFree` tells
    /// which are missing. What is kept when the pipeline is deleted keeps them where the operator made it, and loses
    /// them where it was adopted.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = MAX_TAGS), extend("additionalProperties" = {
        "type": "string", "maxLength": 256, "pattern": r"^[\p{L}\p{N} _.:/=+@-]*$"
    }), extend("x-kubernetes-validations" = [{
        "rule": r"self.all(key, size(key) <= 128 && key.matches(r'^[\p{L}\p{N} _.:/=+@-]+$'))",
        "message": "a key of spec.bindings.tags must have 1 to 128 letters, digits, spaces or characters of _.:/=+-@: change it",
        "messageExpression": r"'key ' + self.filter(key, size(key) > 128 || !key.matches(r'^[\p{L}\p{N} _.:/=+@-]+$'))[0] + ': a key of spec.bindings.tags must have 1 to 128 letters, digits, spaces or characters of _.:/=+-@: change it'"
    }, {
        "rule": "self.all(key, !key.matches('^(?i)aws:') && !key.startsWith('assetpipeline.dev/'))",
        "message": "keys of spec.bindings.tags that begin with aws: or assetpipeline.dev/ are not yours to set: leave them out",
        "messageExpression": "'key ' + self.filter(key, key.matches('^(?i)aws:') || key.startsWith('assetpipeline.dev/'))[0] + ': keys of spec.bindings.tags that begin with aws: or assetpipeline.dev/ are not yours to set: leave them out'"
    }]))]
    pub tags: BTreeMap<String, String>,
}

/// The bucket of files and registry.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.mode == 'Create' || self.mode == 'AdoptOrCreate' || has(self.name)",
    "message": "spec.bindings.bucket.name is needed with mode Adopt or ReadOnly: name the bucket, or set mode Create"
}, {
    "rule": "self.mode != 'Create' || !has(self.name)",
    "message": "spec.bindings.bucket.name needs mode Adopt, AdoptOrCreate or ReadOnly: set the mode, or leave the name out and one is drawn"
}, {
    "rule": "self.whenNotEmpty == 'Keep' || self.deletionPolicy == 'Delete'",
    "message": "spec.bindings.bucket.whenNotEmpty DeleteAllObjects needs deletionPolicy Delete: set it, or leave whenNotEmpty out"
}]))]
pub struct BucketSpec {
    /// `Create`: the operator makes it, under a name of its own. `Adopt`: it is there already, and becomes the
    /// operator's to configure. `AdoptOrCreate`: either. `ReadOnly`: it is there already and the operator never
    /// changes its settings or tags, but tells in `DriftFree` what is not as it should be; files and
    /// registrations are stored in it all the same. What the operator did not make is used only where its tag
    /// `assetpipeline.dev/adoptable-by` says `<namespace>/<name>` of this pipeline, or where the operator's Helm
    /// values allow the name for this namespace.
    pub mode: BindingMode,
    /// The bucket's name, in the operator's account and region. Absent: one is drawn. It cannot be set, changed or
    /// removed later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 63), regex(pattern = r"^[a-z0-9][-a-z0-9]*[a-z0-9]$"))]
    pub name: Option<String>,
    /// What becomes of it when the pipeline is deleted, where the operator made it. `Retain`: it stays, tagged as
    /// released, and a pipeline of the same name takes it back. `Delete`: it is deleted, if it is empty. What was
    /// adopted or is read only always stays.
    pub deletion_policy: DeletionPolicy,
    /// What happens where it is to be deleted and is not empty. `Keep`: it stays, as with `Retain`.
    /// `DeleteAllObjects`: all objects are deleted first, in all their versions, whoever stored them.
    pub when_not_empty: WhenNotEmpty,
    /// How it encrypts. Absent: with keys of S3's own (SSE-S3); a bucket that was adopted and encrypts with a key in
    /// KMS keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<BucketEncryptionSpec>,
    /// Whether it keeps what was overwritten or deleted, for `noncurrentVersionDays`. Absent: as it is; a new bucket
    /// keeps nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versioning: Option<BucketVersioning>,
    /// Days for which S3 keeps a version that is no longer current, in a bucket that the operator made and that keeps
    /// versions. There uploads in parts that nobody completes go after 7 days, too, and what is left under `n/`, counts
    /// of attempts, after a day. A bucket that was adopted has its keeper's rules alone.
    #[schemars(range(min = 1, max = MAX_NONCURRENT_VERSION_DAYS))]
    pub noncurrent_version_days: i32,
}

/// Encryption with a key in KMS.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketEncryptionSpec {
    /// ARN of a key in the operator's region, with which all is encrypted that is stored from then on, by a bucket
    /// key. The operator's role and those of the pods need `kms:Decrypt` and `kms:GenerateDataKey` on it, and go on
    /// needing them on an earlier key for what was stored before. An alias is not taken: it may come to mean
    /// another key.
    #[schemars(
        length(max = 2048),
        regex(pattern = r"^arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$")
    )]
    pub kms_key_arn: String,
}

impl Default for BucketSpec {
    fn default() -> Self {
        Self {
            mode: BindingMode::Create,
            name: None,
            deletion_policy: DeletionPolicy::Retain,
            when_not_empty: WhenNotEmpty::Keep,
            encryption: None,
            versioning: None,
            noncurrent_version_days: 30,
        }
    }
}

/// The queues of jobs, and the queue of those that failed for good.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.mode == 'Create' || self.mode == 'AdoptOrCreate' || has(self.names)",
    "message": "spec.bindings.queues.names is needed with mode Adopt or ReadOnly: name the queues, or set mode Create"
}, {
    "rule": "self.mode != 'Create' || !has(self.names)",
    "message": "spec.bindings.queues.names needs mode Adopt, AdoptOrCreate or ReadOnly: set the mode, or leave the names out and they are drawn"
}]))]
pub struct QueuesSpec {
    /// As for the bucket; it holds for each of the three queues.
    pub mode: BindingMode,
    /// The queues' names, in the operator's account and region; they serve one pipeline only. Absent: they are drawn.
    /// They cannot be set, changed or removed later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<QueueNames>,
    /// What becomes of those that the operator made when the pipeline is deleted, jobs included. `Retain`: they
    /// stay, tagged as released. What was adopted or is read only always stays.
    pub deletion_policy: DeletionPolicy,
}

impl Default for QueuesSpec {
    fn default() -> Self {
        Self { mode: BindingMode::Create, names: None, deletion_policy: DeletionPolicy::Delete }
    }
}

/// The names of three queues. None of them is a FIFO queue.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.visits != self.refreshes && self.visits != self.deadLetters && self.refreshes != self.deadLetters",
    "message": "spec.bindings.queues.names must name three different queues: give each of visits, refreshes and deadLetters one of its own"
}]))]
pub struct QueueNames {
    /// The queue of jobs that visitors wait for.
    #[schemars(length(max = 80), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub visits: String,
    /// The queue of jobs that nobody waits for.
    #[schemars(length(max = 80), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub refreshes: String,
    /// The queue of jobs that failed for good.
    #[schemars(length(max = 80), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub dead_letters: String,
}

/// The topic of notices, and its subscription.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.mode == 'Create' || self.mode == 'AdoptOrCreate' || has(self.name)",
    "message": "spec.bindings.topic.name is needed with mode Adopt or ReadOnly: name the topic, or set mode Create"
}, {
    "rule": "self.mode != 'Create' || !has(self.name)",
    "message": "spec.bindings.topic.name needs mode Adopt, AdoptOrCreate or ReadOnly: set the mode, or leave the name out and one is drawn"
}]))]
pub struct TopicSpec {
    /// As for the bucket. `ReadOnly` holds for the subscription, too: whoever has the topic subscribes the
    /// endpoint.
    pub mode: BindingMode,
    /// The topic's name, in the account and region of the queues. Absent: one is drawn. It cannot be set, changed or
    /// removed later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub name: Option<String>,
    /// What becomes of it when the pipeline is deleted, where the operator made it. `Retain`: it stays, tagged as
    /// released, without our subscription. What was adopted or is read only always stays.
    pub deletion_policy: DeletionPolicy,
}

impl Default for TopicSpec {
    fn default() -> Self {
        Self { mode: BindingMode::Create, name: None, deletion_policy: DeletionPolicy::Delete }
    }
}
