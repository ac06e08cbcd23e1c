use serde_json::json;

use super::*;
use crate::aws::BindingsTerms;

const NAME: &str = "ap-shop-storefront-0123456789";

fn owner() -> Owner {
    Owner { cluster: "east".into(), namespace: "shop".into(), name: "storefront".into() }
}

fn policy() -> Option<String> {
    build_bucket_policy(Transport::Tls, NAME, "us-east-1")
}

fn settled() -> FoundBucket {
    FoundBucket {
        tags: owner().owned_tags(),
        holds_objects: true,
        blocks_public_access: true,
        encryption: Encryption::S3,
        versioning: None,
        lifecycle: Lifecycle::fixture(30),
        policy: policy(),
    }
}

fn terms() -> Terms {
    BindingsTerms::fixture(json!({})).bucket
}

fn plan(observed: &ObservedBucket) -> Result<Vec<BucketStep>, Refusal> {
    plan_over(Transport::Tls, observed)
}

fn plan_over(transport: Transport, observed: &ObservedBucket) -> Result<Vec<BucketStep>, Refusal> {
    let settings = BindingsTerms::fixture(json!({})).bucket_settings;
    plan_bucket(observed, "us-east-1", transport, &settings, (&terms(), &owner()))
        .map(|planned| planned.steps)
}

#[test]
fn settled_bucket_needs_no_write() {
    assert_eq!(plan(&ObservedBucket::Found(settled())), Ok(vec![]));
}

#[test]
fn endpoint_without_tls_gets_no_policy_that_would_lock_us_out() {
    let without = ObservedBucket::Found(FoundBucket { policy: None, ..settled() });
    assert_eq!(plan_over(Transport::Plaintext, &without), Ok(vec![]));
    assert_eq!(plan(&without), Ok(vec![BucketStep::SetPolicy(policy().unwrap())]));
}

#[test]
fn bucket_is_made_with_its_tags_and_looked_at_before_anything_else_is_done_to_it() {
    assert_eq!(plan(&ObservedBucket::Missing), Ok(vec![BucketStep::Create(owner().owned_tags())]));
}

#[test]
fn each_drift_is_corrected_alone() {
    let drifts = [
        (FoundBucket { blocks_public_access: false, ..settled() }, BucketStep::BlockPublicAccess),
        (FoundBucket { encryption: Encryption::Nothing, ..settled() }, BucketStep::Encrypt(EncryptBy::S3)),
        (
            FoundBucket { lifecycle: Lifecycle::default(), ..settled() },
            BucketStep::SetLifecycle(Lifecycle::fixture(30)),
        ),
        (FoundBucket { policy: Some("{}".into()), ..settled() }, BucketStep::SetPolicy(policy().unwrap())),
        (
            FoundBucket { tags: owner().released_tags(), ..settled() },
            BucketStep::SetTags(owner().owned_tags()),
        ),
    ];
    for (drifted, step) in drifts {
        assert_eq!(plan(&ObservedBucket::Found(drifted)), Ok(vec![step]));
    }
}

#[test]
fn buckets_of_others_are_not_touched() {
    let other = Owner { name: "blog".into(), ..owner() };
    for observed in [
        ObservedBucket::Found(FoundBucket { tags: Tags::new(), ..settled() }),
        ObservedBucket::Found(FoundBucket { tags: other.owned_tags(), ..settled() }),
        ObservedBucket::Found(FoundBucket { tags: other.released_tags(), holds_objects: false, ..settled() }),
    ] {
        assert!(plan(&observed).is_err(), "{observed:?}");
        assert_eq!(plan_bucket_release(&observed, &terms(), &owner()), None, "{observed:?}");
    }
}

#[test]
fn empty_bucket_without_tags_is_taken_under_a_drawn_name_alone() {
    let left = ObservedBucket::Found(FoundBucket { tags: Tags::new(), holds_objects: false, ..settled() });
    assert_eq!(plan(&left), Ok(vec![BucketStep::SetTags(owner().owned_tags())]));
    let given = BindingsTerms::fixture(json!({"bucket": {"mode": "AdoptOrCreate", "name": "site"}}));
    let (settings, given) = (&given.bucket_settings, &given.bucket);
    assert!(plan_bucket(&left, "us-east-1", Transport::Tls, settings, (given, &owner())).is_err());
}

#[test]
fn release_keeps_the_tags_of_others() {
    let mut found = settled();
    found.tags.insert("cost-center".into(), "42".into());
    let mut expected = owner().released_tags();
    expected.insert("cost-center".into(), "42".into());
    let step = plan_bucket_release(&ObservedBucket::Found(found), &terms(), &owner());
    assert_eq!(step, Some((Ending::Release, BucketStep::SetTags(expected))));
}
