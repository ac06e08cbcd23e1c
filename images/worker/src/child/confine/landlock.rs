//! No files, no network, no signals to others: a set of rules that allows nothing.

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus, Scope,
};

use crate::child::confine::{ConfineError, Confinement};

/// The newest set of rights that is asked for. What a kernel does not know of it is left out.
const NEWEST: ABI = ABI::V6;

pub(in crate::child::confine) fn forbid_files_and_network() -> Result<Confinement, ConfineError> {
    let forbidden = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?;
    Ok(match forbidden.create()?.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Confinement::Full,
        RulesetStatus::PartiallyEnforced => Confinement::OldLandlock,
        RulesetStatus::NotEnforced => Confinement::NoLandlock,
    })
}
