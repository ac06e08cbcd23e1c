//! The terms of the bindings: a resource that must be there has a name, and one that is made has none given.

use std::collections::BTreeMap;

use crds::{
    BindingMode, BindingsSpec, BucketSpec, DeletionPolicy, GROUP, MAX_NONCURRENT_VERSION_DAYS, MAX_TAGS,
    QueueNames, WhenNotEmpty,
};

use super::{InvalidSpec, invalid};

pub(super) fn validate(spec: &BindingsSpec) -> Result<BindingsSpec, InvalidSpec> {
    let BindingsSpec { bucket, queues, topic, tags } = spec;
    validate_naming("spec.bindings.bucket", bucket.mode, bucket.name.is_some())?;
    validate_naming("spec.bindings.queues", queues.mode, queues.names.is_some())?;
    validate_naming("spec.bindings.topic", topic.mode, topic.name.is_some())?;
    if let Some(QueueNames { visits, refreshes, dead_letters }) = &queues.names
        && (visits == refreshes || visits == dead_letters || refreshes == dead_letters)
    {
        let value = format!("{visits}, {refreshes}, {dead_letters}");
        return Err(invalid("spec.bindings.queues.names", &value, "it must name three different queues"));
    }
    validate_bucket_settings(bucket)?;
    validate_tags(tags)?;
    match (bucket.when_not_empty, bucket.deletion_policy) {
        (WhenNotEmpty::DeleteAllObjects, DeletionPolicy::Retain) => Err(invalid(
            "spec.bindings.bucket.whenNotEmpty",
            &"DeleteAllObjects",
            "it needs spec.bindings.bucket.deletionPolicy Delete",
        )),
        (WhenNotEmpty::Keep, _) | (WhenNotEmpty::DeleteAllObjects, DeletionPolicy::Delete) => {
            Ok(spec.clone())
        }
    }
}

fn validate_bucket_settings(bucket: &BucketSpec) -> Result<(), InvalidSpec> {
    if let Some(encryption) = &bucket.encryption
        && !is_key_arn(&encryption.kms_key_arn)
    {
        return Err(invalid(
            "spec.bindings.bucket.encryption.kmsKeyArn",
            &encryption.kms_key_arn,
            "it must be the ARN of a key, such as arn:aws:kms:eu-west-1:111122223333:key/…, and no alias",
        ));
    }
    let days = bucket.noncurrent_version_days;
    if !(1..=MAX_NONCURRENT_VERSION_DAYS).contains(&days) {
        let problem = format!("it must be 1 to {MAX_NONCURRENT_VERSION_DAYS}");
        return Err(invalid("spec.bindings.bucket.noncurrentVersionDays", &days, &problem));
    }
    Ok(())
}

/// As S3, SQS and SNS take them. They have room for 50: the others are for our own and for those of others.
fn validate_tags(tags: &BTreeMap<String, String>) -> Result<(), InvalidSpec> {
    if tags.len() > MAX_TAGS {
        let problem = format!("it may have {MAX_TAGS} keys at the most: leave some out");
        return Err(invalid("spec.bindings.tags", &format_args!("{} keys", tags.len()), &problem));
    }
    for (key, value) in tags {
        let problem = if !(1..=128).contains(&key.chars().count()) || !is_tag_text(key) {
            "a key has 1 to 128 letters, digits, spaces or characters of _.:/=+-@: change it"
        } else if key.to_lowercase().starts_with("aws:") {
            "keys that begin with aws: are AWS's own: leave it out"
        } else if key.starts_with(&format!("{GROUP}/")) {
            "keys that begin with assetpipeline.dev/ are the operator's own: leave it out"
        } else if value.chars().count() > 256 || !is_tag_text(value) {
            "a value has at most 256 letters, digits, spaces or characters of _.:/=+-@: change it"
        } else {
            continue;
        };
        return Err(invalid(&format!("spec.bindings.tags.{key}"), value, problem));
    }
    Ok(())
}

fn is_tag_text(text: &str) -> bool {
    text.chars().all(|letter| letter.is_alphanumeric() || " _.:/=+-@".contains(letter))
}

fn is_key_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let ["arn", partition, "kms", region, account, key] = parts.as_slice() else { return false };
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    is_word(partition) && is_word(region) && is_account && key.strip_prefix("key/").is_some_and(is_word)
}

