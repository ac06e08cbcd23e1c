//! Amazon SNS at `/work_complete`, over real HTTP on loopback: a sender of the test's own signs messages with
//! real RSA keys, and a server of the test's own gives the certificates and counts what is asked of it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod authority;
mod deliveries;
mod forged;
mod forgeries;
mod message;
mod reached;
mod site;
mod urls;
