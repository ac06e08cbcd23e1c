//! What of the project's commands the tests ask for, too: which AWS the local cluster works on.

pub mod aws;
