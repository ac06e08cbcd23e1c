//! A message as SNS POSTs it, parsed as strictly as SNS writes it.
//!
//! What is signed is lines of names and values. Every value but the message itself is therefore checked to
//! lie on one line: else a signed message could be read as another one with the same signed text.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use url::Url;

use super::{refusal::Refusal, topic_arn::TopicArn};

/// SNS gives up on a message after an hour of retries at the most, whatever the delivery policy; a little
/// more covers the way.
pub(super) const MAX_AGE: Duration = Duration::from_mins(61);
/// How far SNS's clock may be ahead of ours.
pub(super) const MAX_AHEAD: Duration = Duration::from_mins(1);

/// RSA keys of 2048 to 4096 bits, which are all that verification takes.
const SIGNATURE_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// The fields that are looked at (Amazon SNS Developer Guide, "Parsing message formats").
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw {
    r#type: String,
    message_id: String,
    topic_arn: String,
    message: String,
    timestamp: String,
    signature_version: String,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: String,
    subject: Option<String>,
    token: Option<String>,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
}

/// A message that may be SNS's: all that can be known before its signature is verified.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) kind: Kind,
    pub(super) message_id: String,
    pub(super) topic_arn: String,
    pub(super) message: String,
    /// As it was written, since the text is signed.
    pub(super) timestamp: String,
    pub(super) signature: Vec<u8>,
    pub(super) certificate_url: Url,
}

/// What a message is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Notification { subject: Option<String> },
    SubscriptionConfirmation(Invitation),
    UnsubscribeConfirmation(Invitation),
}

/// What a confirmation carries beside the rest. The URL is part of the signed text and is never asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invitation {
    pub(super) token: String,
    pub(super) subscribe_url: String,
}

impl Envelope {
    /// Parses a body, and refuses what is not of this topic and of this hour.
    pub(super) fn read(body: &[u8], topic: &TopicArn, now: Timestamp) -> Result<Self, Refusal> {
        let raw: Raw = serde_json::from_slice(body).map_err(|error| Refusal::NoEnvelope(Arc::new(error)))?;
        if raw.topic_arn != topic.as_str() {
            return Err(Refusal::OtherTopic);
        }
        if raw.signature_version != "2" {
            return Err(Refusal::SignatureVersion);
        }
        check(is_identifier(&raw.message_id, 100), "MessageId")?;
        check_time(&raw.timestamp, now)?;
        let certificate_url = parse_certificate_url(&raw.signing_cert_url, topic)?;
        let signature = STANDARD.decode(&raw.signature).ok();
        let signature = signature.filter(|bytes| SIGNATURE_BYTES.contains(&bytes.len()));
        let signature = signature.ok_or(Refusal::Field("Signature"))?;
        let kind = match raw.r#type.as_str() {
            "Notification" => Kind::Notification { subject: check_subject(raw.subject)? },
            "SubscriptionConfirmation" => {
                Kind::SubscriptionConfirmation(check_invitation(raw.token, raw.subscribe_url)?)
            }
            "UnsubscribeConfirmation" => {
                Kind::UnsubscribeConfirmation(check_invitation(raw.token, raw.subscribe_url)?)
            }
            _ => return Err(Refusal::UnknownType),
        };
        Ok(Self {
            kind,
            message_id: raw.message_id,
            topic_arn: raw.topic_arn,
            message: raw.message,
            timestamp: raw.timestamp,
            signature,
            certificate_url,
        })
    }
}

fn check(holds: bool, field: &'static str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(Refusal::Field(field)) }
}

fn is_identifier(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn check_time(text: &str, now: Timestamp) -> Result<(), Refusal> {
    let is_plain = text.len() <= 40 && text.ends_with('Z') && text.bytes().all(|b| b.is_ascii_graphic());
    check(is_plain, "Timestamp")?;
    let time: Timestamp = text.parse().map_err(|_| Refusal::Field("Timestamp"))?;
    let age = now.duration_since(time);
    let seconds = |limit: Duration| SignedDuration::from_secs(limit.as_secs().cast_signed());
    if age > seconds(MAX_AGE) || age < -seconds(MAX_AHEAD) {
        return Err(Refusal::Outdated);
    }
    Ok(())
}

/// SNS writes no line breaks and no control characters into a subject. Ours have none at all.
fn check_subject(subject: Option<String>) -> Result<Option<String>, Refusal> {
    let is_line = subject.as_ref().is_none_or(|text| text.len() <= 400 && !text.contains(char::is_control));
    check(is_line, "Subject")?;
    Ok(subject)
}

fn check_invitation(token: Option<String>, subscribe_url: Option<String>) -> Result<Invitation, Refusal> {
    let token = token.filter(|token| is_identifier(token, 2048)).ok_or(Refusal::Field("Token"))?;
    let is_line = |url: &String| url.len() <= 4096 && url.bytes().all(|b| b.is_ascii_graphic());
    let subscribe_url = subscribe_url.filter(is_line).ok_or(Refusal::Field("SubscribeURL"))?;
    Ok(Invitation { token, subscribe_url })
}

/// Compared as text and not as a URL, so that no second spelling of host, port or path is one of ours.
fn parse_certificate_url(text: &str, topic: &TopicArn) -> Result<Url, Refusal> {
    let name = text
        .strip_prefix("https://")
        .and_then(|rest| rest.strip_prefix(&topic.signer_host()))
        .and_then(|rest| rest.strip_prefix("/SimpleNotificationService-"))
        .and_then(|rest| rest.strip_suffix(".pem"));
    let is_name = name.is_some_and(|name| {
        (1..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    let url = Url::parse(text).ok().filter(|_| is_name);
    url.ok_or(Refusal::CertificateUrl)
}
