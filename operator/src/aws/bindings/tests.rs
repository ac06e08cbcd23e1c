use serde_json::{Value, json};

use super::*;
use crate::aws::{
    Transport, Transports,
    bucket::{Encryption, FoundBucket, Lifecycle},
    queue::FoundQueue,
    topic::FoundTopic,
};

fn want() -> BindingsWant {
    want_by(json!({}))
}

/// What is wanted by this part of a spec.
fn want_by(spec: Value) -> BindingsWant {
    let owner = Owner { cluster: "east".into(), namespace: "shop".into(), name: "storefront".into() };
    BindingsWant {
        names: BindingNames::new("shop", "storefront", &"0123456789".parse().unwrap()),
        terms: BindingsTerms::fixture(spec),
        owner,
        region: "eu-west-1".into(),
        transports: Transports::all(Transport::Tls),
        visibility_seconds: 8,
        subscription: SubscriptionWant::None,
    }
}

fn nothing() -> ObservedBindings {
    ObservedBindings {
        bucket: ObservedBucket::Missing,
        dead_letter_queue: ObservedQueue::Missing,
        queue: ObservedQueue::Missing,
        refresh_queue: ObservedQueue::Missing,
        topic: ObservedTopic::Missing,
        subscriptions: vec![],
    }
}

fn dead_letters() -> ObservedQueue {
    ObservedQueue::Found(FoundQueue {
        url: "http://sqs/dead".into(),
        arn: "arn:aws:sqs:eu-west-1:1:dead".into(),
        attributes: want_dead_letters("dead".into()).attributes,
        tags: want().owner.owned_tags(),
    })
}

#[test]
fn queues_and_topic_wait_for_the_dead_letter_queue() {
    let first = plan_bindings(&nothing(), &want()).unwrap().0;
    assert!(!first.bucket.is_empty() && !first.dead_letter_queue.is_empty());
    assert!(first.queue.is_empty() && first.refresh_queue.is_empty() && first.topic.is_empty());
    let second = plan_bindings(&ObservedBindings { dead_letter_queue: dead_letters(), ..nothing() }, &want());
    let second = second.unwrap().0;
    assert!(!second.topic.is_empty());
    let created = |steps: &[QueueStep]| match steps {
        [QueueStep::Create { want, tags }] => (want.clone(), tags.clone()),
        other => panic!("{other:?}"),
    };
    let (jobs, refreshes) = (created(&second.queue), created(&second.refresh_queue));
    assert_eq!(
        (jobs.0.name.as_str(), refreshes.0.name.as_str()),
        ("ap-shop-storefront-0123456789", "ap-shop-storefront-0123456789-refresh")
    );
    assert_eq!((jobs.0.attributes, jobs.1), (refreshes.0.attributes, refreshes.1));
}

#[test]
fn queue_of_refreshes_is_ours_to_correct_and_to_delete_and_nobody_elses() {
    let refreshes = |tags| {
        ObservedQueue::Found(FoundQueue {
            url: "http://sqs/refresh".into(),
            arn: "arn:aws:sqs:eu-west-1:1:refresh".into(),
            attributes: [("VisibilityTimeout".to_owned(), "30".to_owned())].into(),
            tags,
        })
    };
    let observed = |tags| ObservedBindings {
        dead_letter_queue: dead_letters(),
        refresh_queue: refreshes(tags),
        ..nothing()
    };
    let ours = observed(want().owner.owned_tags());
    let plan = plan_bindings(&ours, &want()).unwrap().0;
    assert!(matches!(&plan.refresh_queue[0], QueueStep::SetAttributes { changed, .. }
        if changed["VisibilityTimeout"] == "8" && changed.contains_key("RedrivePolicy")));
    let delete = QueueStep::Delete { url: "http://sqs/refresh".into() };
    assert_eq!(plan_release(&ours, &want().terms, &want().owner).refresh_queue, Some(delete));
    let foreign = observed(Owner { cluster: "west".into(), ..want().owner }.owned_tags());
    assert!(plan_bindings(&foreign, &want()).is_err());
    assert_eq!(plan_release(&foreign, &want().terms, &want().owner).refresh_queue, None);
}

#[test]
fn one_foreign_resource_stops_all_writes() {
    let bucket = ObservedBucket::Found(FoundBucket {
        tags: Owner { cluster: "west".into(), ..want().owner }.owned_tags(),
        holds_objects: true,
        blocks_public_access: true,
        encryption: Encryption::S3,
        versioning: None,
        lifecycle: Lifecycle::fixture(30),
        policy: None,
    });
    let observed = ObservedBindings { bucket, ..nothing() };
    assert!(plan_bindings(&observed, &want()).is_err());
}

