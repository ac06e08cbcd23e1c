//! The contract of the ports as checks that every implementation runs, the AWS ones against an emulator.
//!
//! Each check panics with what was broken. They use only names of their own, so they can run against
//! a store or queue that is shared, as long as nobody else uses the queue meanwhile.

#![expect(clippy::missing_panics_doc, clippy::panic, reason = "a conformance check reports by panicking")]

pub mod noted;
mod notifier;
mod origin;
mod queue;
mod store;
mod subscriptions;
mod tenants;

pub use notifier::notifier;
pub use origin::{ORIGIN_FILES, origin};
pub use queue::queue;
pub use store::{store, store_races};
pub use subscriptions::subscriptions;
pub use tenants::tenants;
