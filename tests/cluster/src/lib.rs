//! A real three-zone Kubernetes cluster and an AWS emulator on one Linux machine, without a
//! container engine or a registry.
//!
//! Owns: the cache folder, the pinned binaries in it, every process, mount, link, rule, sysctl and
//! cgroup of the local cluster, and the proof that all of them are gone afterwards. `xtask` drives
//! it; the suites in `tests` use [`Cluster`] to find the cluster and to break it on purpose.
//!
//! Deliberately not here: the images and the chart of this project, which `xtask` builds and
//! installs on top.

pub mod binaries;
pub mod cache;
pub mod cgroup;
pub mod command;
pub mod control_plane;
pub mod dns;
pub mod firewall;
pub mod http;
pub mod images;
pub mod layout;
pub mod lifecycle;
pub mod metrics_server;
pub mod moto;
pub mod network;
pub mod node;
pub mod packages;
pub mod pki;
pub mod process;
pub mod progress;
pub mod sandbox;
pub mod signer;
pub mod snapshot;
pub mod target;

pub use cache::Cache;
pub use layout::Node;
pub use lifecycle::{Aws, Cluster, Options};
pub use target::{KubeContext, Target};
