//! The subscription's life: when its endpoint is asked whether web answers there, and what follows. Pure.
//!
//! SNS sends the token of a confirmation when it is asked to subscribe, and tries for a moment. So it is asked only
//! once somebody of ours answers at the endpoint, and again for as long as nobody has confirmed.

use std::time::Duration;

use crds::{AssetPipeline, BindingMode, condition_reason as reason, condition_type as kind};
use jiff::{SignedDuration, Timestamp};
use pipeline::reach::Unreached;
use url::Url;

use crate::{
    aws::subscription::{Subscription, SubscriptionWant},
    pipeline::validate::ValidPipeline,
};

/// For which a confirmation is waited for, and then for the next.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// How it stands with SNS's deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionState {
    NoEndpoint,
    WaitingForWeb,
    /// Nothing is asked of SNS: what it would post would not come to our web pods.
    Unreachable {
        endpoint: Url,
        why: Unreached,
    },
    Pending,
    Confirmed,
    /// The topic could not be looked at.
    Unknown,
}

/// The endpoint's subscription as the topic has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    Absent,
    Pending,
    Confirmed,
}

/// Whether this pipeline's web answers at the endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    NotAsked,
    Answers,
    Silent(Unreached),
}

/// What is known of the time for which a confirmation has been waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// The status says `Unreachable`.
    pub is_unreachable: bool,
    /// Since when the status says `PendingConfirmation`. It outlasts the process.
    pub since: Option<Timestamp>,
    /// When this process last looked and left it at that.
    pub looked: Option<Timestamp>,
}

/// What is done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The endpoint is asked before anything else is decided.
    Ask,
    Subscribe,
    /// SNS is to send the token of the confirmation again.
    Renew,
    /// Nothing: SNS waits for the confirmation.
    Wait,
    /// Nothing: all is well.
    Rest,
    /// Nothing, and it is told why.
    Tell(Unreached),
}

pub fn decide(seen: Seen, reach: &Reach, waiting: &Waiting, now: Timestamp) -> Step {
    match (seen, reach) {
        (Seen::Confirmed, _) => Step::Rest,
        (Seen::Pending, _) if !waiting.is_over(now) => Step::Wait,
        (Seen::Absent | Seen::Pending, Reach::NotAsked) => Step::Ask,
        (Seen::Absent | Seen::Pending, Reach::Silent(why)) => Step::Tell(why.clone()),
        (Seen::Absent, Reach::Answers) => Step::Subscribe,
        (Seen::Pending, Reach::Answers) => Step::Renew,
    }
}

impl Waiting {
    /// What the status tells, and this process remembers.
    pub fn of(object: &AssetPipeline, looked: Option<Timestamp>) -> Self {
        let told = object.status.as_ref().and_then(|status| status.condition(kind::SUBSCRIPTION_READY));
        let with_reason = |reason: &str| told.filter(|told| told.reason == reason);
        Self {
            is_unreachable: with_reason(reason::UNREACHABLE).is_some(),
            since: with_reason(reason::PENDING_CONFIRMATION).map(|told| told.last_transition_time.0),
            looked,
        }
    }

    /// Until the next ten minutes are over; `None` where nobody is waited for.
    pub fn until_turn(&self, now: Timestamp) -> Option<Duration> {
        let waited = Duration::try_from(now.duration_since(self.since?)).unwrap_or_default();
        let patience = PATIENCE.unsigned_abs();
        let over = Duration::from_secs(waited.as_secs() % patience.as_secs());
        Some(patience.saturating_sub(over))
    }

    /// Whether another ten minutes have gone by since it was last looked at. Who has just started has not seen
    /// whether SNS was asked since, and waits for the next ten: starts in a row ask for nothing.
    fn is_over(&self, now: Timestamp) -> bool {
        let Self { is_unreachable, since, looked } = self;
        let turns = |since: Timestamp, at: Timestamp| at.duration_since(since).as_secs() / PATIENCE.as_secs();
        let has_turned = match (since, looked) {
            (Some(since), Some(looked)) => turns(*since, now) > turns(*since, *looked).max(0),
            (None, _) | (_, None) => false,
        };
        *is_unreachable || has_turned
    }
}

/// What the topic has of this endpoint.
pub fn see(subscriptions: &[Subscription], endpoint: &Url) -> Seen {
    match subscriptions.iter().find(|subscription| subscription.endpoint == endpoint.as_str()) {
        Some(Subscription { arn: Some(_), .. }) => Seen::Confirmed,
        Some(Subscription { arn: None, .. }) => Seen::Pending,
        None => Seen::Absent,
    }
}

/// What was found out of the endpoint in this round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSight {
    pub reach: Reach,
    pub waiting: Waiting,
}

