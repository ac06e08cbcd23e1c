//! Who belongs to the fleet now, as this pod sees it.

use std::{
    collections::BTreeSet,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

/// A web pod, by the address of its internal listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Member(pub SocketAddr);

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The members, and those of them that are left out because they failed.
pub(crate) struct Members {
    us: Member,
    state: Mutex<State>,
}

struct State {
    others: BTreeSet<Member>,
    left_out: BTreeSet<Member>,
    is_leaving: bool,
    /// What follows from the rest: all who may own a key.
    candidates: Arc<[Member]>,
}

impl Members {
    pub(crate) fn new(us: Member) -> Self {
        let state = State {
            others: BTreeSet::new(),
            left_out: BTreeSet::new(),
            is_leaving: false,
            candidates: Arc::from([us]),
        };
        Self { us, state: Mutex::new(state) }
    }

    /// All who may own a key, this pod included unless it is leaving.
    pub(crate) fn candidates(&self) -> Arc<[Member]> {
        self.lock().candidates.clone()
    }

    pub(crate) fn size(&self) -> usize {
        self.lock().candidates.len()
    }

    pub(crate) fn left_out(&self) -> Vec<Member> {
        self.lock().left_out.iter().copied().collect()
    }

    /// Replaces the members. Who is left out stays so; who is gone is forgotten.
    pub(crate) fn set(&self, members: &[Member]) {
        self.change(|state, us| {
            state.others = members.iter().copied().filter(|member| *member != us).collect();
            let State { others, left_out, is_leaving: _, candidates: _ } = state;
            left_out.retain(|member| others.contains(member));
        });
    }

    pub(crate) fn leave(&self) {
        self.change(|state, _| state.is_leaving = true);
    }

    pub(crate) fn leave_out(&self, member: Member) {
        self.change(|state, _| {
            if state.others.contains(&member) && state.left_out.insert(member) {
                tracing::warn!(%member, "leaving a web pod out until it takes waits again");
            }
        });
    }

    pub(crate) fn readmit(&self, member: Member) {
        self.change(|state, _| {
            if state.left_out.remove(&member) {
                tracing::info!(%member, "a web pod takes waits again");
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut State, Member)) {
        let mut state = self.lock();
        change(&mut state, self.us);
        let own = (!state.is_leaving).then_some(self.us);
        let others = state.others.difference(&state.left_out).copied();
        state.candidates = own.into_iter().chain(others).collect();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(last: u8) -> Member {
        Member(([10, 0, 0, last], 8081).into())
    }

    #[test]
    fn this_pod_counts_always_and_failed_ones_only_after_they_are_back() {
        let members = Members::new(member(1));
        assert_eq!(*members.candidates(), [member(1)]);
        members.set(&[member(1), member(2), member(3)]);
        members.leave_out(member(2));
        assert_eq!(*members.candidates(), [member(1), member(3)]);
        members.set(&[member(2), member(3)]);
        assert_eq!(*members.candidates(), [member(1), member(3)], "a look-up brought a failed member back");
        assert_eq!(members.left_out(), [member(2)]);
        members.readmit(member(2));
        assert_eq!(*members.candidates(), [member(1), member(2), member(3)]);
    }

    #[test]
    fn who_is_gone_is_forgotten_and_who_leaves_owns_nothing() {
        let members = Members::new(member(1));
        members.set(&[member(2), member(3)]);
        members.leave_out(member(2));
        members.leave_out(member(9));
        members.set(&[member(3)]);
        assert_eq!(members.left_out(), []);
        members.leave();
        assert_eq!((&*members.candidates(), members.size()), (&[member(3)][..], 1));
    }
}
