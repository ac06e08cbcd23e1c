//! The system calls that a compile needs. Any other one ends the process by SIGSYS.
//!
//! They are what the C library and Rust's do for memory, locks, the standard streams, and the way out, also
//! where a stack overflows or memory is used up; and what sets the timer that limits an order's CPU time, behind
//! which the process's own limit stands.

use std::{collections::BTreeMap, env::consts::ARCH, process};

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter_all_threads,
};

use crate::child::confine::ConfineError;

/// Allowed whatever the arguments are.
const FREE: [c_long; 16] = [
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_yield,
    libc::SYS_sigaltstack,
    libc::SYS_timer_settime,
];

/// Refused, and survived: the C library looks for the kernel's way of overcommitting when it gives memory
/// back, and does without.
const REFUSED: c_long = libc::SYS_openat;

/// On every thread of this process.
pub(in crate::child::confine) fn filter_calls() -> Result<(), ConfineError> {
    // Of two filters' actions the stricter one counts.
    let (refusing, ending) = (build_refusing()?, build_ending(process::id())?);
    apply_filter_all_threads(&refusing)?;
    Ok(apply_filter_all_threads(&ending)?)
}

fn build_refusing() -> Result<BpfProgram, BackendError> {
    let refusal = SeccompAction::Errno(libc::EACCES.cast_unsigned());
    let refused = BTreeMap::from([(REFUSED, Vec::new())]);
    SeccompFilter::new(refused, SeccompAction::Allow, refusal, ARCH.try_into()?)?.try_into()
}

fn build_ending(own_id: u32) -> Result<BpfProgram, BackendError> {
    let survived = FREE.into_iter().chain([REFUSED]);
    let mut survived: BTreeMap<_, _> = survived.map(|call| (call, Vec::new())).collect();
    survived.extend(build_conditional(own_id)?);
    let (otherwise, matched) = (SeccompAction::KillProcess, SeccompAction::Allow);
    SeccompFilter::new(survived, otherwise, matched, ARCH.try_into()?)?.try_into()
}

/// Allowed with some arguments; each rule of a call is an alternative.
fn build_conditional(own_id: u32) -> Result<[(c_long, Vec<SeccompRule>); 6], BackendError> {
    let input = || argument(0, SeccompCmpOp::Eq, libc::STDIN_FILENO);
    let output = || argument(0, SeccompCmpOp::Eq, libc::STDOUT_FILENO);
    let errors = || argument(0, SeccompCmpOp::Eq, libc::STDERR_FILENO);
    let no_code = || argument(2, has(libc::PROT_EXEC), 0);
    let no_file = argument(3, has(libc::MAP_ANONYMOUS), libc::MAP_ANONYMOUS);
    let to_itself = argument(0, SeccompCmpOp::Eq, own_id);
    let abort = argument(2, SeccompCmpOp::Eq, libc::SIGABRT);
    // The handler that tells a stack's overflow from other faults, and abort, give their signals back.
    let of_faults =
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGABRT].map(|signal| argument(0, SeccompCmpOp::Eq, signal));
    Ok([
        (libc::SYS_read, vec![rule([input()?])?]),
        (libc::SYS_write, vec![rule([output()?])?, rule([errors()?])?]),
        (libc::SYS_mmap, vec![rule([no_code()?, no_file?])?]),
        (libc::SYS_mprotect, vec![rule([no_code()?])?]),
        (libc::SYS_tgkill, vec![rule([to_itself?, abort?])?]),
        (
            libc::SYS_rt_sigaction,
            of_faults.into_iter().map(|signal| rule([signal?])).collect::<Result<_, _>>()?,
        ),
    ])
}

fn rule(conditions: impl Into<Vec<SeccompCondition>>) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.into())
}

/// The kernel takes these arguments as 32 bits, whatever stands in the others.
fn argument(index: u8, is: SeccompCmpOp, value: impl Into<i64>) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, is, value.into().cast_unsigned())
}

/// Whether these bits of the argument are what the condition's value says.
fn has(bits: i32) -> SeccompCmpOp {
    SeccompCmpOp::MaskedEq(i64::from(bits).cast_unsigned())
}
