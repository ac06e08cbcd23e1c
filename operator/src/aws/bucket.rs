//! The bucket of files and registry: private, TLS only, encrypted. Made by us, and never deleted by us.

use aws_sdk_s3::{
    Client,
    error::BuildError,
    types::{
        BucketLocationConstraint, CreateBucketConfiguration, PublicAccessBlockConfiguration,
        ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
        ServerSideEncryptionRule, Tag, Tagging,
    },
};
use pipeline::Error;

use super::{
    error::{failed, is_denied, is_missing, is_taken},
    ownership::{Holder, Owner, Tags, plan_tags},
    policy::{Transport, build_policy, is_same_json},
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
    Create,
    /// Replaces all tags by these.
    SetTags(Tags),
    BlockPublicAccess,
    Encrypt,
    SetPolicy(String),
}

impl BucketStep {
    /// As logs name it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Create => "create bucket",
            Self::SetTags(_) => "tag bucket",
            Self::BlockPublicAccess => "block public access to bucket",
            Self::Encrypt => "encrypt bucket",
            Self::SetPolicy(_) => "set policy of bucket",
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
            // S3 says the same of another account's bucket. Its name ends at random, so the role it is.
            error if is_denied(&error) => Err(failed(
                &format!(
                    "look at bucket {name}; allow the operator's role s3:ListBucket and s3:GetBucket* on it"
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

/// The writes that make the bucket as it should be, or whose it is instead of ours.
pub(super) fn plan_bucket(
    observed: &ObservedBucket,
    name: &str,
    region: &str,
    transport: Transport,
    owner: &Owner,
) -> Result<Vec<BucketStep>, String> {
    let policy = build_bucket_policy(transport, name, region);
    match observed {
        ObservedBucket::Missing => {
            let made = [BucketStep::Create, BucketStep::SetTags(owner.owned_tags())];
            let closed = [BucketStep::BlockPublicAccess, BucketStep::Encrypt];
            Ok(made.into_iter().chain(closed).chain(policy.map(BucketStep::SetPolicy)).collect())
        }
        ObservedBucket::Found(found) => match owner.holder(&found.tags) {
            Holder::Ours | Holder::Released => Ok(plan_found(found, policy, owner)),
            // A crash between creation and tagging leaves a bucket without tags, and it is empty then.
            Holder::Nobody if !found.holds_objects => Ok(plan_found(found, policy, owner)),
            Holder::Nobody => {
                Err(format!("bucket {name} exists, holds objects and carries none of our tags"))
            }
            Holder::Other(other) => Err(format!("bucket {name} belongs to {other}")),
        },
    }
}

/// The tags that mark the bucket as kept, where it is ours.
pub(super) fn plan_bucket_release(observed: &ObservedBucket, owner: &Owner) -> Option<BucketStep> {
    match observed {
        ObservedBucket::Found(found) if owner.holder(&found.tags) == Holder::Ours => {
            Some(BucketStep::SetTags(merged(&found.tags, owner.released_tags())))
        }
        ObservedBucket::Found(_) | ObservedBucket::Missing => None,
    }
}

fn plan_found(found: &FoundBucket, policy: Option<String>, owner: &Owner) -> Vec<BucketStep> {
    let mut steps = Vec::new();
    if let Some(changed) = plan_tags(&found.tags, &owner.owned_tags()) {
        steps.push(BucketStep::SetTags(merged(&found.tags, changed)));
    }
    if !found.blocks_public_access {
        steps.push(BucketStep::BlockPublicAccess);
    }
    if !found.is_encrypted {
        steps.push(BucketStep::Encrypt);
    }
    let is_drifted =
        |policy: &String| !found.policy.as_deref().is_some_and(|observed| is_same_json(observed, policy));
    steps.extend(policy.filter(is_drifted).map(BucketStep::SetPolicy));
    steps
}

fn merged(observed: &Tags, changed: Tags) -> Tags {
    let mut all = observed.clone();
    all.extend(changed);
    all
}

fn build_bucket_policy(transport: Transport, name: &str, region: &str) -> Option<String> {
    let partition = match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    let bucket = format!("arn:{partition}:s3:::{name}");
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
        BucketStep::Create => return create_bucket(client, name, region).await,
        BucketStep::SetTags(tags) => set_tags(client, name, tags).await,
        BucketStep::BlockPublicAccess => block_public_access(client, name).await,
        BucketStep::Encrypt => encrypt(client, name).await,
        BucketStep::SetPolicy(policy) => {
            let sent = client.put_bucket_policy().bucket(name).policy(policy).send().await;
            sent.map(drop).map_err(|error| failed(&format!("set the policy of bucket {name}"), error))
        }
    };
    written.map(|()| Written::Done)
}

async fn create_bucket(client: &Client, name: &str, region: &str) -> Result<Written, Error> {
    // S3 refuses us-east-1 as a constraint: it is the default there.
    let configuration = (region != "us-east-1").then(|| {
        CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(region))
            .build()
    });
    let sent =
        client.create_bucket().bucket(name).set_create_bucket_configuration(configuration).send().await;
    match sent {
        Ok(_) => Ok(Written::Done),
        Err(error) if is_taken(&error) => {
            Ok(Written::Foreign(format!("bucket {name} exists and belongs to another account")))
        }
        Err(error) => Err(failed(&format!("create bucket {name}"), error)),
    }
}

async fn set_tags(client: &Client, name: &str, tags: Tags) -> Result<(), Error> {
    let attempted = format!("tag bucket {name}");
    let invalid =
        |source: BuildError| Error::new(pipeline::ErrorKind::Invalid, attempted.clone()).with_source(source);
    let tags = tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    let tags = tags.collect::<Result<Vec<_>, _>>().map_err(invalid)?;
    let tagging = Tagging::builder().set_tag_set(Some(tags)).build().map_err(invalid)?;
    let sent = client.put_bucket_tagging().bucket(name).tagging(tagging).send().await;
    sent.map(drop).map_err(|error| failed(&attempted, error))
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
    let invalid =
        |source: BuildError| Error::new(pipeline::ErrorKind::Invalid, attempted.clone()).with_source(source);
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

async fn fetch_tags(client: &Client, name: &str) -> Result<Tags, Error> {
    match client.get_bucket_tagging().bucket(name).send().await {
        Ok(answer) => Ok(answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect()),
        Err(error) if is_missing(&error) => Ok(Tags::new()),
        Err(error) => Err(failed(&format!("read the tags of bucket {name}"), error)),
    }
}

async fn fetch_holds_objects(client: &Client, name: &str) -> Result<bool, Error> {
    match client.list_objects_v2().bucket(name).max_keys(1).send().await {
        Ok(answer) => Ok(!answer.contents().is_empty()),
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

#[cfg(test)]
mod tests;