/// A policy without TLS locks out whoever comes without it, and who may come without it is each service's matter.
#[test]
fn each_resource_has_the_policy_that_its_own_services_endpoint_allows() {
    let (tls, open) = (Transport::Tls, Transport::Plaintext);
    for transports in [
        Transports::all(tls),
        Transports::all(open),
        Transports { s3: open, ..Transports::all(tls) },
        Transports { sqs: open, ..Transports::all(tls) },
        Transports { sns: open, ..Transports::all(tls) },
    ] {
        let tags = || want().owner.owned_tags();
        let bucket = FoundBucket { tags: tags(), ..foreign_bucket() };
        let queue = FoundQueue {
            url: "http://sqs/jobs".into(),
            arn: "arn:aws:sqs:eu-west-1:1:jobs".into(),
            attributes: [].into(),
            tags: tags(),
        };
        let observed = ObservedBindings {
            bucket: ObservedBucket::Found(bucket),
            dead_letter_queue: dead_letters(),
            queue: ObservedQueue::Found(queue),
            ..nothing()
        };
        let plan = plan_bindings(&observed, &BindingsWant { transports, ..want() }).unwrap().0;
        let asks_for_tls = |steps: String| if steps.contains("SecureTransport") { tls } else { open };
        let asked = Transports {
            s3: asks_for_tls(format!("{:?}", plan.bucket)),
            sqs: asks_for_tls(format!("{:?}", plan.queue)),
            sns: asks_for_tls(format!("{:?}", plan.topic)),
        };
        assert_eq!(asked, transports);
    }
}

#[test]
fn release_of_nothing_is_nothing() {
    assert_eq!(plan_release(&nothing(), &want().terms, &want().owner), ReleasePlan::default());
}

fn foreign_bucket() -> FoundBucket {
    FoundBucket {
        tags: [("team".to_owned(), "web".to_owned())].into(),
        holds_objects: true,
        blocks_public_access: false,
        encryption: Encryption::Nothing,
        versioning: None,
        lifecycle: Lifecycle::default(),
        policy: None,
    }
}

/// Everything there, made by somebody else and allowed by its tag.
fn allowed() -> ObservedBindings {
    let (key, value) = want().owner.consent_tag();
    let tags: crate::aws::ownership::Tags = [(key.to_owned(), value)].into();
    let queue = |name: &str| {
        ObservedQueue::Found(FoundQueue {
            url: format!("http://sqs/{name}"),
            arn: format!("arn:aws:sqs:eu-west-1:1:{name}"),
            attributes: [("VisibilityTimeout".to_owned(), "30".to_owned())].into(),
            tags: tags.clone(),
        })
    };
    ObservedBindings {
        bucket: ObservedBucket::Found(FoundBucket { tags: tags.clone(), ..foreign_bucket() }),
        dead_letter_queue: queue("d"),
        queue: queue("v"),
        refresh_queue: queue("r"),
        topic: ObservedTopic::Found(FoundTopic {
            arn: "arn:aws:sns:eu-west-1:1:notices".into(),
            attributes: [("SignatureVersion".to_owned(), "1".to_owned())].into(),
            tags,
        }),
        subscriptions: vec![theirs()],
    }
}

/// Somebody else's who posts to a path of the same name.
fn theirs() -> Subscription {
    Subscription {
        arn: Some("arn:theirs".into()),
        protocol: "https".into(),
        endpoint: "https://audit.example.com/work_complete".into(),
    }
}

fn given(mode: &str) -> Value {
    json!({
        "bucket": {"mode": mode, "name": "site"},
        "queues": {"mode": mode, "names": {"visits": "v", "refreshes": "r", "deadLetters": "d"}},
        "topic": {"mode": mode, "name": "notices"},
    })
}

