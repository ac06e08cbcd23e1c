//! What the suites in `tests/tests` share: servers of their own to test against.
//!
//! The local cluster is the crate `cluster`; what is checked stands in the suites.

pub mod moto;
pub mod sns_inbox;
