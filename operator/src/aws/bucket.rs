//! The bucket of files and registry: private, TLS only, encrypted. Deleted only where we made it and the spec says so.

use aws_sdk_s3::{
    Client,
    error::BuildError,
    types::{
        BucketLocationConstraint, CreateBucketConfiguration, PublicAccessBlockConfiguration,
        ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
        ServerSideEncryptionRule, Tag, Tagging,
    },
};
use pipeline::{Error, ErrorKind};

use super::{
    ending::{Contents, Ending, plan_ending},
    error::{failed, is_denied, is_missing, is_taken},
    mode::{AtHand, Planned, Refusal, plan_by_mode},
    names::partition_of,
    ownership::{OUR_TAGS, Owner, Provenance, Standing, Tags},
    policy::{Rest, Transport, build_policy, plan_policy},
    terms::{Naming, Terms},
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
    pub is_encrypted: bool,
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
    Encrypt,
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
            Self::Encrypt => "encrypt bucket",
            Self::SetPolicy(_) => "set policy of bucket",
            Self::Empty => "delete objects of bucket",
            Self::Delete => "delete bucket",
        }
    }

    /// What is not as it should be while the write is not done; follows the bucket's name.
    pub(super) fn lack(&self) -> &'static str {
        match self {
            Self::BlockPublicAccess => "should block all public access",
            Self::Encrypt => "should encrypt by default",
            Self::SetPolicy(_) => "should have a policy that denies access without TLS",
            Self::SetTags(_) => "should have other tags",
            Self::Create(_) | Self::Empty | Self::Delete => "should not be there as it is",
        }
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
            error => Err(failed(&format!("look at bucket {name}"), error)),
        };
    }
    Ok(ObservedBucket::Found(FoundBucket {
        tags: fetch_tags(client, name).await?,
        holds_objects: fetch_holds_objects(client, name).await?,
        blocks_public_access: fetch_blocks_public_access(client, name).await?,
        is_encrypted: fetch_is_encrypted(client, name).await?,
        policy: fetch_policy(client, name).await?,
    }))
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
    (terms, owner): (&Terms, &Owner),
) -> Result<Planned<BucketStep>, Refusal> {
    let standing = stand(observed, terms, owner);
    let found = observed.found();
    let none = Tags::new();
    let tags = found.map_or(&none, |found| &found.tags);
    let corrections = found.map_or_else(Vec::new, |found| {
        let policy = build_bucket_policy(transport, &terms.name, region);
        plan_corrections(found, policy, Rest::of(terms.mode, &standing))
    });
    let at_hand = AtHand {
        standing,
        tags,
        // Creation is not exclusive: whether the bucket is ours is seen before anything else is done to it.
        create: vec![BucketStep::Create(owner.owned_tags())],
        tag: &|changed| BucketStep::SetTags(merged(tags, changed)),
        corrections,
    };
    plan_by_mode(terms, owner, at_hand)
}

fn plan_corrections(found: &FoundBucket, policy: Option<String>, rest: Rest) -> Vec<BucketStep> {
    let mut steps = Vec::new();
    if !found.blocks_public_access {
        steps.push(BucketStep::BlockPublicAccess);
    }
    if !found.is_encrypted {
        steps.push(BucketStep::Encrypt);
    }
    steps.extend(plan_policy(policy, found.policy.as_deref(), rest).map(BucketStep::SetPolicy));
    steps
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
        Ending::Release => BucketStep::SetTags(merged(&found.tags, owner.released_tags())),
        Ending::GiveBack => {
            let theirs = found.tags.iter().filter(|(key, _)| !OUR_TAGS.contains(&key.as_str()));
            BucketStep::SetTags(theirs.map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        Ending::Leave => return None,
    };
    Some((ending, step))
}

fn merged(observed: &Tags, changed: Tags) -> Tags {
    let mut all = observed.clone();
    all.extend(changed);
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
        BucketStep::Encrypt => encrypt(client, name).await,
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

async fn encrypt(client: &Client, name: &str) -> Result<(), Error> {
    let attempted = format!("encrypt bucket {name}");
    let invalid = |source| invalid(&attempted, source);
    let by_default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::Aes256)
        .build()
        .map_err(invalid)?;
    let rule =
        ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default).build();
    let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(invalid)?;
    let sent = client
        .put_bucket_encryption()
        .bucket(name)
        .server_side_encryption_configuration(configuration)
        .send()
        .await;
    sent.map(drop).map_err(|error| failed(&attempted, error))
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

async fn fetch_is_encrypted(client: &Client, name: &str) -> Result<bool, Error> {
    match client.get_bucket_encryption().bucket(name).send().await {
        Ok(answer) => Ok(answer.server_side_encryption_configuration.is_some_and(|configuration| {
            configuration.rules.iter().any(|rule| rule.apply_server_side_encryption_by_default.is_some())
        })),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(failed(&format!("read the encryption of bucket {name}"), error)),
    }
}

async fn fetch_policy(client: &Client, name: &str) -> Result<Option<String>, Error> {
    match client.get_bucket_policy().bucket(name).send().await {
        Ok(answer) => Ok(answer.policy),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(failed(&format!("read the policy of bucket {name}"), error)),
    }
}

mod objects;

use objects::delete_objects;

#[cfg(test)]
mod tests;
