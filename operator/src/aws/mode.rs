//! The table of modes: what is done about a resource, by its mode and by what stands under its name. Pure.
//!
//! Whether a resource is ours, or may become so, is read from tags and Helm values in `ownership`; which writes
//! an outcome means is each service's matter.

use crds::{BindingMode, condition_reason as reason};

use super::{
    cost_tags::{TagChange, plan_change, tell_conflict, tell_lack},
    ownership::{Consent, Owner, Provenance, Standing, Tags},
    terms::Terms,
};

/// What stands under a resource's name, as far as the table tells cases apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    Missing,
    /// Made or adopted for this pipeline, and set as it should be.
    Ours,
    /// Made or adopted for this pipeline, and not set as it should be.
    Drifted,
    /// Kept when an earlier pipeline of this name was deleted.
    Released,
    /// Nobody has allowed this pipeline to use it, or it is another pipeline's.
    Foreign,
    /// Foreign, and its tag says that this pipeline may have it.
    AllowedByTag,
    /// Foreign, and the Helm values say that this namespace may have it.
    AllowedByValues,
}

/// What is done about a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Create,
    /// It serves as it is; what is not as it should be is told.
    Use,
    /// Tagged as in use again, and corrected.
    TakeBack,
    /// Tagged as adopted, and corrected.
    Adopt,
    CorrectDrift,
    /// It serves as it is, and what is not as it should be is told.
    ReportDrift,
    Refuse(Refused),
}

/// Why a resource cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// It would have to be there.
    Missing,
    /// It would have to be made.
    InTheWay,
    /// It could be used if somebody allowed it.
    NotAllowed,
}

/// A mode's line of the table.
struct Line {
    missing: Outcome,
    ours: Outcome,
    drifted: Outcome,
    released: Outcome,
    foreign: Outcome,
    allowed_by_tag: Outcome,
    allowed_by_values: Outcome,
}

fn line(mode: BindingMode) -> Line {
    let adopting = Line {
        missing: Outcome::Refuse(Refused::Missing),
        ours: Outcome::Use,
        drifted: Outcome::CorrectDrift,
        released: Outcome::TakeBack,
        foreign: Outcome::Refuse(Refused::NotAllowed),
        allowed_by_tag: Outcome::Adopt,
        allowed_by_values: Outcome::Adopt,
    };
    match mode {
        BindingMode::Create => Line {
            missing: Outcome::Create,
            foreign: Outcome::Refuse(Refused::InTheWay),
            allowed_by_tag: Outcome::Refuse(Refused::InTheWay),
            allowed_by_values: Outcome::Refuse(Refused::InTheWay),
            ..adopting
        },
        BindingMode::Adopt => adopting,
        BindingMode::AdoptOrCreate => Line { missing: Outcome::Create, ..adopting },
        BindingMode::ReadOnly => Line {
            drifted: Outcome::ReportDrift,
            released: Outcome::Use,
            allowed_by_tag: Outcome::Use,
            allowed_by_values: Outcome::Use,
            ..adopting
        },
    }
}

/// The table's cell.
pub fn decide(mode: BindingMode, state: State) -> Outcome {
    let Line { missing, ours, drifted, released, foreign, allowed_by_tag, allowed_by_values } = line(mode);
    match state {
        State::Missing => missing,
        State::Ours => ours,
        State::Drifted => drifted,
        State::Released => released,
        State::Foreign => foreign,
        State::AllowedByTag => allowed_by_tag,
        State::AllowedByValues => allowed_by_values,
    }
}

/// Why a pipeline's resource is not touched, as the condition tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub reason: &'static str,
    /// Names the resource and the way out.
    pub message: String,
}

/// The writes on one resource, and those that its mode forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Planned<Step> {
    pub(super) steps: Vec<Step>,
    pub(super) forbidden: Vec<Step>,
    /// What is not as the spec has it and not ours to change; follows the resource's name.
    pub(super) told: Option<String>,
}

/// What stands under a resource's name, and the writes that are at hand.
pub(super) struct AtHand<'a, Step> {
    pub(super) standing: Standing,
    /// Empty where the resource is missing.
    pub(super) tags: &'a Tags,
    pub(super) create: Vec<Step>,
    /// The writes that change tags.
    pub(super) tag: &'a dyn Fn(TagChange) -> Vec<Step>,
    /// The writes that set it as it should be, tags aside.
    pub(super) corrections: Vec<Step>,
}

