//! Messages as SNS writes them, and the pieces of which a forger makes his own.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::authority::SigningKey;

pub(crate) const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:work_complete";
pub(crate) const CERTIFICATE_URL: &str =
    "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem";
pub(crate) const SUBSCRIBE_URL: &str =
    "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=7051";

/// The fields that are signed, as the developer guide orders them.
const SIGNED: [&str; 8] =
    ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];

/// The JSON object of a message.
#[derive(Clone)]
pub(crate) struct Message(pub(crate) Map<String, Value>);

impl Message {
    pub(crate) fn notification(id: &str, text: &str) -> Self {
        let mut message = Self(Map::new());
        for (name, value) in [
            ("Type", "Notification"),
            ("MessageId", id),
            ("TopicArn", TOPIC),
            ("Message", text),
            ("Timestamp", &time(SignedDuration::ZERO)),
            ("SignatureVersion", "2"),
            ("SigningCertURL", CERTIFICATE_URL),
            ("UnsubscribeURL", "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe"),
        ] {
            message.0.insert(name.to_owned(), value.into());
        }
        message
    }

    /// A `SubscriptionConfirmation` or an `UnsubscribeConfirmation`.
    pub(crate) fn confirmation(kind: &str, id: &str, token: &str) -> Self {
        let text = format!("You have chosen to subscribe to the topic {TOPIC}.");
        let confirmation = Self::notification(id, &text);
        confirmation.with("Type", kind).with("Token", token).with("SubscribeURL", SUBSCRIBE_URL)
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    pub(crate) fn signed(self, key: &SigningKey) -> Self {
        let signature = key.sign(&self.signed_text());
        self.signed_with(&signature)
    }

    pub(crate) fn signed_with(self, signature: &[u8]) -> Self {
        self.with("Signature", STANDARD.encode(signature))
    }

    pub(crate) fn signed_text(&self) -> String {
        let present = SIGNED.iter().filter_map(|name| Some((*name, self.0.get(*name)?.as_str()?)));
        present.flat_map(|(name, value)| [name, "\n", value, "\n"]).collect()
    }

    pub(crate) fn body(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }
}

/// As SNS writes the time: UTC with milliseconds.
pub(crate) fn time(from_now: SignedDuration) -> String {
    (Timestamp::now() + from_now).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
