//! What Linux holds a child by.

mod descriptors;
mod landlock;
mod seccomp;

pub(super) use self::{
    descriptors::close_inherited, landlock::forbid_files_and_network, seccomp::filter_calls,
};
