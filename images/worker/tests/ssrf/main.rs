//! No spelling of a blocked target, no redirect and no answer of DNS has a packet sent to it.
//!
//! The tests run in network namespaces of their own in which every address answers: whoever asks a blocked
//! one gets a file. nftables counts the packets towards blocked networks, in the kernel and whatever the
//! client thinks that it has done.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

mod counters;
mod dns;
mod namespace;
mod public;
mod rebinding;
mod site;
mod spellings;
mod targets;

use std::time::Duration;

use worker::origin::{Guard, HttpOrigin};

/// Everything here answers at once; what does not is worth a failure.
const TIMEOUT: Duration = Duration::from_secs(5);

fn guard(networks: &[&str]) -> Guard {
    Guard { private_networks: networks.iter().map(|network| network.parse().unwrap()).collect() }
}

fn origin(networks: &[&str]) -> HttpOrigin {
    HttpOrigin::new(guard(networks), TIMEOUT).unwrap()
}
