use super::*;

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
        is_encrypted: true,
        policy: policy(),
    }
}

fn plan(observed: &ObservedBucket) -> Result<Vec<BucketStep>, String> {
    plan_bucket(observed, NAME, "us-east-1", Transport::Tls, &owner())
}

#[test]
fn settled_bucket_needs_no_write() {
    assert_eq!(plan(&ObservedBucket::Found(settled())), Ok(vec![]));
}

#[test]
fn endpoint_without_tls_gets_no_policy_that_would_lock_us_out() {
    let steps =
        plan_bucket(&ObservedBucket::Missing, NAME, "us-east-1", Transport::Plaintext, &owner()).unwrap();
    assert!(!steps.iter().any(|step| matches!(step, BucketStep::SetPolicy(_))));
    let without = FoundBucket { policy: None, ..settled() };
    let steps =
        plan_bucket(&ObservedBucket::Found(without), NAME, "us-east-1", Transport::Plaintext, &owner());
    assert_eq!(steps, Ok(vec![]));
}

#[test]
fn missing_bucket_is_tagged_before_anything_else_is_done_to_it() {
    let steps = plan(&ObservedBucket::Missing).unwrap();
    assert_eq!(steps[..2], [BucketStep::Create, BucketStep::SetTags(owner().owned_tags())]);
    assert_eq!(steps.len(), 5);
}

#[test]
fn each_drift_is_corrected_alone() {
    let drifts: [(FoundBucket, BucketStep); 4] = [
        (FoundBucket { blocks_public_access: false, ..settled() }, BucketStep::BlockPublicAccess),
        (FoundBucket { is_encrypted: false, ..settled() }, BucketStep::Encrypt),
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
        assert_eq!(plan_bucket_release(&observed, &owner()), None, "{observed:?}");
    }
}

#[test]
fn empty_bucket_left_untagged_by_a_crash_is_taken() {
    let left = FoundBucket { tags: Tags::new(), holds_objects: false, ..settled() };
    assert_eq!(plan(&ObservedBucket::Found(left)), Ok(vec![BucketStep::SetTags(owner().owned_tags())]));
}

#[test]
fn release_keeps_the_tags_of_others() {
    let mut found = settled();
    found.tags.insert("cost-center".into(), "42".into());
    let mut expected = owner().released_tags();
    expected.insert("cost-center".into(), "42".into());
    let step = plan_bucket_release(&ObservedBucket::Found(found), &owner());
    assert_eq!(step, Some(BucketStep::SetTags(expected)));
}
