//! The bucket of files and registry: private, TLS only, encrypted. Deleted only where we made it and the spec says so.

use aws_sdk_s3::{
    Client,
    error::{BuildError, SdkError},
    operation::head_bucket::HeadBucketError,
    types::{
        BucketLocationConstraint, CreateBucketConfiguration, PublicAccessBlockConfiguration, Tag, Tagging,
    },
};
use crds::{BindingMode, BucketVersioning, condition_reason as reason};
use pipeline::{Error, ErrorKind, aws::code_of};

use super::{
    cost_tags::{TagChange, build_first_tags, list_ours},
    ending::{Contents, Ending, plan_ending},
    error::{failed, is_denied, is_missing, is_taken},
    mode::{AtHand, Planned, Refusal, plan_by_mode},
    names::partition_of,
    ownership::{OUR_TAGS, Owner, Provenance, Standing, Tags},
    policy::{Rest, Transport, build_policy, plan_policy},
    terms::{BucketSettings, Naming, Terms},
};

/// What the bucket's name resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObservedBucket {
    Missing,
    Found(FoundBucket),
}

/// A bucket that we may look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBucket {
    pub tags: Tags,
    pub holds_objects: bool,
    pub blocks_public_access: bool,
    pub encryption: Encryption,
    /// `None` where it never had versions.
    pub versioning: Option<BucketVersioning>,
    pub lifecycle: Lifecycle,
    /// The bucket policy's text, where there is one.
    pub policy: Option<String>,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BucketStep {
    /// S3 sets the tags in the same call, so that no crash leaves a bucket that is nobody's.
    Create(Tags),
    /// Replaces all tags by these.
    SetTags(Tags),
    BlockPublicAccess,
    Encrypt(EncryptBy),
    SetVersioning(BucketVersioning),
    /// Replaces all rules by these.
    SetLifecycle(Lifecycle),
    SetPolicy(String),
    /// Deletes what the bucket holds, as much of it as one round has time for.
    Empty,
    Delete,
}

impl BucketStep {
    /// As logs name it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Create(_) => "create bucket",
            Self::SetTags(_) => "tag bucket",
            Self::BlockPublicAccess => "block public access to bucket",
            Self::Encrypt(_) => "encrypt bucket",
            Self::SetVersioning(_) => "set versioning of bucket",
            Self::SetLifecycle(_) => "set lifecycle of bucket",
            Self::SetPolicy(_) => "set policy of bucket",
            Self::Empty => "delete objects of bucket",
            Self::Delete => "delete bucket",
        }
    }

    /// What is not as it should be while the write is not done; follows the bucket's name.
    pub(super) fn lack(&self) -> String {
        let lack = match self {
            Self::BlockPublicAccess => "should block all public access",
            Self::Encrypt(EncryptBy::S3) => "should encrypt by default with keys of S3",
            Self::Encrypt(EncryptBy::KmsKey(key)) => {
                return format!("should encrypt by default with key {key} and have a bucket key");
            }
            Self::SetVersioning(BucketVersioning::Enabled) => "should keep versions",
            Self::SetVersioning(BucketVersioning::Suspended) => "should keep no versions",
            Self::SetLifecycle(_) => "should have other rules of lifecycle",
            Self::SetPolicy(_) => "should have a policy that denies access without TLS",
            Self::SetTags(_) => "should have other tags",
            Self::Create(_) | Self::Empty | Self::Delete => "should not be there as it is",
        };
        lack.to_owned()
    }
}

