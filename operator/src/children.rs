//! The children of all pipelines, as the watches and our own writes tell of them.
//!
//! One watch for each kind, of what bears our label, feeds the Controller's triggers and the rounds' observation.
//! Of each object only what a round reads is kept, as JSON: typed, a Deployment is mostly room for fields that are
//! not set. What is found here may be old. So an object that is not found is made in a way that changes nothing that
//! stands there all the same (those of others bear no label of ours), each write says which object it is for (by UID),
//! and what must be fresh is read from the API server: see `pipeline::apply` and `pipeline::finalize`.
//!
//! `Secret`s and `ConfigMap`s are no part of it: to watch those of all namespaces the operator would have to be
//! allowed to read everybody's.

mod board;
mod kinds;
mod watch;
mod writing;

use board::build_key;
pub use board::{Board, Found};
pub use kinds::{Child, WorkerSight, prune_metadata};
pub use watch::watch_children;
pub use writing::Writing;

/// What is known of each kind.
#[derive(Debug, Default)]
pub struct ChildCache {
    deployments: Board,
    services: Board,
    service_accounts: Board,
    disruption_budgets: Board,
    ingresses: Board,
    network_policies: Board,
}

impl ChildCache {
    /// The child of that name. Kinds that are not watched are never found.
    pub fn find<K: Child>(&self, namespace: &str, name: &str) -> Found<K> {
        K::board(self).map_or(Found::Unlisted, |board| board.find(namespace, name))
    }

    /// Begins a write of the object of that name. Kinds that are not watched have no news that it could be taken for.
    pub fn begin<K: Child>(&self, namespace: &str, name: &str) -> Option<Writing<'_>> {
        K::board(self).map(|board| Writing::begin(board, build_key(namespace, name)))
    }

    /// Keeps what the API server answered to a write of ours, until the watch has come so far.
    pub fn note_written<K: Child>(&self, written: &K) {
        if let Some(board) = K::board(self) {
            let _ = board.note_written(written);
        }
    }

    /// The API server has let the object of that name go, because we asked it to.
    pub fn note_deleted<K: Child>(&self, namespace: &str, name: &str) {
        if let Some(board) = K::board(self) {
            board.note_deleted(namespace, name);
        }
    }

    /// What the scaler reads of a Deployment.
    pub fn worker(&self, namespace: &str, name: &str) -> Option<WorkerSight> {
        self.deployments.read(namespace, name)
    }

    /// Whether every kind was listed, or is refused.
    fn is_answered(&self) -> bool {
        let Self { deployments, services, service_accounts, disruption_budgets, ingresses, network_policies } =
            self;
        [deployments, services, service_accounts, disruption_budgets, ingresses, network_policies]
            .into_iter()
            .all(Board::is_answered)
    }
}
