//! Descriptors that somebody left open for this process.
//!
//! Ours are all closed on exec; those of whoever started our parent may not be.

use std::{fs, io};

/// Where the kernel lists this process's descriptors.
const LISTED_IN: &str = "/proc/self/fd";

const LAST_STANDARD_STREAM: i32 = 2;

/// Closes all but the standard streams.
pub(in crate::child::confine) fn close_inherited() -> io::Result<()> {
    let listed = fs::read_dir(LISTED_IN)?.map(|entry| Ok(entry?.file_name().to_str().and_then(parse)));
    let open: Vec<i32> = listed.filter_map(io::Result::transpose).collect::<io::Result<_>>()?;
    for descriptor in open {
        // The one that the list was read by is among them, and is closed already.
        match nix::unistd::close(descriptor) {
            Ok(()) | Err(nix::Error::EBADF) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn parse(name: &str) -> Option<i32> {
    name.parse().ok().filter(|descriptor| *descriptor > LAST_STANDARD_STREAM)
}
