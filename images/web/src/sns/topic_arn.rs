//! A topic's ARN, and what it tells about the topic's signer.

use std::str::FromStr;

/// `arn:<partition>:sns:<region>:<account>:<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicArn {
    text: String,
    region: String,
    domain: &'static str,
}

/// Why a text is no topic's ARN.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not the ARN of a topic, such as arn:aws:sns:eu-central-1:111122223333:work_complete")]
pub struct InvalidTopicArn(String);

impl TopicArn {
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The one host from which the signer's certificate is fetched.
    pub(super) fn signer_host(&self) -> String {
        format!("sns.{}.{}", self.region, self.domain)
    }

    /// The names of which a signer's certificate carries one: for all regions of the partition, or for this
    /// one, in either spelling that AWS uses.
    pub(super) fn signer_names(&self) -> Vec<String> {
        let Self { text: _, region, domain } = self;
        vec![format!("sns.{domain}"), format!("sns.{region}.{domain}"), format!("sns-{region}.{domain}")]
    }
}

impl FromStr for TopicArn {
    type Err = InvalidTopicArn;

    fn from_str(text: &str) -> Result<Self, InvalidTopicArn> {
        let invalid = || InvalidTopicArn(text.to_owned());
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, "sns", region, account, name] = parts.as_slice() else {
            return Err(invalid());
        };
        let is_label = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let is_name = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        if !is_label(partition) || !is_label(region) || !is_name(account) || !is_name(name) {
            return Err(invalid());
        }
        let domain = if *partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        Ok(Self { text: text.to_owned(), region: (*region).to_owned(), domain })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signers_host_follows_region_and_partition() {
        let host = |arn: &str| arn.parse::<TopicArn>().unwrap().signer_host();
        assert_eq!(host("arn:aws:sns:eu-central-1:1:t"), "sns.eu-central-1.amazonaws.com");
        assert_eq!(host("arn:aws-us-gov:sns:us-gov-west-1:1:t"), "sns.us-gov-west-1.amazonaws.com");
        assert_eq!(host("arn:aws-cn:sns:cn-north-1:1:t"), "sns.cn-north-1.amazonaws.com.cn");
    }

    #[test]
    fn what_is_no_topic_is_refused() {
        for text in ["", "t", "arn:aws:sqs:eu-central-1:1:t", "arn:aws:sns::1:t", "arn:aws:sns:a/b:1:t"] {
            assert_eq!(text.parse::<TopicArn>(), Err(InvalidTopicArn(text.to_owned())));
        }
        assert!("arn:aws:sns:eu-central-1:1:t:subscription".parse::<TopicArn>().is_err());
    }
}
