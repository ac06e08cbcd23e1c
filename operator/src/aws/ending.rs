//! The table of endings: what becomes of a resource when its pipeline goes. Pure.

use crds::BindingMode;

use super::{
    ownership::{Provenance, Standing},
    terms::Terms,
};

/// How the pipeline came to the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    Made,
    Adopted,
    /// It has never carried our tags, or not since an earlier pipeline went.
    ReadOnly,
}

impl Origin {
    /// `None` where the resource is none of this pipeline's business. Tags count for more than the mode, which may
    /// have been another one before.
    pub fn of(mode: BindingMode, standing: &Standing) -> Option<Self> {
        match standing {
            Standing::Ours(Provenance::Made) => Some(Self::Made),
            Standing::Ours(Provenance::Adopted) => Some(Self::Adopted),
            Standing::Released | Standing::Foreign { consent: Some(_), .. } => {
                (mode == BindingMode::ReadOnly).then_some(Self::ReadOnly)
            }
            Standing::Missing | Standing::Foreign { consent: None, .. } => None,
        }
    }
}

/// What the spec says of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Disposal {
    Retain,
    /// Only where it is empty.
    Delete,
    /// With everything in it.
    EmptyAndDelete,
}

/// Whether anything would be lost with it. Queues and topics count as empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Contents {
    Empty,
    Something,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    Delete,
    /// What it holds is deleted; then it is empty.
    Empty,
    /// It stays and is tagged as released, so that a pipeline of the same name takes it back.
    Release,
    /// It stays and loses our tags.
    GiveBack,
    /// It stays as it is.
    Leave,
}

/// The table's cell. What the operator did not make it never deletes.
pub fn decide_ending(origin: Origin, disposal: Disposal, contents: Contents) -> Ending {
    match (origin, disposal, contents) {
        (Origin::Made, Disposal::Retain, Contents::Empty | Contents::Something)
        | (Origin::Made, Disposal::Delete, Contents::Something) => Ending::Release,
        (Origin::Made, Disposal::Delete | Disposal::EmptyAndDelete, Contents::Empty) => Ending::Delete,
        (Origin::Made, Disposal::EmptyAndDelete, Contents::Something) => Ending::Empty,
        (Origin::Adopted, Disposal::Retain | Disposal::Delete | Disposal::EmptyAndDelete, _) => {
            Ending::GiveBack
        }
        (Origin::ReadOnly, Disposal::Retain | Disposal::Delete | Disposal::EmptyAndDelete, _) => {
            Ending::Leave
        }
    }
}

/// What becomes of a resource on these terms; `None` where it is none of the pipeline's business.
pub(super) fn plan_ending(terms: &Terms, standing: &Standing, contents: Contents) -> Option<Ending> {
    let origin = Origin::of(terms.mode, standing)?;
    // What may only be read stays, whatever the spec says of its end.
    let disposal = if terms.mode == BindingMode::ReadOnly { Disposal::Retain } else { terms.disposal };
    Some(decide_ending(origin, disposal, contents))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{
        ownership::Consent,
        terms::{Kind, Naming},
    };

    /// `ReadOnly` may have been set late: what our tags say is settled as for any other mode.
    #[test]
    fn tags_decide_and_read_only_deletes_nothing() {
        let standings = || {
            let foreign = |consent| Standing::Foreign { whose: "is there".into(), is_in_use: false, consent };
            let [made, adopted] = [Provenance::Made, Provenance::Adopted].map(Standing::Ours);
            [made, adopted, Standing::Released, foreign(Some(Consent::Tag)), foreign(None), Standing::Missing]
        };
        let (release, give_back, leave) =
            (Some(Ending::Release), Some(Ending::GiveBack), Some(Ending::Leave));
        for (mode, expected) in [
            (BindingMode::Create, [Some(Ending::Empty), give_back, None, None, None, None]),
            (BindingMode::Adopt, [Some(Ending::Empty), give_back, None, None, None, None]),
            (BindingMode::AdoptOrCreate, [Some(Ending::Empty), give_back, None, None, None, None]),
            (BindingMode::ReadOnly, [release, give_back, leave, leave, None, None]),
        ] {
            let terms = Terms {
                kind: Kind::Bucket,
                name: "site".into(),
                naming: Naming::Given,
                mode,
                disposal: Disposal::EmptyAndDelete,
                is_allowed_by_values: false,
                tags: std::collections::BTreeMap::new(),
            };
            let endings = standings().map(|standing| plan_ending(&terms, &standing, Contents::Something));
            assert_eq!(endings, expected, "{mode:?}");
        }
    }

    #[test]
    fn every_cell_is_as_the_table_says() {
        use Contents::{Empty, Something};
        let cells = |origin: Origin| {
            [Disposal::Retain, Disposal::Delete, Disposal::EmptyAndDelete]
                .map(|disposal| [Empty, Something].map(|contents| decide_ending(origin, disposal, contents)))
        };
        let [release, delete, empty] = [Ending::Release, Ending::Delete, Ending::Empty];
        assert_eq!(cells(Origin::Made), [[release, release], [delete, release], [delete, empty]]);
        assert_eq!(cells(Origin::Adopted), [[Ending::GiveBack; 2]; 3]);
        assert_eq!(cells(Origin::ReadOnly), [[Ending::Leave; 2]; 3]);
    }
}
