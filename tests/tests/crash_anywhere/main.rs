//! A crash anywhere: after every write of a pipeline's life the operator is killed and started again, every reply is
//! lost once, every read is a version late. The end is always that of a life without trouble, nothing is made
//! twice, and what is somebody else's is never named by a write.
//!
//! What a spec says is tried in the same world: `every_field` holds each field to a difference that it makes, and
//! `any_change` each change to the end that a fresh start has.
//!
//! In memory every point is tried; `real` tries a sample of them on the cluster's API server and the emulator.

#![expect(clippy::indexing_slicing, reason = "a test reports by panicking")]

mod any_change;
mod apiserver;
mod conformance;
mod endpoint;
mod every_field;
mod every_point;
mod examples;
mod hands;
mod life;
mod links;
mod process;
mod real;
mod scenario;
mod schema;
mod told;
mod wire;
mod world;

use tests::memory_aws as aws;
