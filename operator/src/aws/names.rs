//! The names of a pipeline's AWS resources: readable, and unguessable at the end.

use std::{fmt, str::FromStr};

use crds::{BindingsSpec, QueueNames};

/// Digits of a suffix.
const SUFFIX_LENGTH: usize = 10;
/// Longest readable part: a bucket's name ends at 63 characters.
const READABLE_LENGTH: usize = 63 - "ap-".len() - "-".len() - SUFFIX_LENGTH;

/// The random end of all names of one pipeline: ten hex digits. Persisted on the pipeline before the
/// first AWS call, so that a crash leaves nothing that cannot be found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingSuffix(String);

/// A text that is no suffix.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not ten hex digits")]
pub struct InvalidSuffix(String);

impl BindingSuffix {
    /// The suffix made of these random bits.
    pub fn from_random(bits: u64) -> Self {
        Self(format!("{:010x}", bits & 0xff_ffff_ffff))
    }

    /// The suffix of the bucket with this name, where it is one of ours.
    pub fn of_bucket(name: &str) -> Option<Self> {
        name.strip_prefix("ap-")?.rsplit_once('-')?.1.parse().ok()
    }
}

impl FromStr for BindingSuffix {
    type Err = InvalidSuffix;

    fn from_str(text: &str) -> Result<Self, InvalidSuffix> {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == SUFFIX_LENGTH && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidSuffix(text.to_owned()))
        }
    }
}

impl fmt::Display for BindingSuffix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The names of one pipeline's resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingNames {
    pub bucket: String,
    pub queue: String,
    pub refresh_queue: String,
    pub dead_letter_queue: String,
    pub topic: String,
}

impl BindingNames {
    /// `ap-<namespace>-<name>-<suffix>`, the readable part cut where a bucket's name would be too long.
    pub fn new(namespace: &str, name: &str, suffix: &BindingSuffix) -> Self {
        let base = format!("{}{suffix}", Self::prefix(namespace, name));
        Self {
            bucket: base.clone(),
            queue: base.clone(),
            refresh_queue: format!("{base}-refresh"),
            dead_letter_queue: format!("{base}-dead"),
            topic: base,
        }
    }

    /// What all drawn names of a pipeline fit, as IAM reads it: `?` is any one character, so that
    /// `ap-shop-store-??????????` is not how names of `shop-store-front` look.
    pub fn pattern(namespace: &str, name: &str) -> Self {
        Self::new(namespace, name, &BindingSuffix("?".repeat(SUFFIX_LENGTH)))
    }

    /// These, with the names that the spec gives in their places.
    pub fn given(&self, spec: &BindingsSpec) -> Self {
        let BindingsSpec { bucket, queues, topic, tags: _ } = spec;
        let mut names = self.clone();
        names.bucket = bucket.name.clone().unwrap_or(names.bucket);
        names.topic = topic.name.clone().unwrap_or(names.topic);
        if let Some(QueueNames { visits, refreshes, dead_letters }) = queues.names.clone() {
            (names.queue, names.refresh_queue, names.dead_letter_queue) = (visits, refreshes, dead_letters);
        }
        names
    }

    /// Each resource with its ARN, where the account is known; a bucket's has none in it.
    pub fn with_arns(&self, region: &str, account: Option<&str>) -> Vec<String> {
        let Self { bucket, queue, refresh_queue, dead_letter_queue, topic } = self;
        let partition = partition_of(region);
        let tell = |kind: &str, service: &str, name: &str| match account {
            Some(account) => format!("{kind} {name} (arn:{partition}:{service}:{region}:{account}:{name})"),
            None => format!("{kind} {name}"),
        };
        vec![
            format!("bucket {bucket} (arn:{partition}:s3:::{bucket})"),
            tell("queue", "sqs", queue),
            tell("queue", "sqs", refresh_queue),
            tell("queue", "sqs", dead_letter_queue),
            tell("topic", "sns", topic),
        ]
    }

    /// How all drawn names of a pipeline begin; what follows is the suffix, and what follows that.
    pub fn prefix(namespace: &str, name: &str) -> String {
        let readable: String = format!("{namespace}-{name}").chars().take(READABLE_LENGTH).collect();
        format!("ap-{}-", readable.trim_end_matches('-'))
    }
}

/// What ARNs of that region begin with, behind `arn:`.
pub(crate) fn partition_of(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_within_what_every_service_takes() {
        let suffix = BindingSuffix::from_random(u64::MAX);
        let names = BindingNames::new(&"n".repeat(63), &"p".repeat(50), &suffix);
        assert_eq!(names.bucket.len(), 63);
        assert!(names.bucket.ends_with("-ffffffffff"));
        let short = BindingNames::new("shop", "storefront", &"0123456789".parse().unwrap());
        assert_eq!(short.bucket, "ap-shop-storefront-0123456789");
        assert_eq!(short.dead_letter_queue, "ap-shop-storefront-0123456789-dead");
        assert_eq!(short.refresh_queue, "ap-shop-storefront-0123456789-refresh");
        assert!(names.refresh_queue.len() <= 80, "SQS takes no longer names");
    }

    #[test]
    fn suffixes_that_nobody_drew_are_refused() {
        for text in ["", "012345678", "01234567890", "012345678G", "0123-56789"] {
            assert!(text.parse::<BindingSuffix>().is_err(), "{text}");
        }
        assert_eq!(BindingSuffix::of_bucket("site-0123456789"), None);
        assert_eq!(BindingSuffix::of_bucket("ap-shop-storefront"), None);
        let drawn = BindingSuffix::from_random(7);
        let bucket = BindingNames::new("shop", "storefront", &drawn).bucket;
        assert_eq!(BindingSuffix::of_bucket(&bucket), Some(drawn.clone()));
        assert_eq!(drawn.to_string().parse(), Ok(drawn));
    }
}
