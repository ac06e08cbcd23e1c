//! A body's copy in the kernel: what `sendfile` sends without copying it for each connection.
//!
//! Writing a large body copies it, which is most of what giving it costs; a file's pages are only counted.
//! The copy is an anonymous file in memory, sealed, so that it stays what it was. A connection is told which
//! body it is to give, and recognises it by its address among what HTTP writes: whatever else is written
//! goes the ordinary way, in the ordinary order.

#[cfg_attr(not(target_os = "linux"), path = "kernel_copy/elsewhere.rs")]
#[cfg_attr(target_os = "linux", path = "kernel_copy/linux.rs")]
mod system;
mod whole;

use std::{
    fs::File,
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::Bytes;
use system::{sealed_file, send_file, send_first};
use tokio::{io::Interest, net::TcpStream};
use whole::Wholes;

/// Below this, two calls of the kernel cost more than the copying that they save.
const MIN_BYTES: usize = 16 << 10;

/// The bytes, the file that holds the same, and whole answers of them.
#[derive(Debug)]
pub struct KernelCopy {
    bytes: Bytes,
    file: File,
    wholes: Wholes,
}

/// A body that the kernel may have a copy of.
pub trait Sendable {
    /// The copy; only where it holds what the body gives as one piece, and all of it.
    fn kernel_copy(&self) -> Option<Arc<KernelCopy>>;
}

impl Sendable for Body {
    fn kernel_copy(&self) -> Option<Arc<KernelCopy>> {
        None
    }
}

/// What is to be written, where its end is part of a body that the kernel has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'w> {
    /// Goes before it.
    head: &'w [u8],
    /// Where in the body.
    offset: usize,
    length: usize,
}

impl KernelCopy {
    /// `None` for bodies that are better copied, and where the kernel has no room or no file to spare: they
    /// are given all the same.
    pub(crate) fn of(bytes: &Bytes) -> Option<Self> {
        if bytes.len() < MIN_BYTES {
            return None;
        }
        Self::with_content(bytes, bytes).ok()
    }

    fn with_content(bytes: &Bytes, content: &[u8]) -> io::Result<Self> {
        Ok(Self { bytes: bytes.clone(), file: sealed_file(&[content])?, wholes: Wholes::default() })
    }

    /// Whether it is a copy of these very bytes, and not only of equal ones.
    pub(crate) fn is_of(&self, bytes: &Bytes) -> bool {
        self.bytes.as_ptr() == bytes.as_ptr() && self.bytes.len() == bytes.len()
    }

    /// The part of the body that the slices begin with, or have after their first one.
    pub(super) fn part<'w>(&self, slices: &'w [IoSlice<'_>]) -> Option<Part<'w>> {
        let (first, second) = (slices.first()?, slices.get(1));
        if let Some(offset) = self.offset_of(first) {
            return Some(Part { head: &[], offset, length: first.len() });
        }
        let offset = self.offset_of(second?)?;
        Some(Part { head: first, offset, length: second?.len() })
    }

    /// Whether nothing of the body comes after this part.
    pub(super) fn ends_with(&self, part: &Part<'_>, written: usize) -> bool {
        part.offset + written.saturating_sub(part.head.len()) == self.bytes.len()
    }

    /// Sends the part, or as much of it as the socket takes.
    pub(super) fn poll_send(
        &self,
        stream: &TcpStream,
        part: &Part<'_>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(stream.poll_write_ready(context))?;
            match stream.try_io(Interest::WRITABLE, || self.send(stream, part)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    fn send(&self, stream: &TcpStream, part: &Part<'_>) -> io::Result<usize> {
        let Part { head, offset, length } = *part;
        if length == self.bytes.len()
            && let Some(whole) = self.wholes.of(head, &self.bytes)
        {
            return send_file(stream, whole.file(), 0, head.len() + length);
        }
        let mut sent = 0;
        if !head.is_empty() {
            sent = send_first(stream, head)?;
            if sent < head.len() {
                return Ok(sent);
            }
        }
        match send_file(stream, &self.file, offset, length) {
            Ok(more) => Ok(sent + more),
            // What went wrong is told to the next write, which is of the body alone.
            Err(_) if sent > 0 => Ok(sent),
            Err(error) => Err(error),
        }
    }

    fn offset_of(&self, slice: &[u8]) -> Option<usize> {
        let offset = slice.as_ptr().addr().checked_sub(self.bytes.as_ptr().addr())?;
        (!slice.is_empty() && offset + slice.len() <= self.bytes.len()).then_some(offset)
    }
}

#[cfg(test)]
mod tests;
