use super::*;
use crate::aws::terms::{Kind, Naming};

/// The whole table, as people are told of it.
const TABLE: [(BindingMode, [(State, Outcome); 7]); 4] = [
    (
        BindingMode::Create,
        [
            (State::Missing, Outcome::Create),
            (State::Ours, Outcome::Use),
            (State::Drifted, Outcome::CorrectDrift),
            (State::Released, Outcome::TakeBack),
            (State::Foreign, Outcome::Refuse(Refused::InTheWay)),
            (State::AllowedByTag, Outcome::Refuse(Refused::InTheWay)),
            (State::AllowedByValues, Outcome::Refuse(Refused::InTheWay)),
        ],
    ),
    (
        BindingMode::Adopt,
        [
            (State::Missing, Outcome::Refuse(Refused::Missing)),
            (State::Ours, Outcome::Use),
            (State::Drifted, Outcome::CorrectDrift),
            (State::Released, Outcome::TakeBack),
            (State::Foreign, Outcome::Refuse(Refused::NotAllowed)),
            (State::AllowedByTag, Outcome::Adopt),
            (State::AllowedByValues, Outcome::Adopt),
        ],
    ),
    (
        BindingMode::AdoptOrCreate,
        [
            (State::Missing, Outcome::Create),
            (State::Ours, Outcome::Use),
            (State::Drifted, Outcome::CorrectDrift),
            (State::Released, Outcome::TakeBack),
            (State::Foreign, Outcome::Refuse(Refused::NotAllowed)),
            (State::AllowedByTag, Outcome::Adopt),
            (State::AllowedByValues, Outcome::Adopt),
        ],
    ),
    (
        BindingMode::ReadOnly,
        [
            (State::Missing, Outcome::Refuse(Refused::Missing)),
            (State::Ours, Outcome::Use),
            (State::Drifted, Outcome::ReportDrift),
            (State::Released, Outcome::Use),
            (State::Foreign, Outcome::Refuse(Refused::NotAllowed)),
            (State::AllowedByTag, Outcome::Use),
            (State::AllowedByValues, Outcome::Use),
        ],
    ),
];

fn owner() -> Owner {
    Owner { cluster: "east".into(), namespace: "shop".into(), name: "storefront".into() }
}

fn terms(mode: BindingMode, is_allowed_by_values: bool) -> Terms {
    Terms {
        kind: Kind::Bucket,
        name: "site".into(),
        naming: Naming::Given,
        mode,
        disposal: crate::aws::ending::Disposal::Retain,
        is_allowed_by_values,
        tags: Tags::new(),
    }
}

/// What is done with tags of this kind, where one correction is at hand or none.
fn plan(
    mode: BindingMode,
    tags: Option<&Tags>,
    is_allowed_by_values: bool,
    corrections: &[&str],
) -> Result<Planned<String>, Refusal> {
    let terms = terms(mode, is_allowed_by_values);
    let standing = tags.map_or(Standing::Missing, |tags| owner().standing(tags, &terms));
    let none = Tags::new();
    let at_hand = AtHand {
        standing,
        tags: tags.unwrap_or(&none),
        create: vec!["create".to_owned()],
        tag: &|TagChange { remove, set }| {
            let set = set.values().cloned().collect::<Vec<_>>();
            let remove = (!remove.is_empty()).then(|| format!("untag {}", remove.join(" ")));
            let set = (!set.is_empty()).then(|| format!("tag {}", set.join(" ")));
            remove.into_iter().chain(set).collect()
        },
        corrections: corrections.iter().map(|&step| step.to_owned()).collect(),
    };
    plan_by_mode(&terms, &owner(), at_hand)
}

fn consent() -> Tags {
    let (key, value) = owner().consent_tag();
    Tags::from([(key.to_owned(), value)])
}

#[test]
fn every_cell_is_as_the_table_says() {
    for (mode, cells) in TABLE {
        for (state, outcome) in cells {
            assert_eq!(decide(mode, state), outcome, "{mode:?} {state:?}");
        }
    }
}

