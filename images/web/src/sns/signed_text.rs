//! The text that SNS signs (Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages").

use super::envelope::{Envelope, Invitation, Kind};

/// Names and values on lines of their own, the names in byte order. A subject counts only where there is one.
pub(super) fn signed_text(envelope: &Envelope) -> Vec<u8> {
    let Envelope { kind, message_id, topic_arn, message, timestamp, signature: _, certificate_url: _ } =
        envelope;
    let mut text = String::with_capacity(message.len() + 512);
    let mut line = |name: &str, value: &str| {
        for part in [name, "\n", value, "\n"] {
            text.push_str(part);
        }
    };
    line("Message", message);
    line("MessageId", message_id);
    let (type_, token) = match kind {
        Kind::Notification { subject } => {
            if let Some(subject) = subject {
                line("Subject", subject);
            }
            ("Notification", None)
        }
        Kind::SubscriptionConfirmation(Invitation { token, subscribe_url }) => {
            line("SubscribeURL", subscribe_url);
            ("SubscriptionConfirmation", Some(token))
        }
        Kind::UnsubscribeConfirmation(Invitation { token, subscribe_url }) => {
            line("SubscribeURL", subscribe_url);
            ("UnsubscribeConfirmation", Some(token))
        }
    };
    line("Timestamp", timestamp);
    if let Some(token) = token {
        line("Token", token);
    }
    line("TopicArn", topic_arn);
    line("Type", type_);
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kind: Kind) -> String {
        let envelope = Envelope {
            kind,
            message_id: "id".to_owned(),
            topic_arn: "arn".to_owned(),
            message: "a\nb".to_owned(),
            timestamp: "then".to_owned(),
            signature: Vec::new(),
            certificate_url: "https://sns.test/c.pem".parse().unwrap(),
        };
        String::from_utf8(signed_text(&envelope)).unwrap()
    }

    #[test]
    fn lines_are_those_of_the_developer_guide() {
        let invitation = || Invitation { token: "t".to_owned(), subscribe_url: "u".to_owned() };
        let ends = "Timestamp\nthen\nTopicArn\narn\nType\nNotification\n";
        let begins = "Message\na\nb\nMessageId\nid\n";
        assert_eq!(text(Kind::Notification { subject: None }), format!("{begins}{ends}"));
        let subject = Kind::Notification { subject: Some("s".to_owned()) };
        assert_eq!(text(subject), format!("{begins}Subject\ns\n{ends}"));
        for (kind, name) in [
            (Kind::SubscriptionConfirmation(invitation()), "SubscriptionConfirmation"),
            (Kind::UnsubscribeConfirmation(invitation()), "UnsubscribeConfirmation"),
        ] {
            let middle = "SubscribeURL\nu\nTimestamp\nthen\nToken\nt\nTopicArn\narn\n";
            assert_eq!(text(kind), format!("{begins}{middle}Type\n{name}\n"));
        }
    }
}
