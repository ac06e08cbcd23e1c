//! What a Lease says to one that would have it. Pure.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use tokio::time::Instant;

/// What to do about the Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// There is none.
    Create,
    /// Nobody else has it, or who has did not renew it in time.
    Take,
    Wait,
}

/// A Lease, and since when it has been seen as it is.
#[derive(Debug, Clone)]
pub(super) struct Sight {
    lease: Lease,
    since: Instant,
}

impl Sight {
    /// Any change counts as a renewal: who has the Lease is alive, or somebody else saw to it.
    pub(super) fn after(earlier: Option<Self>, lease: Lease, now: Instant) -> Self {
        let version = |lease: &Lease| lease.metadata.resource_version.clone();
        let since = match earlier {
            Some(earlier) if version(&earlier.lease) == version(&lease) => earlier.since,
            Some(_) | None => now,
        };
        Self { lease, since }
    }

    /// An answer that was lost leaves a Lease that is `identity`'s without its knowledge.
    pub(super) fn judge(&self, identity: &str, now: Instant) -> Claim {
        let seconds = self.spec().and_then(|spec| spec.lease_duration_seconds).unwrap_or(0);
        let duration = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let is_others = self.holder().is_some_and(|holder| holder != identity);
        if is_others && now.duration_since(self.since) < duration { Claim::Wait } else { Claim::Take }
    }

    pub(super) fn is_held_by(&self, identity: &str) -> bool {
        self.holder() == Some(identity)
    }

    pub(super) fn acquire_time(&self) -> Option<MicroTime> {
        self.spec()?.acquire_time.clone()
    }

    /// How often the Lease has changed hands once `holder` has it.
    pub(super) fn transitions_to(&self, holder: Option<&str>) -> i32 {
        let so_far = self.spec().and_then(|spec| spec.lease_transitions).unwrap_or(0);
        let changes = holder.is_some_and(|holder| !self.is_held_by(holder));
        so_far.saturating_add(i32::from(changes))
    }

    /// The same version with another spec, so that it replaces nothing else.
    pub(super) fn with(&self, spec: LeaseSpec) -> Lease {
        Lease { metadata: self.lease.metadata.clone(), spec: Some(spec) }
    }

    /// Who resigns leaves no name, or an empty one.
    fn holder(&self) -> Option<&str> {
        self.spec()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
    }

    fn spec(&self) -> Option<&LeaseSpec> {
        self.lease.spec.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lease(version: u32, spec: &serde_json::Value) -> Lease {
        let metadata = json!({"name": "operator", "resourceVersion": version.to_string()});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
    }

    fn held(version: u32) -> Lease {
        lease(version, &json!({"holderIdentity": "a", "leaseDurationSeconds": 15, "leaseTransitions": 3}))
    }

    #[test]
    fn lease_is_taken_when_it_has_not_changed_for_its_own_duration() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let first = Sight::after(None, held(1), start);
        assert_eq!(first.judge("b", at(14)), Claim::Wait);
        let same = Sight::after(Some(first.clone()), held(1), at(10));
        assert_eq!(same.judge("b", at(15)), Claim::Take);
        let renewed = Sight::after(Some(first), held(2), at(10));
        assert_eq!(renewed.judge("b", at(15)), Claim::Wait);
        assert_eq!(renewed.judge("b", at(25)), Claim::Take);
    }

    #[test]
    fn lease_that_nobody_has_is_taken_at_once() {
        let start = Instant::now();
        for spec in [json!({}), json!({"holderIdentity": "", "leaseDurationSeconds": 15})] {
            assert_eq!(Sight::after(None, lease(1, &spec), start).judge("b", start), Claim::Take, "{spec}");
        }
    }

    #[test]
    fn lease_that_bears_our_name_is_ours_whatever_answer_was_lost() {
        let start = Instant::now();
        let sight = Sight::after(None, held(1), start);
        assert_eq!([sight.judge("a", start), sight.judge("b", start)], [Claim::Take, Claim::Wait]);
    }

    #[test]
    fn only_another_holder_counts_as_a_transition() {
        let sight = Sight::after(None, held(1), Instant::now());
        assert_eq!(sight.transitions_to(Some("a")), 3);
        assert_eq!(sight.transitions_to(Some("b")), 4);
        assert_eq!(sight.transitions_to(None), 3);
    }

    #[test]
    fn only_the_version_that_was_seen_is_replaced() {
        let sight = Sight::after(None, held(7), Instant::now());
        let written = sight.with(LeaseSpec::default());
        assert_eq!(written.metadata.resource_version.as_deref(), Some("7"));
    }
}
