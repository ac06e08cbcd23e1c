//! The data plane's shared words: keys, jobs, manifests, notices, and the ports behind which
//! queues, stores and notifications live.
//!
//! Knows nothing of Kubernetes, and no AWS type leaves [`aws`]. The same code therefore runs as pods
//! on EKS and as one process on a laptop.

pub mod address;
pub mod aws;
pub mod conformance;
pub mod direct;
pub mod embedded;
pub mod env;
mod error;
pub mod job;
pub mod key;
pub mod manifest;
pub mod names;
pub mod notice;
pub mod operation;
pub mod options;
pub mod peers;
pub mod place;
pub mod ports;
pub mod purge;
pub mod rate;
pub mod reach;
pub mod record;
pub mod registry;
pub mod settings;
pub mod shutdown;
pub mod signature;
pub mod telemetry;
pub mod tenant;
pub mod trace;
pub mod why;

pub use error::{Error, ErrorKind, chain};