impl ObservedBucket {
    pub fn found(&self) -> Option<&FoundBucket> {
        match self {
            Self::Missing => None,
            Self::Found(found) => Some(found),
        }
    }
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Written {
    Done,
    /// The name is somebody else's already; the text says whose.
    Foreign(String),
}

/// What S3 would refuse every time: its buckets encrypt by keys of their own region alone.
pub(super) fn refuse_settings(settings: &BucketSettings, region: &str) -> Option<Refusal> {
    let key = settings.kms_key_arn.as_ref()?;
    let found = key.split(':').nth(3)?;
    (found != region).then(|| Refusal {
        reason: reason::INVALID_SPEC,
        message: format!(
            "spec.bindings.bucket.encryption.kmsKeyArn is {key}: it is a key of {found}, and the bucket lies in \
             {region}; name a key of {region}, such as a replica of it"
        ),
    })
}

pub(super) async fn observe_bucket(client: &Client, name: &str) -> Result<ObservedBucket, Error> {
    let head = client.head_bucket().bucket(name).send().await;
    if let Err(error) = head {
        return match error {
            error if is_missing(&error) => Ok(ObservedBucket::Missing),
            // S3 says the same of another account's bucket.
            error if is_denied(&error) => Err(failed(
                &format!(
                    "look at bucket {name}; allow the operator's role s3:ListBucket, s3:ListBucketVersions and \
                     s3:GetBucket* on it, unless it is another account's"
                ),
                error,
            )),
            error => Err(tell_failed_head(client, name, error).await),
        };
    }
    Ok(ObservedBucket::Found(FoundBucket {
        tags: fetch_tags(client, name).await?,
        holds_objects: fetch_holds_objects(client, name).await?,
        blocks_public_access: fetch_blocks_public_access(client, name).await?,
        encryption: fetch_encryption(client, name).await?,
        versioning: fetch_versioning(client, name).await?,
        lifecycle: fetch_lifecycle(client, name).await?,
        policy: fetch_policy(client, name).await?,
    }))
}

/// An answer to a HEAD has no body: whether S3 asks for fewer calls or is down, only another call tells.
async fn tell_failed_head(client: &Client, name: &str, error: SdkError<HeadBucketError>) -> Error {
    let is_silent = code_of(&error).is_none();
    let is_down = error.raw_response().is_some_and(|answer| answer.status().is_server_error());
    let failed = failed(&format!("look at bucket {name}"), error);
    if is_silent && is_down { fetch_tags(client, name).await.err().unwrap_or(failed) } else { failed }
}

/// Whose the bucket is.
pub(super) fn stand(observed: &ObservedBucket, terms: &Terms, owner: &Owner) -> Standing {
    let Some(found) = observed.found() else { return Standing::Missing };
    match owner.standing(&found.tags, terms) {
        // An endpoint that sets no tags at creation leaves this. Nobody but us knows the name that we drew.
        Standing::Foreign { is_in_use: false, .. }
            if terms.naming == Naming::Drawn && !has_our_tags(&found.tags) && !found.holds_objects =>
        {
            Standing::Ours(Provenance::Made)
        }
        standing => standing,
    }
}

fn has_our_tags(tags: &Tags) -> bool {
    OUR_TAGS.iter().any(|key| tags.contains_key(*key))
}

/// The writes that make the bucket as it should be and its mode allows, or why it cannot be used.
pub(super) fn plan_bucket(
    observed: &ObservedBucket,
    region: &str,
    transport: Transport,
    settings: &BucketSettings,
    (terms, owner): (&Terms, &Owner),
) -> Result<Planned<BucketStep>, Refusal> {
    let standing = stand(observed, terms, owner);
    let found = observed.found();
    let none = Tags::new();
    let tags = found.map_or(&none, |found| &found.tags);
    let corrections = found.map_or_else(Vec::new, |found| {
        let policy = build_bucket_policy(transport, &terms.name, region);
        let mut steps = plan_corrections(found, settings, policy, Rest::of(terms.mode, &standing));
        // Whoever keeps the bucket has the rules that they want.
        steps.retain(|step| {
            terms.mode != BindingMode::ReadOnly || !matches!(step, BucketStep::SetLifecycle(_))
        });
        steps
    });
    let at_hand = AtHand {
        standing,
        tags,
        // Creation is not exclusive: whether the bucket is ours is seen before anything else is done to it.
        create: vec![BucketStep::Create(build_first_tags(&owner.owned_tags(), &terms.tags))],
        tag: &|change| vec![BucketStep::SetTags(merged(tags, change))],
        corrections,
    };
    plan_by_mode(terms, owner, at_hand)
}

fn plan_corrections(
    found: &FoundBucket,
    settings: &BucketSettings,
    policy: Option<String>,
    rest: Rest,
) -> Vec<BucketStep> {
    let BucketSettings { kms_key_arn, versioning, noncurrent_version_days } = settings;
    let public = (!found.blocks_public_access).then_some(BucketStep::BlockPublicAccess);
    let encryption = plan_encryption(&found.encryption, kms_key_arn.as_deref(), rest);
    let versioning = plan_versioning(found.versioning, *versioning);
    let lifecycle = plan_lifecycle(&found.lifecycle, *noncurrent_version_days, rest);
    let policy = plan_policy(policy, found.policy.as_deref(), rest);
    let steps = [
        public,
        encryption.map(BucketStep::Encrypt),
        versioning.map(BucketStep::SetVersioning),
        lifecycle.map(BucketStep::SetLifecycle),
        policy.map(BucketStep::SetPolicy),
    ];
    steps.into_iter().flatten().collect()
}

/// What becomes of the bucket when its pipeline goes, and the write for it.
pub(super) fn plan_bucket_release(
    observed: &ObservedBucket,
    terms: &Terms,
    owner: &Owner,
) -> Option<(Ending, BucketStep)> {
    let found = observed.found()?;
    let contents = if found.holds_objects { Contents::Something } else { Contents::Empty };
    let ending = plan_ending(terms, &owner.standing(&found.tags, terms), contents)?;
    let step = match ending {
        Ending::Delete => BucketStep::Delete,
        Ending::Empty => BucketStep::Empty,
        Ending::Release => {
            let change = TagChange { set: owner.released_tags(), ..TagChange::default() };
            BucketStep::SetTags(merged(&found.tags, change))
        }
        Ending::GiveBack => {
            let change = TagChange { remove: list_ours(&found.tags), ..TagChange::default() };
            BucketStep::SetTags(merged(&found.tags, change))
        }
        Ending::Leave => return None,
    };
    Some((ending, step))
}

/// All tags after the change: S3 takes no part of them.
fn merged(observed: &Tags, change: TagChange) -> Tags {
    let TagChange { remove, set } = change;
    let mut all = observed.clone();
    all.retain(|key, _| !remove.contains(key));
    all.extend(set);
    all
}

fn build_bucket_policy(transport: Transport, name: &str, region: &str) -> Option<String> {
    let bucket = format!("arn:{}:s3:::{name}", partition_of(region));
    let objects = format!("{bucket}/*");
    build_policy(transport, "s3:*", &[bucket, objects])
}

pub(super) async fn apply_bucket(
    client: &Client,
    name: &str,
    region: &str,
    step: BucketStep,
) -> Result<Written, Error> {
    let written = match step {
        BucketStep::Create(tags) => return create_bucket(client, name, region, tags).await,
        BucketStep::SetTags(tags) => set_tags(client, name, tags).await,
        BucketStep::BlockPublicAccess => block_public_access(client, name).await,
        BucketStep::Encrypt(by) => encrypt(client, name, by).await,
        BucketStep::SetVersioning(versioning) => set_versioning(client, name, versioning).await,
        BucketStep::SetLifecycle(lifecycle) => set_lifecycle(client, name, lifecycle).await,
        BucketStep::SetPolicy(policy) => {
            let sent = client.put_bucket_policy().bucket(name).policy(policy).send().await;
            sent.map(drop).map_err(|error| failed(&format!("set the policy of bucket {name}"), error))
        }
        BucketStep::Empty => delete_objects(client, name).await,
        BucketStep::Delete => match client.delete_bucket().bucket(name).send().await {
            Err(error) if !is_missing(&error) => Err(failed(&format!("delete bucket {name}"), error)),
            Ok(_) | Err(_) => Ok(()),
        },
    };
    written.map(|()| Written::Done)
}

async fn create_bucket(client: &Client, name: &str, region: &str, tags: Tags) -> Result<Written, Error> {
    let attempted = format!("create bucket {name}");
    // S3 refuses us-east-1 as a constraint: it is the default there.
    let constraint = (region != "us-east-1").then(|| BucketLocationConstraint::from(region));
    let configuration = CreateBucketConfiguration::builder()
        .set_location_constraint(constraint)
        .set_tags(Some(to_sdk(&attempted, tags)?))
        .build();
    let sent = client.create_bucket().bucket(name).create_bucket_configuration(configuration).send().await;
    match sent {
        Ok(_) => Ok(Written::Done),
        Err(error) if is_taken(&error) => Ok(Written::Foreign(format!(
            "bucket {name} exists and belongs to another account: name another one in a new AssetPipeline"
        ))),
        Err(error) => Err(failed(&attempted, error)),
    }
}

/// Sets exactly these tags.
async fn set_tags(client: &Client, name: &str, tags: Tags) -> Result<(), Error> {
    let attempted = format!("tag bucket {name}");
    if tags.is_empty() {
        let sent = client.delete_bucket_tagging().bucket(name).send().await;
        return sent.map(drop).map_err(|error| failed(&attempted, error));
    }
    let tagging = Tagging::builder().set_tag_set(Some(to_sdk(&attempted, tags)?)).build();
    let tagging = tagging.map_err(|source| invalid(&attempted, source))?;
    let sent = client.put_bucket_tagging().bucket(name).tagging(tagging).send().await;
    sent.map(drop).map_err(|error| failed(&attempted, error))
}

fn to_sdk(attempted: &str, tags: Tags) -> Result<Vec<Tag>, Error> {
    let tags = tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.collect::<Result<_, _>>().map_err(|source| invalid(attempted, source))
}

fn invalid(attempted: &str, source: BuildError) -> Error {
    Error::new(ErrorKind::Invalid, attempted).with_source(source)
}

async fn block_public_access(client: &Client, name: &str) -> Result<(), Error> {
    let everything = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build();
    let sent = client
        .put_public_access_block()
        .bucket(name)
        .public_access_block_configuration(everything)
        .send()
        .await;
    sent.map(drop).map_err(|error| failed(&format!("block public access to bucket {name}"), error))
}

pub(super) async fn fetch_tags(client: &Client, name: &str) -> Result<Tags, Error> {
    match client.get_bucket_tagging().bucket(name).send().await {
        Ok(answer) => Ok(answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect()),
        Err(error) if is_missing(&error) => Ok(Tags::new()),
        Err(error) => Err(failed(&format!("read the tags of bucket {name}"), error)),
    }
}

/// Old versions and marks of deletion count: S3 deletes no bucket that has them.
async fn fetch_holds_objects(client: &Client, name: &str) -> Result<bool, Error> {
    match client.list_object_versions().bucket(name).max_keys(1).send().await {
        Ok(answer) => Ok(!answer.versions().is_empty() || !answer.delete_markers().is_empty()),
        Err(error) => Err(failed(&format!("list bucket {name}"), error)),
    }
}

async fn fetch_blocks_public_access(client: &Client, name: &str) -> Result<bool, Error> {
    match client.get_public_access_block().bucket(name).send().await {
        Ok(answer) => Ok(answer.public_access_block_configuration.is_some_and(|block| {
            [
                block.block_public_acls,
                block.ignore_public_acls,
                block.block_public_policy,
                block.restrict_public_buckets,
            ] == [Some(true); 4]
        })),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(failed(&format!("read the public access block of bucket {name}"), error)),
    }
}

async fn fetch_policy(client: &Client, name: &str) -> Result<Option<String>, Error> {
    match client.get_bucket_policy().bucket(name).send().await {
        Ok(answer) => Ok(answer.policy),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(failed(&format!("read the policy of bucket {name}"), error)),
    }
}

mod encryption;
mod lifecycle;
mod objects;
mod versioning;

pub use encryption::{EncryptBy, Encryption};
use encryption::{encrypt, fetch_encryption, plan_encryption};
pub use lifecycle::Lifecycle;
use lifecycle::{fetch_lifecycle, plan_lifecycle, set_lifecycle};
use objects::delete_objects;
use versioning::{fetch_versioning, plan_versioning, set_versioning};

#[cfg(test)]
mod tests;
