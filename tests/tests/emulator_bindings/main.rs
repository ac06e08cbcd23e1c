//! The tables of modes and of endings, every cell, on an emulator over the real wire: what is written, what is
//! left as it was, and what becomes of it when the pipeline goes. And what IAM has to allow for that.

#![expect(clippy::indexing_slicing, clippy::panic, reason = "a test reports by panicking")]

mod endings;
mod left_behind;
mod modes;
mod permissions;
mod policies;
mod product;
mod settings;
mod stage;
mod tags;
mod throttled;
