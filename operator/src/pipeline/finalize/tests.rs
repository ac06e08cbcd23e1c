use pipeline::ports::ETag;
use serde_json::json;

use super::*;
use crate::{
    aws::{
        bucket::{BucketStep, Encryption, FoundBucket, Lifecycle, ObservedBucket},
        queue::{FoundQueue, ObservedQueue, QueueStep},
        subscription::{Subscription, SubscriptionStep},
        topic::{FoundTopic, ObservedTopic, TopicStep},
    },
    tenants::StoredClaims,
};

fn owner() -> Owner {
    Owner { cluster: "east".into(), namespace: "shop".into(), name: "storefront".into() }
}

fn names() -> BindingNames {
    BindingNames::new("shop", "storefront", &"0123456789".parse().unwrap())
}

fn queue(url: &str) -> ObservedQueue {
    ObservedQueue::Found(FoundQueue {
        url: url.into(),
        arn: "arn:q".into(),
        attributes: [].into(),
        tags: owner().owned_tags(),
    })
}

fn bindings() -> ObservedBindings {
    ObservedBindings {
        bucket: ObservedBucket::Found(FoundBucket {
            tags: owner().owned_tags(),
            holds_objects: true,
            blocks_public_access: true,
            encryption: Encryption::S3,
            versioning: None,
            lifecycle: Lifecycle::fixture(30),
            policy: None,
        }),
        dead_letter_queue: queue("http://sqs/dead"),
        queue: queue("http://sqs/jobs"),
        refresh_queue: queue("http://sqs/refresh"),
        topic: ObservedTopic::Found(FoundTopic {
            arn: "arn:t".into(),
            attributes: [].into(),
            tags: owner().owned_tags(),
        }),
        subscriptions: vec![Subscription {
            arn: Some("arn:s".into()),
            protocol: "http".into(),
            endpoint: "http://web/work_complete".into(),
        }],
    }
}

fn target(name: &str) -> Target {
    Target { name: name.to_owned(), uid: None }
}

fn deployment(name: &str, is_going: bool) -> Deployment {
    let deletion = is_going.then_some("2026-01-01T00:00:00Z");
    serde_json::from_value(json!({"metadata": {"name": name, "deletionTimestamp": deletion}})).unwrap()
}

fn outside(observed: ObservedBindings) -> Remains {
    outside_on(BindingsTerms::fixture(json!({})), observed)
}

fn outside_on(terms: BindingsTerms, observed: ObservedBindings) -> Remains {
    let bindings = Box::new(RemainingBindings { names: names(), terms, observed });
    Remains::Outside { bindings, registry: ObservedRegistry::default() }
}

fn ingress(deletion: Option<&str>) -> Ingress {
    serde_json::from_value(json!({"metadata": {"name": "storefront", "deletionTimestamp": deletion}}))
        .unwrap()
}

#[test]
fn visitors_are_led_away_then_web_goes_then_the_workers() {
    let removal = |ingress: Option<Ingress>, web: Option<bool>, worker: Option<bool>| {
        let workload =
            |name: &str, is_going: Option<bool>| is_going.map(|is_going| deployment(name, is_going));
        let workloads = Workloads { web: workload("web", web), worker: workload("worker", worker) };
        plan_removal(&owner(), Remains::Serving(Box::new(Serving { ingress, workloads })))
    };
    let going = ingress(Some("2026-01-01T00:00:00Z"));
    for (ingress, web, worker, expected) in [
        (Some(ingress(None)), Some(false), Some(false), Removal::DeleteIngress(target("storefront"))),
        (Some(going), Some(false), Some(false), Removal::WaitForLoadBalancer),
        (None, Some(false), Some(false), Removal::DeleteWorkload(target("web"))),
        (None, Some(true), Some(false), Removal::WaitForPods),
        (None, None, Some(false), Removal::DeleteWorkload(target("worker"))),
        (None, None, Some(true), Removal::WaitForPods),
    ] {
        assert_eq!(removal(ingress, web, worker), expected);
    }
}

