//! What the operator may do: look at a pipeline's resources, and make, set and delete them as far as the spec
//! lets it; keep the registry in the bucket.
//!
//! What ends a queue or topic asks for the operator's own tags on it. What sets one does not: tags that were
//! just written count in IAM only after a moment, and the names are the pipeline's alone. Nor does what takes tags
//! away: their keys are in the spec no more, and a statement of its own would not fit the size that IAM allows.

use crds::{AssetPipelineSpec, BindingMode, DeletionPolicy, WhenNotEmpty};
use pipeline::{purge::PIPELINE_PURGE_OBJECT, tenant::REGISTRY_PREFIX};

use super::{Arns, Condition, DECRYPT, ENCRYPT, Grant, Known, Statement, grant, use_key};
use crate::{
    aws::{CLUSTER_TAG, OUR_TAGS, OWNED, PIPELINE_TAG, RECORD_TAG, STATE_TAG},
    tenants::CLAIMS_PREFIX,
};

/// What IAM binds to no resource.
const ANYTHING: &str = "*";

/// `left_behind` is what an earlier pipeline of the same name may have left under other names; `owner` the
/// pipeline as its tag has it.
pub(super) fn build_statements(
    spec: &AssetPipelineSpec,
    arns: &Arns,
    left_behind: &Arns,
    owner: (&str, &Known),
) -> Vec<Statement> {
    let mut statements = build_bucket_statements(spec, arns, left_behind);
    statements.extend(build_queue_statements(spec, arns, left_behind, owner));
    statements.extend(build_topic_statements(spec, arns, owner));
    statements
}

fn is_made(mode: BindingMode) -> bool {
    match mode {
        BindingMode::Create | BindingMode::AdoptOrCreate => true,
        BindingMode::Adopt | BindingMode::ReadOnly => false,
    }
}

fn is_set(mode: BindingMode) -> bool {
    match mode {
        BindingMode::Create | BindingMode::Adopt | BindingMode::AdoptOrCreate => true,
        BindingMode::ReadOnly => false,
    }
}

/// With mode `Adopt`, too: an earlier pipeline of the same name may have made it.
fn is_deleted(mode: BindingMode, policy: DeletionPolicy) -> bool {
    is_set(mode) && policy == DeletionPolicy::Delete
}

const SEE_BUCKET: &[Grant] = &[
    grant(
        "s3:ListBucket",
        "tells whether the bucket is there, and without it absent objects are 403, not 404",
    ),
    grant("s3:ListBucketVersions", "a bucket that holds anything, old versions included, is not deleted"),
    grant("s3:GetBucketTagging", "tags tell whose the bucket is"),
    grant("s3:GetBucketPublicAccessBlock", "it is compared with what it should be"),
    grant("s3:GetEncryptionConfiguration", "it is compared with what it should be"),
    grant("s3:GetBucketPolicy", "it is compared with what it should be"),
    grant("s3:GetBucketVersioning", "it is compared with what it should be"),
    grant("s3:GetLifecycleConfiguration", "it is compared with what it should be"),
];
const KEEP_REGISTRY_BY_KEY: &[Grant] = &[DECRYPT, ENCRYPT];
const KEEP_REGISTRY: &[Grant] = &[
    grant("s3:GetObject", "registrations and owners' records are changed only as they were read"),
    grant("s3:PutObject", "tenants are registered, and their purges recorded"),
    grant("s3:DeleteObject", "tenants that go are not served any more"),
];
const RECORD_PURGES: &[Grant] = &[
    grant("s3:GetObject", "the purge of a whole pipeline never takes a later one back"),
    grant("s3:PutObject", "the purge of a whole pipeline is recorded"),
];
const MAKE_BUCKET: &[Grant] = &[
    grant("s3:CreateBucket", "the mode lets the operator make the bucket"),
    grant("s3:TagResource", "the bucket is tagged by the call that makes it"),
];
const SET_BUCKET: &[Grant] = &[
    grant("s3:PutBucketTagging", "adopted, taken back, released and given back are tags"),
    grant("s3:PutBucketPublicAccessBlock", "the bucket is private"),
    grant("s3:PutEncryptionConfiguration", "the bucket encrypts by default"),
    grant("s3:PutBucketPolicy", "the bucket refuses connections without TLS"),
    grant("s3:PutLifecycleConfiguration", "old versions and what was left half done go by themselves"),
];
const VERSION_BUCKET: &[Grant] =
    &[grant("s3:PutBucketVersioning", "spec.bindings.bucket.versioning says whether versions are kept")];
const DELETE_BUCKET: &[Grant] = &[grant("s3:DeleteBucket", "deletionPolicy is Delete")];
const EMPTY_BUCKET: &[Grant] = &[
    grant("s3:DeleteObject", "whenNotEmpty is DeleteAllObjects"),
    grant(
        "s3:DeleteObjectVersion",
        "whenNotEmpty is DeleteAllObjects, and S3 deletes no bucket with old versions",
    ),
];
const FIND_LEFT_BUCKETS: &[Grant] = &[grant(
    "s3:ListAllMyBuckets",
    "a pipeline that is applied again finds the bucket that it left; IAM binds it to none",
)];
const SEE_LEFT_BUCKETS: &[Grant] =
    &[grant("s3:GetBucketTagging", "tags tell whether a bucket of such a name is this pipeline's")];

