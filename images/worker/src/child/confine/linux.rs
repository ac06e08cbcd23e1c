//! What Linux holds a child by.

mod cpu_timer;
mod descriptors;
mod landlock;
mod seccomp;

pub use self::cpu_timer::CpuTimer;
pub(super) use self::{
    descriptors::close_inherited, landlock::forbid_files_and_network, seccomp::filter_calls,
};