#[test]
fn ingress_that_nobody_lets_go_holds_the_pods_up_for_two_minutes() {
    let going = ingress(Some("2026-01-01T00:00:00Z"));
    for (now, expected) in [("2026-01-01T00:01:59Z", false), ("2026-01-01T00:02:00Z", true)] {
        assert_eq!(is_given_up(&going, now.parse().unwrap()), expected, "{now}");
    }
    assert!(!is_given_up(&ingress(None), "2026-01-01T00:02:00Z".parse().unwrap()));
}

#[test]
fn everything_but_the_bucket_is_removed() {
    let expected = ReleasePlan {
        subscription: vec![SubscriptionStep::Unsubscribe { arn: "arn:s".into() }],
        topic: Some(TopicStep::Delete { arn: "arn:t".into() }),
        queue: Some(QueueStep::Delete { url: "http://sqs/jobs".into() }),
        refresh_queue: Some(QueueStep::Delete { url: "http://sqs/refresh".into() }),
        dead_letter_queue: Some(QueueStep::Delete { url: "http://sqs/dead".into() }),
        bucket: Some(BucketStep::SetTags(owner().released_tags())),
        kept: vec![format!("bucket {} stays: spec.bindings.bucket.deletionPolicy is Retain", names().bucket)],
        left: vec![],
    };
    let removal = plan_removal(&owner(), outside(bindings()));
    let owner = "assetpipeline/shop/storefront".into();
    let bindings = Box::new(expected);
    assert_eq!(removal, Removal::Release { names: names(), owner, tenants: vec![], bindings });
}

/// They would count as what the bucket holds, and an empty one would be kept for them.
#[test]
fn registrations_go_before_anything_is_decided_on_the_bucket() {
    let claims = StoredClaims { hosts: ["shop.example.com".parse().unwrap()].into(), etag: ETag("1".into()) };
    let registry = ObservedRegistry { claims: Some(claims), stored: Vec::new() };
    let terms = BindingsTerms::fixture(json!({"bucket": {"deletionPolicy": "Delete"}}));
    let bindings = Box::new(RemainingBindings { names: names(), terms, observed: bindings() });
    let removal = plan_removal(&owner(), Remains::Outside { bindings, registry });
    let owner = "assetpipeline/shop/storefront".into();
    let (tenants, bindings) = (vec![TenantStep::Forget], Box::default());
    assert_eq!(removal, Removal::Release { names: names(), owner, tenants, bindings });
}

#[test]
fn what_is_left_as_it_is_is_told_at_the_very_end() {
    let mut left = bindings();
    let (key, value) = owner().consent_tag();
    if let ObservedBucket::Found(found) = &mut left.bucket {
        found.tags = [(key.to_owned(), value)].into();
    }
    let mut gone = left.clone();
    (gone.dead_letter_queue, gone.queue) = (ObservedQueue::Missing, ObservedQueue::Missing);
    (gone.refresh_queue, gone.topic) = (ObservedQueue::Missing, ObservedTopic::Missing);
    let plan = |observed| {
        let terms = BindingsTerms::fixture(json!({"bucket": {"mode": "ReadOnly", "name": "site"}}));
        plan_removal(&owner(), outside_on(terms, observed))
    };
    assert!(matches!(plan(left), Removal::Release { .. }));
    let told = "bucket site stays: spec.bindings.bucket.mode is ReadOnly".to_owned();
    assert_eq!(plan(gone), Removal::Leave(vec![told]));
}

#[test]
fn pipeline_goes_once_only_the_released_bucket_is_left() {
    let left = ObservedBindings {
        bucket: ObservedBucket::Found(FoundBucket {
            tags: owner().released_tags(),
            holds_objects: true,
            blocks_public_access: true,
            encryption: Encryption::S3,
            versioning: None,
            lifecycle: Lifecycle::fixture(30),
            policy: None,
        }),
        dead_letter_queue: ObservedQueue::Missing,
        queue: ObservedQueue::Missing,
        refresh_queue: ObservedQueue::Missing,
        topic: ObservedTopic::Missing,
        subscriptions: vec![],
    };
    assert_eq!(plan_removal(&owner(), outside(left)), Removal::LetGo);
    assert_eq!(plan_removal(&owner(), Remains::Nothing), Removal::LetGo);
    let left = vec!["bucket b".to_owned()];
    assert_eq!(plan_removal(&owner(), Remains::Abandoned(left.clone())), Removal::Abandon(left));
}