/// The writes that the table asks for, or why there are none.
pub(super) fn plan_by_mode<Step>(
    terms: &Terms,
    owner: &Owner,
    at_hand: AtHand<'_, Step>,
) -> Result<Planned<Step>, Refusal> {
    let AtHand { standing, tags, create, tag, corrections } = at_hand;
    let wanted = match &standing {
        Standing::Missing | Standing::Ours(Provenance::Made) | Standing::Released => owner.owned_tags(),
        Standing::Ours(Provenance::Adopted) | Standing::Foreign { .. } => owner.adopted_tags(),
    };
    let retag = plan_change(tags, &wanted, &terms.tags);
    let told = match terms.mode {
        BindingMode::ReadOnly => tell_lack(tags, &terms.tags),
        BindingMode::Create | BindingMode::Adopt | BindingMode::AdoptOrCreate => {
            tell_conflict(tags, &terms.tags)
        }
    };
    let is_as_wanted = retag.is_none() && corrections.is_empty();
    let with_tags = |corrections| retag.map(tag).into_iter().flatten().chain(corrections).collect();
    match decide(terms.mode, state_of(&standing, is_as_wanted)) {
        Outcome::Create => Ok(Planned { steps: create, forbidden: Vec::new(), told: None }),
        Outcome::Use | Outcome::ReportDrift => {
            Ok(Planned { steps: Vec::new(), forbidden: corrections, told })
        }
        Outcome::TakeBack | Outcome::Adopt | Outcome::CorrectDrift => {
            Ok(Planned { steps: with_tags(corrections), forbidden: Vec::new(), told })
        }
        Outcome::Refuse(refused) => Err(build_refusal(refused, terms, owner, &standing)),
    }
}

/// Why the table refuses the resource, whatever its settings are.
pub(super) fn check(terms: &Terms, owner: &Owner, standing: &Standing) -> Option<Refusal> {
    match decide(terms.mode, state_of(standing, true)) {
        Outcome::Refuse(refused) => Some(build_refusal(refused, terms, owner, standing)),
        Outcome::Create
        | Outcome::Use
        | Outcome::TakeBack
        | Outcome::Adopt
        | Outcome::CorrectDrift
        | Outcome::ReportDrift => None,
    }
}

fn state_of(standing: &Standing, is_as_wanted: bool) -> State {
    match standing {
        Standing::Missing => State::Missing,
        Standing::Ours(_) if is_as_wanted => State::Ours,
        Standing::Ours(_) => State::Drifted,
        Standing::Released => State::Released,
        Standing::Foreign { consent: None, .. } => State::Foreign,
        Standing::Foreign { consent: Some(Consent::Tag), .. } => State::AllowedByTag,
        Standing::Foreign { consent: Some(Consent::Values), .. } => State::AllowedByValues,
    }
}

fn build_refusal(refused: Refused, terms: &Terms, owner: &Owner, standing: &Standing) -> Refusal {
    let Terms { kind, name, mode, .. } = terms;
    let (resource, field) = (format!("{} {name}", kind.as_str()), kind.field());
    let whose = match standing {
        Standing::Foreign { whose, .. } => whose.as_str(),
        Standing::Missing | Standing::Ours(_) | Standing::Released => "is there",
    };
    let is_free = !matches!(standing, Standing::Foreign { is_in_use: true, .. });
    let (reason, message) = match refused {
        Refused::Missing => (
            reason::RESOURCE_MISSING,
            format!(
                "{resource} does not exist, and {field}.mode {mode:?} makes none: make it, or set mode AdoptOrCreate"
            ),
        ),
        Refused::InTheWay | Refused::NotAllowed if !is_free => (
            reason::FOREIGN_RESOURCE,
            format!(
                "{resource} {whose}: delete that one first, or name another {} in a new AssetPipeline",
                kind.as_str()
            ),
        ),
        // What is only made has a name that the operator drew.
        Refused::InTheWay => (
            reason::FOREIGN_RESOURCE,
            format!(
                "{resource} {whose}, and the operator drew its name for this pipeline: where somebody changed its \
                 tags, write {} back; else remove it",
                tell_tags(&owner.owned_tags())
            ),
        ),
        Refused::NotAllowed => {
            (reason::ADOPTION_NOT_ALLOWED, format!("{resource} {whose}: {}", way_to_consent(terms, owner)))
        }
    };
    Refusal { reason, message }
}

fn tell_tags(tags: &Tags) -> String {
    tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
}

fn way_to_consent(terms: &Terms, owner: &Owner) -> String {
    let (key, value) = owner.consent_tag();
    format!(
        "tag it {key}={value}, or allow the name in the operator's Helm values (adoptable.{}.{})",
        owner.namespace,
        terms.kind.plural()
    )
}

#[cfg(test)]
mod tests;
