//! Where the programs reach AWS, and as whom: a visitor at the web tier's program and the worker's, as processes at
//! emulators of AWS, with the settings that their pods have and with the identities that EKS gives to pods.

#![expect(clippy::indexing_slicing, reason = "a test reports by panicking")]

mod endpoints;
mod identity;
mod site;
mod wire;
