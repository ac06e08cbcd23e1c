//! The ports: what the data plane needs from the outside, as traits whose docs are the contract.
//!
//! Every implementation passes [`crate::conformance`]. Retries and timeouts belong to the
//! implementation's client; callers see an [`Error`](crate::Error) only when those are used up.

mod notifier;
mod origin;
mod queue;
mod store;
mod subscriptions;
mod tenants;

pub use notifier::Notifier;
pub use origin::{Fetched, Origin, OriginError, OriginHeader, SourceFile, Validators};
pub use queue::{Delivery, Depth, MAX_BATCH, NotDone, Queue, Receipt};
pub use store::{Condition, DeleteOutcome, ETag, Object, PutOutcome, Store};
pub use subscriptions::Subscriptions;
pub use tenants::Tenants;