/// What is wanted of SNS, and what is told. `subscriptions` are the topic's, where there is one.
pub(super) fn plan_life(
    valid: &ValidPipeline,
    is_web_ready: bool,
    subscriptions: Option<&[Subscription]>,
    sight: &EndpointSight,
    now: Timestamp,
) -> (SubscriptionWant, SubscriptionState) {
    let Some(endpoint) = &valid.endpoint else {
        return (SubscriptionWant::None, SubscriptionState::NoEndpoint);
    };
    if !is_web_ready {
        return (SubscriptionWant::Later, SubscriptionState::WaitingForWeb);
    }
    let Some(subscriptions) = subscriptions else {
        return (SubscriptionWant::Later, SubscriptionState::Unknown);
    };
    let seen = see(subscriptions, endpoint);
    let wanted = || SubscriptionWant::Endpoint(endpoint.clone());
    if valid.bindings.topic.mode == BindingMode::ReadOnly {
        // Its keeper subscribes; what is lacking is told as drift.
        let is_confirmed = seen == Seen::Confirmed;
        return (
            wanted(),
            if is_confirmed { SubscriptionState::Confirmed } else { SubscriptionState::Pending },
        );
    }
    match decide(seen, &sight.reach, &sight.waiting, now) {
        Step::Rest => (wanted(), SubscriptionState::Confirmed),
        Step::Wait | Step::Subscribe => (wanted(), SubscriptionState::Pending),
        Step::Renew => (SubscriptionWant::Again(endpoint.clone()), SubscriptionState::Pending),
        Step::Tell(why) => {
            (SubscriptionWant::Later, SubscriptionState::Unreachable { endpoint: endpoint.clone(), why })
        }
        // It could not be asked in this round, or became due within it.
        Step::Ask if seen == Seen::Pending => (SubscriptionWant::Later, SubscriptionState::Pending),
        Step::Ask => (SubscriptionWant::Later, SubscriptionState::WaitingForWeb),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(60 * minute).unwrap()
    }

    fn waiting(since: i64, looked: Option<i64>) -> Waiting {
        Waiting { is_unreachable: false, since: Some(at(since)), looked: looked.map(at) }
    }

    const SILENT: Reach = Reach::Silent(Unreached::TimedOut);

    #[test]
    fn every_sight_has_its_step() {
        let (early, over) = (waiting(0, Some(1)), waiting(0, Some(9)));
        let unreachable = Waiting { is_unreachable: true, ..Waiting::default() };
        for (seen, reach, waiting, expected) in [
            (Seen::Absent, Reach::NotAsked, early, Step::Ask),
            (Seen::Absent, SILENT, over, Step::Tell(Unreached::TimedOut)),
            (Seen::Absent, Reach::Answers, early, Step::Subscribe),
            (Seen::Confirmed, Reach::NotAsked, over, Step::Rest),
            (Seen::Confirmed, SILENT, unreachable, Step::Rest),
            (Seen::Pending, Reach::NotAsked, Waiting::default(), Step::Wait),
            (Seen::Pending, Reach::NotAsked, over, Step::Ask),
            (Seen::Pending, Reach::NotAsked, unreachable, Step::Ask),
            (Seen::Pending, Reach::Answers, over, Step::Renew),
            (Seen::Pending, Reach::Answers, unreachable, Step::Renew),
            (Seen::Pending, SILENT, over, Step::Tell(Unreached::TimedOut)),
        ] {
            assert_eq!(decide(seen, &reach, &waiting, at(11)), expected, "{seen:?} {reach:?} {waiting:?}");
        }
        assert_eq!(decide(Seen::Pending, &Reach::Answers, &early, at(9)), Step::Wait);
    }

    #[test]
    fn ten_minutes_count_from_when_the_status_said_so_and_each_only_once() {
        for (looked, now, is_over) in [
            (Some(8), 9, false),
            (Some(9), 10, true),
            (Some(10), 19, false),
            (Some(15), 20, true),
            (Some(10), 45, true),
            (None, 45, false),
            // A clock that was set back.
            (Some(0), 9, false),
            (Some(90), 9, false),
        ] {
            assert_eq!(waiting(0, looked).is_over(at(now)), is_over, "{looked:?} {now}");
        }
        let left = |minute| waiting(10, None).until_turn(at(minute)).map(|left| left.as_secs() / 60);
        assert_eq!([10, 13, 19, 20, 45].map(left), [10, 7, 1, 10, 5].map(Some));
        assert_eq!(Waiting::default().until_turn(at(10)), None);
        assert!(!waiting(50, Some(20)).is_over(at(55)), "it was last looked at for an earlier one");
    }
}
