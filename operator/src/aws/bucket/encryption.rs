//! How a bucket encrypts what is stored without a word about it: by S3's own keys, or by a key in KMS.

use aws_sdk_s3::{
    Client,
    types::{
        ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
        ServerSideEncryptionRule,
    },
};
use pipeline::Error;

use super::invalid;
use crate::aws::{
    error::{failed, is_missing},
    policy::Rest,
};

/// What a bucket encrypts by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    Nothing,
    /// Keys of S3's own (SSE-S3, AES-256).
    S3,
    Kms {
        /// As it was set: an ARN or a bare id. Absent: the account's own key for S3.
        key: Option<String>,
        /// Whether it asks KMS for a key of the bucket's and not once for every object. Two layers (DSSE), which know
        /// no such key, count as having one.
        has_bucket_key: bool,
    },
}

/// What a bucket is to encrypt by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EncryptBy {
    S3,
    /// The key with this ARN.
    KmsKey(String),
}

/// The way to encrypt that is to be set. In a bucket of others a key of theirs, which encrypts at least as well as
/// S3's own, stays where the spec names none.
pub(super) fn plan_encryption(observed: &Encryption, key: Option<&str>, rest: Rest) -> Option<EncryptBy> {
    match (key, observed) {
        (Some(key), Encryption::Kms { key: Some(observed), has_bucket_key: true })
            if is_same_key(observed, key) =>
        {
            None
        }
        (Some(key), Encryption::Nothing | Encryption::S3 | Encryption::Kms { .. }) => {
            Some(EncryptBy::KmsKey(key.to_owned()))
        }
        (None, Encryption::S3) => None,
        (None, Encryption::Kms { .. }) if rest == Rest::Others => None,
        (None, Encryption::Nothing | Encryption::Kms { .. }) => Some(EncryptBy::S3),
    }
}

/// A bare id is that of a key in the bucket's account and region.
fn is_same_key(observed: &str, arn: &str) -> bool {
    observed == arn || arn.rsplit_once('/').is_some_and(|(_, id)| observed == id)
}

pub(super) async fn fetch_encryption(client: &Client, name: &str) -> Result<Encryption, Error> {
    match client.get_bucket_encryption().bucket(name).send().await {
        Ok(answer) => {
            let rules = answer.server_side_encryption_configuration.into_iter().flat_map(|found| found.rules);
            Ok(rules.into_iter().find_map(read_rule).unwrap_or(Encryption::Nothing))
        }
        Err(error) if is_missing(&error) => Ok(Encryption::Nothing),
        Err(error) => Err(failed(&format!("read the encryption of bucket {name}"), error)),
    }
}

fn read_rule(rule: ServerSideEncryptionRule) -> Option<Encryption> {
    let by_default = rule.apply_server_side_encryption_by_default?;
    let is_dual_layer = by_default.sse_algorithm == ServerSideEncryption::AwsKmsDsse;
    Some(if is_dual_layer || by_default.sse_algorithm == ServerSideEncryption::AwsKms {
        Encryption::Kms {
            key: by_default.kms_master_key_id,
            has_bucket_key: is_dual_layer || rule.bucket_key_enabled == Some(true),
        }
    } else {
        Encryption::S3
    })
}

pub(super) async fn encrypt(client: &Client, name: &str, by: EncryptBy) -> Result<(), Error> {
    let attempted = format!("encrypt bucket {name}");
    let invalid = |source| invalid(&attempted, source);
    let (algorithm, key) = match by {
        EncryptBy::S3 => (ServerSideEncryption::Aes256, None),
        EncryptBy::KmsKey(key) => (ServerSideEncryption::AwsKms, Some(key)),
    };
    let bucket_key = key.is_some().then_some(true);
    let by_default = ServerSideEncryptionByDefault::builder().sse_algorithm(algorithm);
    let by_default = by_default.set_kms_master_key_id(key).build().map_err(invalid)?;
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default);
    let rule = rule.set_bucket_key_enabled(bucket_key).build();
    let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(invalid)?;
    let request = client.put_bucket_encryption().bucket(name);
    let sent = request.server_side_encryption_configuration(configuration).send().await;
    sent.map(drop).map_err(|error| failed(&attempted, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222";

    fn kms(key: Option<&str>, has_bucket_key: bool) -> Encryption {
        Encryption::Kms { key: key.map(str::to_owned), has_bucket_key }
    }

    #[test]
    fn key_of_the_spec_is_the_one() {
        for settled in [kms(Some(KEY), true), kms(Some("11111111-2222"), true)] {
            assert_eq!(plan_encryption(&settled, Some(KEY), Rest::Ours), None, "{settled:?}");
        }
        let other = KEY.replace("1111-", "9999-");
        for drifted in [
            Encryption::Nothing,
            Encryption::S3,
            kms(Some(&other), true),
            kms(Some("2222"), true),
            kms(None, true),
            kms(Some(KEY), false),
        ] {
            for rest in [Rest::Ours, Rest::Others] {
                let planned = plan_encryption(&drifted, Some(KEY), rest);
                assert_eq!(planned, Some(EncryptBy::KmsKey(KEY.to_owned())), "{drifted:?}");
            }
        }
    }

    #[test]
    fn without_a_key_a_bucket_of_others_keeps_theirs() {
        for (observed, ours, others) in [
            (Encryption::S3, None, None),
            (Encryption::Nothing, Some(EncryptBy::S3), Some(EncryptBy::S3)),
            (kms(Some(KEY), false), Some(EncryptBy::S3), None),
            (kms(None, false), Some(EncryptBy::S3), None),
        ] {
            assert_eq!(plan_encryption(&observed, None, Rest::Ours), ours, "{observed:?}");
            assert_eq!(plan_encryption(&observed, None, Rest::Others), others, "{observed:?}");
        }
    }
}