#[test]
fn read_only_resources_are_told_of_and_never_written() {
    let endpoint = "https://hooks.example.com/work_complete".parse().unwrap();
    let subscription = SubscriptionWant::Endpoint(endpoint);
    let want = BindingsWant { subscription, ..want_by(given("ReadOnly")) };
    let (plan, drift) = plan_bindings(&allowed(), &want).unwrap();
    assert_eq!(plan, BindingsPlan::default());
    for lack in [
        "bucket site should block all public access",
        "bucket site should encrypt by default with keys of S3",
        "bucket site should have a policy that denies access without TLS",
        "queue d should have a policy that denies access without TLS",
        "topic notices should have SignatureVersion 2",
        "topic notices should have https://hooks.example.com/work_complete as a subscriber",
    ] {
        assert!(drift.iter().any(|told| told == lack), "{lack} is not in {drift:?}");
    }
    let visibility =
        |told: &&String| told.starts_with("queue v should have") && told.contains("VisibilityTimeout 8");
    assert_eq!(drift.iter().filter(visibility).count(), 1, "{drift:?}");
    assert!(!drift.iter().any(|told| told.contains("arn:theirs")), "{drift:?}");
    let release = plan_release(&allowed(), &want.terms, &want.owner);
    assert!(release.is_empty() && release.kept.is_empty(), "{release:?}");
    assert_eq!(release.left.len(), 5, "{:?}", release.left);
    assert_eq!(release.left[0], "bucket site stays: spec.bindings.bucket.mode is ReadOnly");
    let mut foreign = allowed();
    foreign.bucket = ObservedBucket::Found(foreign_bucket());
    assert_eq!(plan_release(&foreign, &want.terms, &want.owner).left.len(), 4, "it was never used");
}

#[test]
fn read_only_since_lately_settles_what_the_tags_say() {
    let spec = json!({"bucket": {"mode": "ReadOnly", "name": "site", "deletionPolicy": "Delete",
        "whenNotEmpty": "DeleteAllObjects"}});
    let (terms, owner) = (BindingsTerms::fixture(spec), want().owner);
    let theirs = [("team".to_owned(), "web".to_owned())];
    for (tags, expected) in [(owner.owned_tags(), owner.released_tags()), (owner.adopted_tags(), [].into())] {
        let tags = tags.into_iter().chain(theirs.clone()).collect();
        let bucket = ObservedBucket::Found(FoundBucket { tags, ..foreign_bucket() });
        let observed = ObservedBindings { bucket, ..nothing() };
        let ReleasePlan { bucket, kept, left, .. } = plan_release(&observed, &terms, &owner);
        let expected = expected.into_iter().chain(theirs.clone()).collect();
        assert_eq!(bucket, Some(BucketStep::SetTags(expected)));
        let told = vec!["bucket site stays: spec.bindings.bucket.mode is ReadOnly".to_owned()];
        assert_eq!((kept, left), (told, vec![]));
    }
}

#[test]
fn adopted_resources_are_tagged_and_given_back_at_the_end() {
    let want = want_by(given("Adopt"));
    let (plan, drift) = plan_bindings(&allowed(), &want).unwrap();
    assert_eq!(drift, Vec::<String>::new());
    assert!(matches!(&plan.bucket[0], BucketStep::SetTags(tags)
        if tags["assetpipeline.dev/state"] == "adopted" && tags.contains_key("assetpipeline.dev/adoptable-by")));
    assert!(matches!(&plan.queue[0], QueueStep::AddTags { .. }));
    // What SNS does not tell counts as set by us once our tags are there.
    assert!(matches!(plan.topic.last(), Some(TopicStep::AddTags { .. })));
    let mut adopted = allowed();
    for queue in [&mut adopted.queue, &mut adopted.refresh_queue, &mut adopted.dead_letter_queue] {
        if let ObservedQueue::Found(found) = queue {
            found.tags.extend(want.owner.adopted_tags());
        }
    }
    let tags = [want.owner.adopted_tags(), [("team".to_owned(), "web".to_owned())].into()];
    let bucket = FoundBucket { tags: tags.into_iter().flatten().collect(), ..foreign_bucket() };
    adopted.bucket = ObservedBucket::Found(bucket);
    let release = plan_release(&adopted, &want.terms, &want.owner);
    let theirs = [("team".to_owned(), "web".to_owned())].into();
    assert_eq!(release.bucket, Some(BucketStep::SetTags(theirs)));
    assert!(matches!(&release.queue, Some(QueueStep::RemoveTags { keys, .. }) if keys.len() == 3));
    assert_eq!(release.topic, None, "it is not ours yet");
    assert_eq!(release.kept[0], "queue v stays: it was adopted");
}

