//! The table of endings: what becomes of a resource when its pipeline goes. Pure.

use crds::BindingMode;

use super::ownership::{Provenance, Standing};

/// How the pipeline came to the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    Made,
    Adopted,
    ReadOnly,
}

impl Origin {
    /// `None` where the resource is none of this pipeline's business.
    pub fn of(mode: BindingMode, standing: &Standing) -> Option<Self> {
        match standing {
            _ if mode == BindingMode::ReadOnly => Some(Self::ReadOnly),
            Standing::Ours(Provenance::Made) => Some(Self::Made),
            Standing::Ours(Provenance::Adopted) => Some(Self::Adopted),
            Standing::Missing | Standing::Released | Standing::Foreign { .. } => None,
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

#[cfg(test)]
mod tests {
    use super::*;

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
