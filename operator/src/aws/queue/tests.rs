use super::*;
use crate::aws::BindingsTerms;

fn owner() -> Owner {
    Owner { cluster: "east".into(), namespace: "shop".into(), name: "storefront".into() }
}

fn want() -> QueueWant {
    want_jobs("jobs".into(), 8, "arn:aws:sqs:us-east-1:1:dead")
}

fn settled() -> FoundQueue {
    let arn = "arn:aws:sqs:us-east-1:1:jobs".to_owned();
    let mut attributes = want().attributes;
    attributes
        .insert("Policy".into(), build_policy(Transport::Tls, "sqs:*", std::slice::from_ref(&arn)).unwrap());
    attributes.insert("ApproximateNumberOfMessages".into(), "3".into());
    FoundQueue { url: "http://sqs/jobs".into(), arn, attributes, tags: owner().owned_tags() }
}

fn terms() -> Terms {
    BindingsTerms::fixture(json!({})).queue
}

fn plan(found: FoundQueue) -> Result<Vec<QueueStep>, Refusal> {
    plan_observed(&ObservedQueue::Found(found))
}

fn plan_observed(observed: &ObservedQueue) -> Result<Vec<QueueStep>, Refusal> {
    plan_queue(observed, want(), Transport::Tls, (&terms(), &owner())).map(|planned| planned.steps)
}

#[test]
fn settled_queue_needs_no_write() {
    assert_eq!(plan(settled()), Ok(vec![]));
}

#[test]
fn missing_queue_is_made_with_its_tags() {
    let steps = plan_observed(&ObservedQueue::Missing).unwrap();
    assert_eq!(steps, [QueueStep::Create { want: want(), tags: owner().owned_tags() }]);
}

#[test]
fn only_what_drifted_is_written() {
    let mut drifted = settled();
    drifted.attributes.insert("VisibilityTimeout".into(), "30".into());
    let changed = Attributes::from([("VisibilityTimeout".into(), "8".into())]);
    assert_eq!(plan(drifted), Ok(vec![QueueStep::SetAttributes { url: "http://sqs/jobs".into(), changed }]));
}

#[test]
fn policy_is_compared_as_meaning() {
    let mut reordered = settled();
    let redrive = r#"{ "maxReceiveCount": 100, "deadLetterTargetArn": "arn:aws:sqs:us-east-1:1:dead" }"#;
    reordered.attributes.insert("RedrivePolicy".into(), redrive.into());
    assert_eq!(plan(reordered), Ok(vec![]));
}

#[test]
fn queues_of_others_are_neither_changed_nor_deleted() {
    let other = Owner { cluster: "west".into(), ..owner() };
    for tags in [Tags::new(), other.owned_tags()] {
        let foreign = FoundQueue { tags, ..settled() };
        assert!(plan(foreign.clone()).is_err());
        assert_eq!(plan_queue_release(&ObservedQueue::Found(foreign), &terms(), &owner()), None);
    }
}

#[test]
fn key_of_somebodys_own_stays() {
    let mut keyed = settled();
    keyed.attributes.insert("SqsManagedSseEnabled".into(), "false".into());
    assert!(matches!(&plan(keyed.clone()).unwrap()[..], [QueueStep::SetAttributes { .. }]));
    keyed.attributes.insert("KmsMasterKeyId".into(), "alias/site".into());
    assert_eq!(plan(keyed), Ok(vec![]));
}
