//! What the suites in `tests/tests` share: access to the local cluster, servers of their own to test
//! against, and pipelines of their own to visit.
//!
//! The local cluster is the crate `cluster`; what is checked stands in the suites.

pub mod calls;
pub mod control;
pub mod control_plane;
pub mod crowd;
pub mod declared;
pub mod ended;
pub mod lost_notices;
pub mod lost_zone;
pub mod memory_aws;
pub mod metrics;
pub mod moto;
pub mod network;
pub mod operator_process;
pub mod origin;
pub mod patience;
pub mod permissions;
pub mod places;
pub mod registry;
pub mod release;
pub mod rollout;
pub mod sass;
pub mod scene;
pub mod sns_inbox;
pub mod visitor;