/// From tags to writes, for every cell.
#[test]
fn tags_and_values_lead_to_the_writes_of_their_cell() {
    let (owned, released) = (owner().owned_tags(), owner().released_tags());
    let nobody = Tags::new();
    for (mode, cells) in TABLE {
        for (state, outcome) in cells {
            let (tags, by_values, corrections): (_, _, &[&str]) = match state {
                State::Missing => (None, false, &[]),
                State::Ours => (Some(&owned), false, &[]),
                State::Drifted => (Some(&owned), false, &["correct"]),
                State::Released => (Some(&released), false, &["correct"]),
                State::Foreign => (Some(&nobody), false, &["correct"]),
                State::AllowedByTag => (Some(&consent()), false, &["correct"]),
                State::AllowedByValues => (Some(&nobody), true, &["correct"]),
            };
            let planned = plan(mode, tags, by_values, corrections);
            let adopted = ["tag east shop/storefront adopted", "correct"];
            let (steps, forbidden): (&[&str], &[&str]) = match outcome {
                Outcome::Create => (&["create"], &[]),
                Outcome::Use | Outcome::ReportDrift => (&[], corrections),
                Outcome::TakeBack => (&["tag owned", "correct"], &[]),
                Outcome::Adopt => (&adopted, &[]),
                Outcome::CorrectDrift => (&["correct"], &[]),
                Outcome::Refuse(_) => {
                    assert!(planned.is_err(), "{mode:?} {state:?}: {planned:?}");
                    continue;
                }
            };
            let planned = planned.unwrap();
            assert_eq!((planned.steps, planned.forbidden), (owned_texts(steps), owned_texts(forbidden)));
        }
    }
}

fn owned_texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn refusals_name_the_resource_and_the_way_out() {
    let refusal = |mode, tags: Option<&Tags>, by_values| {
        let Refusal { reason, message } = plan(mode, tags, by_values, &[]).unwrap_err();
        assert!(message.starts_with("bucket site "), "{message}");
        (reason, message)
    };
    let way = "tag it assetpipeline.dev/adoptable-by=shop/storefront, or allow the name in the operator's Helm \
               values (adoptable.shop.buckets)";
    let (nobody, other) = (Tags::new(), Owner { cluster: "west".into(), ..owner() });
    let missing = "bucket site does not exist, and spec.bindings.bucket.mode Adopt makes none: make it, or set mode \
                   AdoptOrCreate";
    assert_eq!(refusal(BindingMode::Adopt, None, false), ("ResourceMissing", missing.into()));
    assert_eq!(refusal(BindingMode::ReadOnly, None, false).0, "ResourceMissing");
    assert_eq!(
        refusal(BindingMode::ReadOnly, Some(&nobody), false),
        ("AdoptionNotAllowed", format!("bucket site exists and carries none of our tags: {way}"))
    );
    let released = "bucket site was released by pipeline shop/storefront of cluster west";
    assert_eq!(
        refusal(BindingMode::Adopt, Some(&other.released_tags()), false),
        ("AdoptionNotAllowed", format!("{released}: {way}"))
    );
    let in_the_way = "bucket site exists and carries none of our tags, and the operator drew its name for this \
                      pipeline: where somebody changed its tags, write assetpipeline.dev/cluster=east, \
                      assetpipeline.dev/pipeline=shop/storefront, assetpipeline.dev/state=owned back; else remove it"
        .to_owned();
    assert_eq!(refusal(BindingMode::Create, Some(&nobody), true), ("ForeignResource", in_the_way));
}

#[test]
fn consent_does_not_take_what_another_pipeline_uses() {
    let mut tags = Owner { name: "blog".into(), ..owner() }.owned_tags();
    tags.extend(consent());
    for (mode, _) in TABLE {
        let Refusal { reason, message } = plan(mode, Some(&tags), true, &[]).unwrap_err();
        let expected = "bucket site belongs to pipeline shop/blog of cluster east: delete that one first, or name \
                        another bucket in a new AssetPipeline";
        assert_eq!((reason, message.as_str()), ("ForeignResource", expected));
    }
}

#[test]
fn what_another_pipeline_released_may_be_adopted_by_consent() {
    let mut tags = Owner { name: "blog".into(), ..owner() }.released_tags();
    tags.extend(consent());
    let steps = plan(BindingMode::Adopt, Some(&tags), false, &[]).unwrap().steps;
    assert_eq!(steps, ["tag shop/storefront adopted"]);
}

#[test]
fn consent_for_another_pipeline_is_none() {
    let (key, _) = owner().consent_tag();
    for value in ["shop/blog", "storefront", "", "blog/storefront", "shop/storefront2"] {
        let tags = Tags::from([(key.to_owned(), value.to_owned())]);
        assert!(plan(BindingMode::Adopt, Some(&tags), false, &[]).is_err(), "{value}");
    }
}

#[test]
fn adopted_resource_stays_adopted() {
    let adopted = owner().adopted_tags();
    assert_eq!(plan(BindingMode::Adopt, Some(&adopted), false, &[]).unwrap().steps, Vec::<String>::new());
    assert_eq!(plan(BindingMode::Create, Some(&adopted), false, &["correct"]).unwrap().steps, ["correct"]);
    // Without a word on where it comes from it must not pass for made by us, which we may delete.
    let mut unknown = owner().owned_tags();
    unknown.remove("assetpipeline.dev/state");
    assert_eq!(plan(BindingMode::Create, Some(&unknown), false, &[]).unwrap().steps, ["tag adopted"]);
}