fn build_bucket_statements(spec: &AssetPipelineSpec, arns: &Arns, left_behind: &Arns) -> Vec<Statement> {
    let bucket = &spec.bindings.bucket;
    let registry = arns.objects([REGISTRY_PREFIX, CLAIMS_PREFIX]);
    let mut statements = vec![
        Statement::new("SeeBucket", SEE_BUCKET, arns.bucket()),
        Statement::new("KeepRegistry", KEEP_REGISTRY, registry),
        Statement::new("RecordPurges", RECORD_PURGES, arns.objects([PIPELINE_PURGE_OBJECT])),
    ];
    if is_made(bucket.mode) {
        statements.push(Statement::new("MakeBucket", MAKE_BUCKET, arns.bucket()));
    }
    if is_set(bucket.mode) {
        statements.push(Statement::new("SetBucket", SET_BUCKET, arns.bucket()));
        if bucket.versioning.is_some() {
            statements.push(Statement::new("VersionBucket", VERSION_BUCKET, arns.bucket()));
        }
    }
    statements.extend(use_key(spec, KEEP_REGISTRY_BY_KEY));
    if is_deleted(bucket.mode, bucket.deletion_policy) {
        statements.push(Statement::new("DeleteBucket", DELETE_BUCKET, arns.bucket()));
        if bucket.when_not_empty == WhenNotEmpty::DeleteAllObjects {
            statements.push(Statement::new("EmptyBucket", EMPTY_BUCKET, arns.objects([""])));
        }
    }
    if bucket.name.is_none() {
        statements.push(Statement::new("FindLeftBuckets", FIND_LEFT_BUCKETS, vec![ANYTHING.to_owned()]));
        if left_behind.bucket != arns.bucket {
            statements.push(Statement::new("SeeLeftBuckets", SEE_LEFT_BUCKETS, left_behind.bucket()));
        }
    }
    statements
}

const SEE_QUEUES: &[Grant] = &[
    grant("sqs:GetQueueUrl", "tells whether the queue is there"),
    grant(
        "sqs:GetQueueAttributes",
        "settings are compared with what they should be, and jobs are counted to scale",
    ),
    grant("sqs:ListQueueTags", "tags tell whose the queue is"),
];
const MAKE_QUEUES: &[Grant] = &[grant("sqs:CreateQueue", "the mode lets the operator make the queues")];
const TAG_QUEUES: &[Grant] = &[grant(
    "sqs:TagQueue",
    "made, adopted, taken back and released are tags, and the spec may have some of its own",
)];
const SET_QUEUES: &[Grant] = &[
    grant(
        "sqs:SetQueueAttributes",
        "retention, redrive, encryption and the policy are kept as they should be",
    ),
    grant(
        "sqs:UntagQueue",
        "an adopted queue is given back without our tags, and tags go that the spec has no more",
    ),
];
const DELETE_QUEUES: &[Grant] = &[grant("sqs:DeleteQueue", "deletionPolicy is Delete")];
const FIND_LEFT_QUEUES: &[Grant] = &[grant(
    "sqs:ListQueues",
    "a pipeline that is applied again finds the queues that it left; IAM binds it to none",
)];
const SEE_LEFT_QUEUES: &[Grant] =
    &[grant("sqs:ListQueueTags", "tags tell whether a queue of such a name is this pipeline's")];

fn build_queue_statements(
    spec: &AssetPipelineSpec,
    arns: &Arns,
    left_behind: &Arns,
    owner: (&str, &Known),
) -> Vec<Statement> {
    let queues = &spec.bindings.queues;
    let mut statements = vec![Statement::new("SeeQueues", SEE_QUEUES, arns.queues())];
    if is_made(queues.mode) {
        let make = Statement::new("MakeQueues", MAKE_QUEUES, arns.queues());
        statements.push(make.when(making_conditions(owner)));
    }
    if is_set(queues.mode) {
        let tag = Statement::new("TagQueues", TAG_QUEUES, arns.queues());
        statements.push(tag.when(tagging_conditions(spec, owner)));
        statements.push(Statement::new("SetQueues", SET_QUEUES, arns.queues()));
    }
    if is_deleted(queues.mode, queues.deletion_policy) {
        let delete = Statement::new("DeleteQueues", DELETE_QUEUES, arns.queues());
        statements.push(delete.when(ownership_conditions(owner)));
    }
    if queues.names.is_none() && queues.deletion_policy == DeletionPolicy::Retain {
        statements.push(Statement::new("FindLeftQueues", FIND_LEFT_QUEUES, vec![ANYTHING.to_owned()]));
        if left_behind.queue != arns.queue {
            let left = vec![left_behind.queue.clone()];
            statements.push(Statement::new("SeeLeftQueues", SEE_LEFT_QUEUES, left));
        }
    }
    statements
}

