//! The HTTP(S) subscription by which SNS posts notices to the web pods.

use aws_sdk_sns::Client;
use pipeline::Error;
use url::Url;

use super::{
    error::{failed, is_missing},
    ownership::{Provenance, Standing},
};

/// Path on which web pods take notices; an endpoint ends in it.
pub const NOTICE_PATH: &str = "/work_complete";

/// One subscription of the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Absent while SNS waits for the confirmation.
    pub arn: Option<String>,
    pub protocol: String,
    pub endpoint: String,
}

/// What the endpoint of the spec asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionWant {
    /// The spec names no endpoint.
    None,
    /// There is an endpoint, and nobody behind it for now who could confirm.
    Later,
    Endpoint(Url),
    /// Likewise, and SNS is to ask it once more for its confirmation.
    Again(Url),
}

/// What the pipeline's object tells of its subscription: the evidence on a topic that somebody else made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToldSubscription {
    /// As the status has it.
    pub arn: Option<String>,
    /// As the spec has it.
    pub endpoint: Option<Url>,
}

/// Which subscriptions of the topic are ours. They have no tags.
#[derive(Debug, Clone, Copy)]
pub(super) enum Own<'a> {
    /// The operator made the topic: those that post to the path of notices.
    OnPath,
    /// Others may post to such a path, too.
    Told(&'a ToldSubscription),
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionStep {
    Subscribe { topic_arn: String, endpoint: Url },
    Unsubscribe { arn: String },
}

impl SubscriptionStep {
    /// As logs name it, and the endpoint or the subscription's ARN.
    pub(super) fn told(&self) -> (&'static str, &str) {
        match self {
            Self::Subscribe { topic_arn: _, endpoint } => ("subscribe", endpoint.as_str()),
            Self::Unsubscribe { arn } => ("unsubscribe", arn),
        }
    }

    /// What is not as it should be while the write is not done; follows the topic's name.
    pub(super) fn lack(&self) -> String {
        match self {
            Self::Subscribe { topic_arn: _, endpoint } => format!("should have {endpoint} as a subscriber"),
            Self::Unsubscribe { arn } => format!("should not have the subscription {arn}"),
        }
    }
}

impl<'a> Own<'a> {
    pub(super) fn of(topic: &Standing, told: &'a ToldSubscription) -> Self {
        match topic {
            Standing::Ours(Provenance::Made) => Self::OnPath,
            Standing::Missing
            | Standing::Ours(Provenance::Adopted)
            | Standing::Released
            | Standing::Foreign { .. } => Self::Told(told),
        }
    }

    fn has(self, subscription: &Subscription) -> bool {
        let Subscription { arn, protocol, endpoint } = subscription;
        match self {
            Self::OnPath => matches!(protocol.as_str(), "http" | "https") && endpoint.ends_with(NOTICE_PATH),
            Self::Told(told) => {
                (arn.is_some() && *arn == told.arn)
                    || told.endpoint.as_ref().is_some_and(|url| url.as_str() == endpoint)
            }
        }
    }
}

pub(super) async fn observe_subscriptions(
    client: &Client,
    topic_arn: &str,
) -> Result<Vec<Subscription>, Error> {
    let mut pages = client.list_subscriptions_by_topic().topic_arn(topic_arn).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(error) if is_missing(&error) => return Ok(Vec::new()),
            Err(error) => return Err(failed(&format!("list the subscriptions of topic {topic_arn}"), error)),
        };
        found.extend(page.subscriptions.into_iter().flatten().map(|subscription| Subscription {
            arn: subscription.subscription_arn.filter(|arn| arn.starts_with("arn:")),
            protocol: subscription.protocol.unwrap_or_default(),
            endpoint: subscription.endpoint.unwrap_or_default(),
        }));
    }
    Ok(found)
}

/// The writes that leave the wanted endpoint as the only one of ours.
pub(super) fn plan_subscription(
    observed: &[Subscription],
    topic_arn: &str,
    want: &SubscriptionWant,
    own: Own<'_>,
) -> Vec<SubscriptionStep> {
    let wanted = match want {
        SubscriptionWant::Endpoint(endpoint) | SubscriptionWant::Again(endpoint) => Some(endpoint),
        SubscriptionWant::None => None,
        // What is subscribed stays: web pods that are gone for a moment come back to the same endpoint.
        SubscriptionWant::Later => return Vec::new(),
    };
    let is_wanted =
        |subscription: &&Subscription| wanted.is_some_and(|url| url.as_str() == subscription.endpoint);
    let mut steps = plan_unsubscribe(observed.iter().filter(|subscription| !is_wanted(subscription)), own);
    let is_again = matches!(want, SubscriptionWant::Again(_));
    if let Some(endpoint) = wanted
        && (is_again || observed.iter().filter(is_wanted).count() == 0)
    {
        steps.push(SubscriptionStep::Subscribe {
            topic_arn: topic_arn.to_owned(),
            endpoint: endpoint.clone(),
        });
    }
    steps
}

