//! Encryption, versions and lifecycle of the bucket, as the spec has them and as others change them.

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketVersioningStatus, ExpirationStatus, LifecycleExpiration,
    LifecycleRule, LifecycleRuleFilter, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, VersioningConfiguration,
};
use operator::aws::bucket::{BucketStep, EncryptBy, Encryption, FoundBucket};
use serde_json::{Value, json};
use tests::moto::Moto;

use crate::stage::{KEY, Rest, Stage, clients};

async fn settle(stage: &Stage, spec: &Value) -> Result<Rest> {
    stage.settle(spec).await?.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))
}

async fn look(stage: &Stage) -> Result<FoundBucket> {
    stage.look().await?.bucket.found().cloned().context("the bucket is gone")
}

async fn encrypt_by(stage: &Stage, key: &str) -> Result<()> {
    let by_default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::AwsKms);
    let by_default = by_default.kms_master_key_id(key).build()?;
    let rule =
        ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default).build();
    let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build()?;
    let request = stage.clients.s3.put_bucket_encryption().bucket(&stage.names.bucket);
    request.server_side_encryption_configuration(configuration).send().await?;
    Ok(())
}

async fn suspend_versions(stage: &Stage) -> Result<()> {
    let off = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
    let request = stage.clients.s3.put_bucket_versioning().bucket(&stage.names.bucket);
    request.versioning_configuration(off).send().await?;
    Ok(())
}

/// A rule of somebody's, in place of all others.
async fn set_their_rule(stage: &Stage) -> Result<()> {
    let rule = LifecycleRule::builder()
        .id("logs")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("logs/").build())
        .expiration(LifecycleExpiration::builder().days(400).build())
        .build()?;
    let configuration = BucketLifecycleConfiguration::builder().rules(rule).build()?;
    let request = stage.clients.s3.put_bucket_lifecycle_configuration().bucket(&stage.names.bucket);
    request.lifecycle_configuration(configuration).send().await?;
    Ok(())
}

/// The ids of the bucket's rules, and for how long they keep versions.
async fn rules(stage: &Stage) -> Result<Vec<(String, Option<i32>)>> {
    let request = stage.clients.s3.get_bucket_lifecycle_configuration().bucket(&stage.names.bucket);
    let rules = request.send().await?.rules.unwrap_or_default();
    let days = |rule: &LifecycleRule| rule.noncurrent_version_expiration.as_ref()?.noncurrent_days;
    Ok(rules.iter().map(|rule| (rule.id().unwrap_or_default().to_owned(), days(rule))).collect())
}

#[tokio::test]
async fn settings_of_the_bucket_are_kept_as_the_spec_has_them() -> Result<()> {
    let moto = Moto::start()?;
    let stage = Stage::new(&clients(&moto).await, "set");
    let bucket =
        json!({"encryption": {"kmsKeyArn": KEY}, "versioning": "Enabled", "noncurrentVersionDays": 14});
    let spec = stage.spec("Create", &json!({"bucket": bucket}));
    settle(&stage, &spec).await?;
    let set = look(&stage).await?;
    assert_eq!(set.encryption, Encryption::Kms { key: Some(KEY.to_owned()), has_bucket_key: true });
    assert_eq!(set.versioning, Some(crds::BucketVersioning::Enabled));
    let ours = rules(&stage).await?;
    ensure!(ours.len() == 6 && ours.iter().all(|(_, days)| *days == Some(14)), "{ours:?}");
    assert_eq!(settle(&stage, &spec).await?.rounds, 0);

    encrypt_by(&stage, "somebody-elses").await?;
    suspend_versions(&stage).await?;
    set_their_rule(&stage).await?;
    let rest = settle(&stage, &spec).await?;
    let [BucketStep::Encrypt(by), BucketStep::SetVersioning(_), BucketStep::SetLifecycle(_)] =
        &rest.first.bucket[..]
    else {
        panic!("{:?}", rest.first.bucket)
    };
    assert_eq!((by, rest.rounds), (&EncryptBy::KmsKey(KEY.to_owned()), 1));
    assert_eq!(rules(&stage).await?, [vec![("logs".to_owned(), None)], ours].concat());

    // What the spec says no more of versions stays, and its days follow.
    let spec = stage.spec("Create", &json!({"bucket": {"noncurrentVersionDays": 7}}));
    settle(&stage, &spec).await?;
    let after = look(&stage).await?;
    assert_eq!((after.encryption, after.versioning), (Encryption::S3, set.versioning));
    let days: Vec<_> = rules(&stage).await?.into_iter().filter_map(|(_, days)| days).collect();
    assert_eq!(days, [7; 6]);
    Ok(())
}

#[tokio::test]
async fn adopted_bucket_keeps_its_key_and_its_rules() -> Result<()> {
    let moto = Moto::start()?;
    let stage = Stage::new(&clients(&moto).await, "theirs");
    stage.make_theirs(&stage.consent()).await?;
    encrypt_by(&stage, "theirs").await?;
    set_their_rule(&stage).await?;
    let read_only =
        settle(&stage, &stage.spec("ReadOnly", &json!({"bucket": {"versioning": "Enabled"}}))).await?;
    let lack = "should keep versions";
    ensure!(read_only.drift.iter().any(|told| told.ends_with(lack)), "{lack}: {:?}", read_only.drift);
    ensure!(!read_only.drift.iter().any(|told| told.contains("lifecycle")), "{:?}", read_only.drift);
    ensure!(!read_only.drift.iter().any(|told| told.contains("encrypt")), "{:?}", read_only.drift);
    assert_eq!(rules(&stage).await?.len(), 1);
    settle(&stage, &stage.spec("Adopt", &json!({}))).await?;
    let after = look(&stage).await?;
    assert_eq!(after.encryption, Encryption::Kms { key: Some("theirs".to_owned()), has_bucket_key: false });
    assert_eq!(after.versioning, None);
    assert_eq!(rules(&stage).await?, [("logs".to_owned(), None)]);
    Ok(())
}
