//! Confirming a topic's subscriptions on SNS.

use async_trait::async_trait;
use aws_sdk_sns::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
};

use super::error::{code_of, failed};
use crate::{Error, ports::Subscriptions};

/// Confirms with the pod's own credentials, which need `sns:ConfirmSubscription` on the topic. The URL that
/// a message names for the same purpose is never asked.
pub struct SnsSubscriptions {
    client: Client,
    topic_arn: String,
}

impl SnsSubscriptions {
    pub fn new(client: Client, topic_arn: impl Into<String>) -> Self {
        Self { client, topic_arn: topic_arn.into() }
    }
}

#[async_trait]
impl Subscriptions for SnsSubscriptions {
    async fn confirm(&self, token: &str) -> Result<(), Error> {
        let request = self.client.confirm_subscription().topic_arn(&self.topic_arn).token(token);
        match request.authenticate_on_unsubscribe("true").send().await {
            Ok(_) => Ok(()),
            Err(error) if is_confirmed_already(&error) => Ok(()),
            Err(error) => Err(failed(format!("confirm a subscription of topic {}", self.topic_arn), error)),
        }
    }
}

/// SNS refuses to confirm twice what was confirmed with `AuthenticateOnUnsubscribe`.
fn is_confirmed_already<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let says_so =
        error.as_service_error().and_then(E::message).is_some_and(|m| m.contains("already confirmed"));
    says_so && code_of(error) == Some("AuthorizationError")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ErrorKind,
        aws::{
            replay::{answer, replay, sent_body, sns_error},
            sns_client,
        },
    };

    const TOPIC: &str = "arn:aws:sns:eu-central-1:1:work_complete";
    const CONFIRMED: &str = "<ConfirmSubscriptionResponse><ConfirmSubscriptionResult><SubscriptionArn>arn:a\
        </SubscriptionArn></ConfirmSubscriptionResult></ConfirmSubscriptionResponse>";
    const ALREADY: &str = "<ErrorResponse><Error><Code>AuthorizationError</Code>\
        <Message>Subscription already confirmed</Message></Error></ErrorResponse>";

    #[tokio::test]
    async fn confirmation_asks_for_authentication_on_unsubscribe() {
        let (config, client) = replay([answer(200, CONFIRMED)]);
        SnsSubscriptions::new(sns_client(&config), TOPIC).confirm("t0k3n").await.unwrap();
        let body = sent_body(&client);
        for part in ["Action=ConfirmSubscription", "Token=t0k3n", "AuthenticateOnUnsubscribe=true"] {
            assert!(body.contains(part), "{body}");
        }
    }

    #[tokio::test]
    async fn repeated_confirmation_is_no_error_and_refusals_have_their_kind() {
        let (config, _) = replay([answer(403, ALREADY)]);
        SnsSubscriptions::new(sns_client(&config), TOPIC).confirm("t").await.unwrap();
        for (answer, expected) in [
            (sns_error(403, "AuthorizationError"), ErrorKind::Denied),
            (sns_error(400, "InvalidParameter"), ErrorKind::Invalid),
            (sns_error(404, "NotFound"), ErrorKind::Missing),
        ] {
            let (config, _) = replay([answer]);
            let subscriptions = SnsSubscriptions::new(sns_client(&config), TOPIC);
            assert_eq!(subscriptions.confirm("t").await.unwrap_err().kind, expected);
        }
    }
}
