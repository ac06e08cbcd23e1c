//! Everything that a forger may try, as one table.

use aws_lc_rs::signature::{RSA_PKCS1_SHA384, RSA_PSS_SHA256};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::SignedDuration;
use serde_json::Value;

use crate::{
    authority::SigningKey,
    message::{Message, TOPIC, time},
    urls::FOREIGN_URLS,
};

/// A POST that must not be believed.
pub(crate) struct Forgery {
    pub(crate) name: String,
    pub(crate) body: Vec<u8>,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
}

impl Forgery {
    fn of(name: impl Into<String>, message: &Message) -> Self {
        Self::raw(name, message.body())
    }

    fn raw(name: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        let content_type = Some("text/plain; charset=UTF-8");
        Self { name: name.into(), body: body.into(), content_type, headers: Vec::new() }
    }
}

/// What is refused by its looks: no certificate is fetched for it. Where it can be, it is signed by SNS's
/// own key, so that nothing but the looks refuses it.
pub(crate) fn by_looks(key: &SigningKey, notice: &str) -> Vec<Forgery> {
    let mut all = Vec::new();
    fields(key, notice, &mut all);
    values(key, notice, &mut all);
    for url in FOREIGN_URLS {
        let message = notification(notice).with("SigningCertURL", url).signed(key);
        all.push(Forgery::of(format!("certificate at {url:?}"), &message));
    }
    bodies(key, notice, &mut all);
    all
}

/// What looks right and is not signed by SNS as it is.
pub(crate) fn by_signature(key: &SigningKey, other: &SigningKey, notice: &str) -> Vec<Forgery> {
    let mut all = Vec::new();
    let genuine = notification(notice).with("Subject", "s").signed(key);
    for (name, value) in [
        ("Message", notice.replace("shop", "Shop")),
        ("Message", format!("{notice} ")),
        ("MessageId", "forged-2".to_owned()),
        ("Subject", "t".to_owned()),
        ("Subject", String::new()),
        ("Timestamp", time(SignedDuration::from_secs(-5))),
    ] {
        all.push(Forgery::of(format!("{name} altered to {value}"), &genuine.clone().with(name, value)));
    }
    all.push(Forgery::of("Subject removed", &genuine.clone().without("Subject")));
    let plain = notification(notice).signed(key);
    all.push(Forgery::of("Subject added", &plain.clone().with("Subject", "s")));
    all.push(Forgery::of("empty Subject added", &plain.clone().with("Subject", "")));
    for kind in ["SubscriptionConfirmation", "UnsubscribeConfirmation"] {
        let genuine = Message::confirmation(kind, "forged-c", "token").signed(key);
        for (name, value) in [
            ("Message", "x"),
            ("MessageId", "forged-3"),
            ("Token", "other"),
            ("SubscribeURL", "https://evil.example/"),
            ("Timestamp", time(SignedDuration::from_secs(-5)).as_str()),
            (
                "Type",
                if kind.starts_with('S') { "UnsubscribeConfirmation" } else { "SubscriptionConfirmation" },
            ),
            ("Type", "Notification"),
        ] {
            all.push(Forgery::of(format!("{name} of a {kind}"), &genuine.clone().with(name, value)));
        }
    }
    let as_confirmation = plain.clone().with("Type", "SubscriptionConfirmation").with("Token", "token");
    let as_confirmation = as_confirmation.with("SubscribeURL", "https://sns.us-east-1.amazonaws.com/");
    all.push(Forgery::of("notification as a confirmation", &as_confirmation));
    let text = plain.signed_text();
    let mut flipped = key.sign(&text);
    *flipped.get_mut(100).unwrap() ^= 1;
    for (name, signature) in [
        ("signature of another key", other.sign(&text)),
        ("signature with SHA-384", key.sign_as(&RSA_PKCS1_SHA384, &text)),
        ("signature with PSS", key.sign_as(&RSA_PSS_SHA256, &text)),
        ("signature with one bit flipped", flipped),
        ("signature of zeros", vec![0; 256]),
        ("signature of the message alone", key.sign(notice)),
        ("signature of the text without its last line break", key.sign(text.trim_end())),
        ("signature of nothing", key.sign("")),
    ] {
        all.push(Forgery::of(name, &plain.clone().signed_with(&signature)));
    }
    let hex = key.sign(&text).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    all.push(Forgery::of("signature in hex", &plain.clone().with("Signature", hex)));
    // Signed by SNS, since somebody published it to our topic; but no notice.
    for text in ["", "{}", "null", "[]", "look at /app.css"] {
        all.push(Forgery::of(format!("message {text:?}"), &notification(text).signed(key)));
    }
    all
}

fn notification(notice: &str) -> Message {
    Message::notification("forged-1", notice)
}

/// Each field absent, and each of another JSON type.
fn fields(key: &SigningKey, notice: &str, all: &mut Vec<Forgery>) {
    let required = [
        "Type",
        "MessageId",
        "TopicArn",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertURL",
    ];
    for name in required {
        let message = notification(notice).without(name).signed(key);
        let message = if name == "Signature" { message.without(name) } else { message };
        all.push(Forgery::of(format!("{name} absent"), &message));
        for value in [Value::Null, 2.into(), Vec::<Value>::new().into()] {
            let message = notification(notice).signed(key).with(name, value.clone());
            all.push(Forgery::of(format!("{name} is {value}"), &message));
        }
    }
    for kind in ["SubscriptionConfirmation", "UnsubscribeConfirmation"] {
        for name in ["Token", "SubscribeURL"] {
            let message = Message::confirmation(kind, "forged-1", "token").without(name).signed(key);
            all.push(Forgery::of(format!("{name} of a {kind} absent"), &message));
        }
        for (name, value) in [
            ("Token", ""),
            ("Token", "to ken"),
            ("Token", "token\nTopicArn"),
            ("Token", "to%6ben"),
            ("SubscribeURL", "https://sns.us-east-1.amazonaws.com/\nTimestamp"),
        ] {
            let message = Message::confirmation(kind, "forged-1", "token").with(name, value).signed(key);
            all.push(Forgery::of(format!("{name} of a {kind} is {value:?}"), &message));
        }
    }
}