/// The removal of all subscriptions of ours. Pending ones have no ARN and vanish with the topic.
pub(super) fn plan_subscription_release(observed: &[Subscription], own: Own<'_>) -> Vec<SubscriptionStep> {
    plan_unsubscribe(observed.iter(), own)
}

fn plan_unsubscribe<'a>(
    subscriptions: impl Iterator<Item = &'a Subscription>,
    own: Own<'_>,
) -> Vec<SubscriptionStep> {
    subscriptions
        .filter(|subscription| own.has(subscription))
        .filter_map(|subscription| subscription.arn.clone())
        .map(|arn| SubscriptionStep::Unsubscribe { arn })
        .collect()
}

pub(super) async fn apply_subscription(client: &Client, step: SubscriptionStep) -> Result<(), Error> {
    match step {
        SubscriptionStep::Subscribe { topic_arn, endpoint } => {
            let request = client.subscribe().topic_arn(topic_arn).protocol(endpoint.scheme());
            let sent = request.endpoint(endpoint.as_str()).return_subscription_arn(true).send().await;
            sent.map(drop).map_err(|error| failed(&format!("subscribe {endpoint}"), error))
        }
        SubscriptionStep::Unsubscribe { arn } => {
            match client.unsubscribe().subscription_arn(&arn).send().await {
                Err(error) if !is_missing(&error) => Err(failed(&format!("unsubscribe {arn}"), error)),
                Ok(_) | Err(_) => Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(endpoint: &str) -> Subscription {
        let protocol = endpoint.split(':').next().unwrap().to_owned();
        Subscription { arn: Some(format!("arn:{endpoint}")), protocol, endpoint: endpoint.to_owned() }
    }

    fn want(endpoint: &str) -> SubscriptionWant {
        SubscriptionWant::Endpoint(endpoint.parse().unwrap())
    }

    const OLD: &str = "http://old.example.com/work_complete";
    const NEW: &str = "https://new.example.com/work_complete";

    #[test]
    fn subscribed_endpoint_needs_no_write_whether_or_not_it_is_confirmed() {
        let pending = Subscription { arn: None, ..subscription(NEW) };
        for observed in [subscription(NEW), pending] {
            assert_eq!(plan_subscription(&[observed], "topic", &want(NEW), Own::OnPath), []);
        }
    }

    #[test]
    fn pending_endpoint_is_subscribed_again_where_that_is_wanted() {
        let pending = Subscription { arn: None, ..subscription(NEW) };
        let again = SubscriptionWant::Again(NEW.parse().unwrap());
        let expected =
            [SubscriptionStep::Subscribe { topic_arn: "topic".into(), endpoint: NEW.parse().unwrap() }];
        assert_eq!(plan_subscription(&[pending], "topic", &again, Own::OnPath), expected);
    }

    #[test]
    fn changed_endpoint_replaces_the_old_one() {
        let steps = plan_subscription(&[subscription(OLD)], "topic", &want(NEW), Own::OnPath);
        let expected = [
            SubscriptionStep::Unsubscribe { arn: format!("arn:{OLD}") },
            SubscriptionStep::Subscribe { topic_arn: "topic".into(), endpoint: NEW.parse().unwrap() },
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn nothing_changes_while_nobody_could_confirm() {
        let steps = plan_subscription(&[subscription(OLD)], "topic", &SubscriptionWant::Later, Own::OnPath);
        assert_eq!(steps, []);
    }

    #[test]
    fn subscriptions_of_other_people_stay() {
        let others =
            [subscription("https://audit.example.com/hook"), subscription("sqs:audit/work_complete")];
        assert_eq!(plan_subscription(&others, "topic", &SubscriptionWant::None, Own::OnPath), []);
        assert_eq!(plan_subscription_release(&others, Own::OnPath), []);
    }

    #[test]
    fn on_a_topic_of_others_only_what_the_object_tells_is_ours() {
        let theirs = subscription("https://audit.example.com/work_complete");
        let pending = Subscription { arn: None, ..theirs.clone() };
        let observed = [theirs, pending, subscription(OLD)];
        let unsubscribe = SubscriptionStep::Unsubscribe { arn: format!("arn:{OLD}") };
        let by_arn = ToldSubscription { arn: Some(format!("arn:{OLD}")), endpoint: None };
        let by_endpoint = ToldSubscription { arn: None, endpoint: OLD.parse().ok() };
        for (told, expected) in [
            (by_arn, vec![unsubscribe.clone()]),
            (by_endpoint, vec![unsubscribe]),
            (ToldSubscription::default(), vec![]),
        ] {
            let own = Own::Told(&told);
            assert_eq!(plan_subscription(&observed, "topic", &SubscriptionWant::None, own), expected);
            assert_eq!(plan_subscription_release(&observed, own), expected);
        }
    }
}