fn validate_naming(field: &str, mode: BindingMode, is_named: bool) -> Result<(), InvalidSpec> {
    let problem = match (mode, is_named) {
        (BindingMode::Adopt | BindingMode::ReadOnly, false) => "it needs a name beside it",
        (BindingMode::Create, true) => {
            "it takes no name; with one, the mode is Adopt, AdoptOrCreate or ReadOnly"
        }
        (BindingMode::Create | BindingMode::AdoptOrCreate, false)
        | (BindingMode::Adopt | BindingMode::AdoptOrCreate | BindingMode::ReadOnly, true) => return Ok(()),
    };
    Err(invalid(&format!("{field}.mode"), &format_args!("{mode:?}"), problem))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn many_tags(count: usize) -> BTreeMap<String, String> {
        (0..count).map(|n| (format!("key-{n}"), "v".to_owned())).collect()
    }

    #[test]
    fn terms_that_contradict_themselves_are_refused_with_the_field() {
        let names = |visits: &str, refreshes: &str| json!({"mode": "Adopt", "names": {"visits": visits, "refreshes": refreshes, "deadLetters": "d"}});
        let of_bucket = |field: &str, value: serde_json::Value| json!({"bucket": {field: value}});
        let key = |arn: &str| of_bucket("encryption", json!({"kmsKeyArn": arn}));
        for (spec, field) in [
            (json!({"bucket": {"mode": "Adopt"}}), "spec.bindings.bucket.mode"),
            (json!({"bucket": {"name": "site"}}), "spec.bindings.bucket.mode"),
            (json!({"bucket": {"whenNotEmpty": "DeleteAllObjects"}}), "spec.bindings.bucket.whenNotEmpty"),
            (of_bucket("noncurrentVersionDays", json!(0)), "spec.bindings.bucket.noncurrentVersionDays"),
            (of_bucket("noncurrentVersionDays", json!(3_651)), "spec.bindings.bucket.noncurrentVersionDays"),
            (
                key("arn:aws:kms:eu-west-1:111122223333:alias/shop"),
                "spec.bindings.bucket.encryption.kmsKeyArn",
            ),
            (key("arn:aws:kms:eu-west-1:1111:key/1"), "spec.bindings.bucket.encryption.kmsKeyArn"),
            (key("1111-2222"), "spec.bindings.bucket.encryption.kmsKeyArn"),
            (json!({"queues": {"mode": "ReadOnly"}}), "spec.bindings.queues.mode"),
            (json!({"queues": names("v", "v")}), "spec.bindings.queues.names"),
            (json!({"queues": names("d", "r")}), "spec.bindings.queues.names"),
            (json!({"queues": names("v", "d")}), "spec.bindings.queues.names"),
            (json!({"topic": {"mode": "ReadOnly"}}), "spec.bindings.topic.mode"),
            (json!({"tags": {"": "v"}}), "spec.bindings.tags."),
            (json!({"tags": {"AWS:team": "v"}}), "spec.bindings.tags.AWS:team"),
            (
                json!({"tags": {"a": "v", "assetpipeline.dev/state": "v"}}),
                "spec.bindings.tags.assetpipeline.dev/state",
            ),
            (json!({"tags": {"a&b": "v"}}), "spec.bindings.tags.a&b"),
            (json!({"tags": {"a": "v,w"}}), "spec.bindings.tags.a"),
            (json!({"tags": {"a": "v".repeat(257)}}), "spec.bindings.tags.a"),
            (json!({"tags": many_tags(MAX_TAGS + 1)}), "spec.bindings.tags"),
        ] {
            let refused = validate(&serde_json::from_value(spec.clone()).unwrap()).unwrap_err();
            assert!(matches!(&refused, InvalidSpec::Field { field: told, .. } if told == field), "{refused}");
        }
        for spec in [
            json!({}),
            of_bucket("noncurrentVersionDays", json!(3_650)),
            key("arn:aws-cn:kms:cn-north-1:111122223333:key/mrk-11aa"),
            json!({"tags": many_tags(MAX_TAGS)}),
            json!({"tags": {"k".repeat(128): "é".repeat(256), "a b_.:/=+-@": "", "awsome": "x"}}),
            json!({"bucket": {"mode": "AdoptOrCreate"}, "queues": names("v", "r")}),
            json!({"bucket": {"mode": "ReadOnly", "name": "site"}, "topic": {"mode": "AdoptOrCreate", "name": "t"}}),
        ] {
            let spec: BindingsSpec = serde_json::from_value(spec).unwrap();
            assert_eq!(validate(&spec).as_ref(), Ok(&spec));
        }
    }
}