#[test]
fn only_our_own_subscription_leaves_an_adopted_topic() {
    let ours = Subscription { arn: Some("arn:ours".into()), ..theirs() };
    let mut adopted = ObservedBindings { subscriptions: vec![theirs(), ours], ..allowed() };
    let mut want = want_by(given("Adopt"));
    if let ObservedTopic::Found(found) = &mut adopted.topic {
        found.tags.extend(want.owner.adopted_tags());
    }
    let unsubscribe = |arn: &str| vec![SubscriptionStep::Unsubscribe { arn: arn.into() }];
    for (told, expected) in [(None, vec![]), (Some("arn:ours"), unsubscribe("arn:ours"))] {
        want.terms.subscription.arn = told.map(str::to_owned);
        assert_eq!(plan_bindings(&adopted, &want).unwrap().0.subscription, expected);
        assert_eq!(plan_release(&adopted, &want.terms, &want.owner).subscription, expected);
    }
}

#[test]
fn all_that_stands_in_the_way_is_told_together() {
    let mut observed = nothing();
    observed.bucket = ObservedBucket::Found(foreign_bucket());
    let Refusal { reason, message } = plan_bindings(&observed, &want_by(given("Adopt"))).unwrap_err();
    assert_eq!(reason, "AdoptionNotAllowed");
    for part in ["bucket site exists and", "queue d does not exist", "queue v does not", "queue r does not"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(!message.contains("topic"), "nobody could look for the topic: {message}");
}

#[test]
fn what_is_kept_is_told_with_the_reason() {
    let owner = want().owner;
    let bucket = |holds_objects| {
        let tags = owner.owned_tags();
        ObservedBucket::Found(FoundBucket { tags, holds_objects, ..foreign_bucket() })
    };
    let release = |spec: Value, holds_objects| {
        let observed = ObservedBindings { bucket: bucket(holds_objects), ..nothing() };
        let ReleasePlan { bucket, kept, .. } = plan_release(&observed, &BindingsTerms::fixture(spec), &owner);
        (bucket, kept)
    };
    let name = want().names.bucket;
    let tagged = Some(BucketStep::SetTags(owner.released_tags()));
    let by_policy = format!("bucket {name} stays: spec.bindings.bucket.deletionPolicy is Retain");
    assert_eq!(release(json!({}), false), (tagged.clone(), vec![by_policy]));
    let delete = json!({"bucket": {"deletionPolicy": "Delete"}});
    let by_contents =
        format!("bucket {name} stays: it is not empty, and spec.bindings.bucket.whenNotEmpty is Keep");
    assert_eq!(release(delete.clone(), true), (tagged, vec![by_contents]));
    assert_eq!(release(delete, false), (Some(BucketStep::Delete), vec![]));
    let all = json!({"bucket": {"deletionPolicy": "Delete", "whenNotEmpty": "DeleteAllObjects"}});
    assert_eq!(release(all, true), (Some(BucketStep::Empty), vec![]));
}

#[test]
fn registry_is_read_where_the_pipeline_may_have_one() {
    let owner = want().owner;
    let bucket = |tags| ObservedBucket::Found(FoundBucket { tags, ..foreign_bucket() });
    let (key, value) = owner.consent_tag();
    let allowed = bucket([(key.to_owned(), value)].into());
    for (mode, observed, expected) in [
        ("Adopt", bucket(owner.adopted_tags()), true),
        ("Adopt", bucket(owner.released_tags()), false),
        ("Adopt", allowed.clone(), false),
        ("ReadOnly", allowed, true),
        ("ReadOnly", bucket([].into()), false),
        ("ReadOnly", ObservedBucket::Missing, false),
    ] {
        let terms = BindingsTerms::fixture(given(mode));
        assert_eq!(holds_registry(&observed, &terms.bucket, &owner), expected, "{mode} {observed:?}");
    }
}

#[test]
fn key_of_another_region_is_refused_before_anything_is_written() {
    let want = |region: &str| {
        let key = format!("arn:aws:kms:{region}:123456789012:key/11111111-2222-3333-4444-555555555555");
        let mut want = want_by(json!({"bucket": {"encryption": {"kmsKeyArn": key}}}));
        want.region = "eu-west-1".into();
        want
    };
    assert!(plan_bindings(&nothing(), &want("eu-west-1")).is_ok());
    let Refusal { reason, message } = plan_bindings(&nothing(), &want("us-east-1")).unwrap_err();
    assert_eq!(reason, "InvalidSpec");
    for part in ["encryption.kmsKeyArn is arn:aws:kms:us-east-1:", "a key of us-east-1", "lies in eu-west-1"]
    {
        assert!(message.contains(part), "{part}: {message}");
    }
}
