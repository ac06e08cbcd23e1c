//! What of the project's commands the tests ask for, too: builds of what ships, and the operator and the example on a
//! cluster.

pub mod aws;
pub mod cargo;
pub mod earlier;
pub mod example;
pub mod foreign;
pub mod images;
pub mod loopback;
pub mod namespace;
pub mod npm;
pub mod operator;
pub mod profile;
pub mod registry;