/// Each field with a value that SNS does not write.
fn values(key: &SigningKey, notice: &str, all: &mut Vec<Forgery>) {
    let mut forge = |name: &str, value: &str| {
        let message = notification(notice).with(name, value).signed(key);
        all.push(Forgery::of(format!("{name} is {value:?}"), &message));
    };
    for arn in [
        "arn:aws:sns:us-east-1:123456789012:other",
        "arn:aws:sns:us-east-1:999999999999:work_complete",
        "arn:aws:sns:us-east-2:123456789012:work_complete",
        "arn:aws-cn:sns:us-east-1:123456789012:work_complete",
        "arn:aws:sqs:us-east-1:123456789012:work_complete",
        "ARN:aws:sns:us-east-1:123456789012:work_complete",
        "",
    ] {
        forge("TopicArn", arn);
    }
    for suffix in ["2", ":1", " ", "\n", "\0"] {
        forge("TopicArn", &format!("{TOPIC}{suffix}"));
    }
    forge("TopicArn", &format!(" {TOPIC}"));
    for version in ["1", "", "0", "3", "02", "2 ", "2.0", "two"] {
        forge("SignatureVersion", version);
    }
    for type_ in ["", "notification", "Notification ", "Notification\n", "Publish"] {
        forge("Type", type_);
    }
    for id in ["", "a b", "a\nSubject\ns", "ä", &"a".repeat(101)] {
        forge("MessageId", id);
    }
    for subject in ["a\nb", "a\nTimestamp\nb", "\u{7}", "a\rb", "\u{85}"] {
        forge("Subject", subject);
    }
    for from_now in [-2 * 3600, -24 * 3600, -366 * 24 * 3600, 120, 24 * 3600] {
        forge("Timestamp", &time(SignedDuration::from_secs(from_now)));
    }
    let now = time(SignedDuration::ZERO);
    for text in ["", "now", "0", "1700000000", &now.replace('Z', "+00:00"), &now.replace('T', " ")] {
        forge("Timestamp", text);
    }
    for text in [format!("{now}\n"), format!(" {now}"), format!("{now}\nTopicArn"), now.replace('Z', "")] {
        forge("Timestamp", &text);
    }
    let plain = notification(notice).signed(key);
    let signature = key.sign(&plain.signed_text());
    let encoded = STANDARD.encode(&signature);
    for (name, text) in [
        ("empty signature", String::new()),
        ("signature that is no base64", "!".repeat(344)),
        ("signature in base64 for URLs", URL_SAFE_NO_PAD.encode(&signature)),
        ("signature with a line break", format!("{}\n{}", &encoded[..76], &encoded[76..])),
        ("signature that is cut off", STANDARD.encode(signature.split_last().unwrap().1)),
        ("signature that is too long", STANDARD.encode([&signature[..], &[0; 300]].concat())),
    ] {
        all.push(Forgery::of(name, &plain.clone().with("Signature", text)));
    }
}

/// Bodies and headers that are none of SNS's.
fn bodies(key: &SigningKey, notice: &str, all: &mut Vec<Forgery>) {
    let genuine = notification(notice).signed(key).body();
    for (name, body) in [
        ("empty body", String::new()),
        ("the notice itself", notice.to_owned()),
        ("a list", format!("[{genuine}]")),
        ("two messages", format!("{genuine}{genuine}")),
        ("a cut off message", genuine[..genuine.len() - 1].to_owned()),
        ("a second Message", genuine.replacen('{', "{\"Message\":\"x\",", 1)),
        ("a second TopicArn", genuine.replacen('{', "{\"TopicArn\":\"x\",", 1)),
        ("a second Type", genuine.replacen('{', "{\"Type\":\"SubscriptionConfirmation\",", 1)),
        ("lower-case names", genuine.replace("\"TopicArn\"", "\"topicArn\"")),
    ] {
        all.push(Forgery::raw(name, body));
    }
    all.push(Forgery::raw("invalid UTF-8", [genuine.as_bytes(), &[0xff]].concat()));
    all.push(Forgery::raw("a body of a megabyte", format!("{genuine}{}", " ".repeat(1 << 20))));
    for content_type in [None, Some("application/json"), Some("text/html"), Some("text/plainx"), Some("")] {
        let plain = Forgery::raw(format!("media type {content_type:?}"), genuine.clone());
        all.push(Forgery { content_type, ..plain });
    }
    let foreign = notification(notice).with("TopicArn", "arn:aws:sns:us-east-1:1:other").signed(key);
    let typeless = notification(notice).without("Type").signed(key);
    for (name, message) in [("topic", foreign), ("type", typeless)] {
        let headers = vec![("x-amz-sns-topic-arn", TOPIC), ("x-amz-sns-message-type", "Notification")];
        all.push(Forgery { headers, ..Forgery::of(format!("{name} in a header only"), &message) });
    }
}
