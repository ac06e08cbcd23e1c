//! What a verified message makes a pod do.

use std::{sync::Arc, time::Duration};

use pipeline::{chain, notice::Notice, ports::Subscriptions};
use tokio::time::sleep;

use super::{
    SnsTopic,
    envelope::{Envelope, Invitation, Kind},
    refusal::Refusal,
};
use crate::{complete, hold::Way, router::AppState};

/// Pauses before the further tries to confirm a subscription. SNS does not ask again by itself.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20), Duration::from_mins(1)];

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Hinted,
    Confirming,
    Warned,
    Repeated,
}

impl Act {
    /// The outcome as metrics name it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Hinted => "notification",
            Self::Confirming => "subscription-confirmation",
            Self::Warned => "unsubscribe-confirmation",
            Self::Repeated => "repeated",
        }
    }
}

pub(super) fn act(web: &AppState, topic: &SnsTopic, envelope: Envelope) -> Result<Act, Refusal> {
    match envelope.kind {
        Kind::Notification { .. } => {
            let notice: Notice = serde_json::from_str(&envelope.message)
                .map_err(|error| Refusal::NoNotice(Arc::new(error)))?;
            web.holds.hint(&notice.key, Way::Sns);
            complete::relay_later(web, notice);
            Ok(Act::Hinted)
        }
        Kind::SubscriptionConfirmation(Invitation { token, subscribe_url: _ }) => {
            confirm_later(web, topic, token)?;
            Ok(Act::Confirming)
        }
        Kind::UnsubscribeConfirmation(_) => {
            tracing::warn!(
                topic = topic.arn.as_str(),
                "somebody ended a subscription; the operator subscribes again where its endpoint is missing"
            );
            Ok(Act::Warned)
        }
    }
}

fn confirm_later(web: &AppState, topic: &SnsTopic, token: String) -> Result<(), Refusal> {
    let place = topic.confirmations.clone().try_acquire_owned();
    let place = place.map_err(|_| Refusal::TooManyConfirmations)?;
    let subscriptions = topic.subscriptions.clone();
    let arn = topic.arn.as_str().to_owned();
    web.relays.spawn(async move {
        confirm(&*subscriptions, &token, &arn).await;
        drop(place);
    });
    Ok(())
}

/// Confirming twice is no error, so whatever may have reached SNS is tried again.
async fn confirm(subscriptions: &dyn Subscriptions, token: &str, arn: &str) {
    let mut pauses = PAUSES.into_iter();
    loop {
        let error = match subscriptions.confirm(token).await {
            Ok(()) => {
                tracing::info!(topic = arn, "confirmed the topic's subscription");
                return;
            }
            Err(error) => error,
        };
        let pause = pauses.next().filter(|_| error.kind.is_transient());
        let Some(pause) = pause else {
            tracing::error!(
                topic = arn,
                error = chain(&error),
                "could not confirm a subscription; the web pods' role needs sns:ConfirmSubscription"
            );
            return;
        };
        tracing::warn!(topic = arn, error = chain(&error), "could not confirm a subscription; trying again");
        sleep(error.retry_after.unwrap_or_default().max(pause)).await;
    }
}