const SEE_TOPIC: &[Grant] = &[
    grant("sns:GetTopicAttributes", "tells whether the topic is there, and set as it should be"),
    grant("sns:ListTagsForResource", "tags tell whose the topic is"),
    grant("sns:ListSubscriptionsByTopic", "tells whether the endpoint is subscribed"),
];
const MAKE_TOPIC: &[Grant] = &[grant("sns:CreateTopic", "the mode lets the operator make the topic")];
const TAG_TOPIC: &[Grant] = &[grant(
    "sns:TagResource",
    "made, adopted, taken back and released are tags, and the spec may have some of its own",
)];
const SET_TOPIC: &[Grant] = &[
    grant("sns:SetTopicAttributes", "the signature's version and the policy are kept as they should be"),
    grant(
        "sns:UntagResource",
        "an adopted topic is given back without our tags, and tags go that the spec has no more",
    ),
];
const DELETE_TOPIC: &[Grant] = &[grant("sns:DeleteTopic", "deletionPolicy is Delete")];
const SUBSCRIBE: &[Grant] = &[grant("sns:Subscribe", "spec.notifications.endpoint is subscribed")];
const UNSUBSCRIBE: &[Grant] = &[grant(
    "sns:Unsubscribe",
    "an endpoint that the spec names no more is unsubscribed, and the last one at the end; IAM binds it to no topic",
)];

fn build_topic_statements(spec: &AssetPipelineSpec, arns: &Arns, owner: (&str, &Known)) -> Vec<Statement> {
    let topic = &spec.bindings.topic;
    let mut statements = vec![Statement::new("SeeTopic", SEE_TOPIC, arns.topic())];
    if is_made(topic.mode) {
        let make = Statement::new("MakeTopic", MAKE_TOPIC, arns.topic());
        statements.push(make.when(making_conditions(owner)));
    }
    if is_set(topic.mode) {
        let tag = Statement::new("TagTopic", TAG_TOPIC, arns.topic());
        statements.push(tag.when(tagging_conditions(spec, owner)));
        statements.push(Statement::new("SetTopic", SET_TOPIC, arns.topic()));
        if let Some(endpoint) = &spec.notifications.endpoint {
            let subscribe = Statement::new("Subscribe", SUBSCRIBE, arns.topic());
            statements.push(subscribe.when(endpoint_conditions(endpoint)));
        }
        statements.push(Statement::new("Unsubscribe", UNSUBSCRIBE, vec![ANYTHING.to_owned()]));
    }
    if is_deleted(topic.mode, topic.deletion_policy) {
        let delete = Statement::new("DeleteTopic", DELETE_TOPIC, arns.topic());
        statements.push(delete.when(ownership_conditions(owner)));
    }
    statements
}

/// The tags that say whose a resource is, as far as they are known.
fn owner_tags((pipeline, known): (&str, &Known)) -> impl Iterator<Item = (&'static str, String)> {
    let cluster = known.cluster_name.clone().map(|name| (CLUSTER_TAG, name));
    cluster.into_iter().chain([(PIPELINE_TAG, pipeline.to_owned())])
}

fn making_conditions(owner: (&str, &Known)) -> Vec<Condition> {
    let tag = |(key, value)| condition("StringEquals", format!("aws:RequestTag/{key}"), [value]);
    owner_tags(owner).map(tag).collect()
}

/// Only tags of ours and of the spec, and no other owner; those that stay as they are need not come along.
fn tagging_conditions(spec: &AssetPipelineSpec, owner: (&str, &Known)) -> Vec<Condition> {
    let tag = |(key, value)| condition("StringEqualsIfExists", format!("aws:RequestTag/{key}"), [value]);
    let tags = &spec.bindings.tags;
    let record = (!tags.is_empty()).then_some(RECORD_TAG);
    let keys = OUR_TAGS.into_iter().chain(record).chain(tags.keys().map(String::as_str)).map(str::to_owned);
    let keys = Condition {
        test: "ForAllValues:StringEquals",
        key: "aws:TagKeys".to_owned(),
        values: keys.collect(),
    };
    [keys].into_iter().chain(owner_tags(owner).map(tag)).collect()
}

/// The operator made it for this pipeline, and it is in use.
fn ownership_conditions(owner: (&str, &Known)) -> Vec<Condition> {
    let tag = |(key, value)| condition("StringEquals", format!("aws:ResourceTag/{key}"), [value]);
    owner_tags(owner).chain([(STATE_TAG, OWNED.to_owned())]).map(tag).collect()
}

fn endpoint_conditions(endpoint: &str) -> Vec<Condition> {
    // As the subscription spells it. A text that is no URL is never subscribed.
    let spelled = url::Url::parse(endpoint).map_or_else(|_| endpoint.to_owned(), String::from);
    let scheme = spelled.split(':').next().unwrap_or_default().to_owned();
    vec![
        condition("StringEquals", "sns:Protocol".to_owned(), [scheme]),
        condition("StringEquals", "sns:Endpoint".to_owned(), [spelled]),
    ]
}

fn condition<const N: usize>(test: &'static str, key: String, values: [String; N]) -> Condition {
    Condition { test, key, values: values.into() }
}
