//! On a developer's machine that is no Linux: nothing beyond limits.

use std::io;

use super::{ConfineError, Confinement};

#[expect(clippy::unnecessary_wraps, reason = "on Linux this may fail")]
pub(super) fn close_inherited() -> io::Result<()> {
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "on Linux this may fail")]
pub(super) fn forbid_files_and_network() -> Result<Confinement, ConfineError> {
    Ok(Confinement::LimitsOnly)
}

#[expect(clippy::unnecessary_wraps, reason = "on Linux this may fail")]
pub(super) fn filter_calls() -> Result<(), ConfineError> {
    Ok(())
}
