//! A whole answer of HTTP/1.1, head and body, as it is sent again and again to connections.
//!
//! Writing a large body copies it, which is most of what giving it costs; a file's pages are only counted. So
//! the kernel has copies of large bodies that stay in demand: anonymous files in memory, sealed, so that
//! they stay what they were. Up to 64 KiB it is the head and the body together, which leave by one call. All
//! of them together are bounded, those included that nobody keeps any more but a connection that is slow.

#[cfg_attr(not(target_os = "linux"), path = "whole/elsewhere.rs")]
#[cfg_attr(target_os = "linux", path = "whole/linux.rs")]
mod system;

use std::{
    fs::File,
    io::{self, IoSlice},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use system::{sealed_file, send_file, send_first};
use tokio::{
    io::Interest,
    net::TcpStream,
    sync::{Semaphore, SemaphorePermit},
};

/// Below this, to copy costs less than to count a file's pages.
const MIN_COPIED: usize = 16 << 10;
/// Copying a larger body again for each second's head costs more than a second call for each answer.
const MAX_WITH_HEAD: usize = 64 << 10;
/// A head that was given so often will be given again.
const OFTEN: u32 = 16;

/// What all copies of one process may take, in KiB.
const MAX_KIB: usize = 96 << 10;

static KIB: Semaphore = Semaphore::const_new(MAX_KIB);

/// A file in the kernel's memory, and its place there.
#[derive(Debug)]
struct Copied {
    file: File,
    _place: SemaphorePermit<'static>,
}

impl Copied {
    /// `None` where the kernel has no room or no file to spare: what is in it is given all the same.
    fn of(pieces: &[&[u8]]) -> Option<Self> {
        let bytes: usize = pieces.iter().map(|piece| piece.len()).sum();
        let place = KIB.try_acquire_many(u32::try_from(bytes.div_ceil(1 << 10)).ok()?).ok()?;
        Some(Self { file: sealed_file(pieces).ok()?, _place: place })
    }
}

/// The kernel's copy of a body, or the leave to have copies of answers with it.
#[derive(Debug)]
pub(crate) struct KernelCopy {
    bytes: Bytes,
    /// `None` where the head belongs into it.
    copied: Option<Copied>,
}

impl KernelCopy {
    /// `None` for bodies that are better copied each time, and where there is no room.
    pub(crate) fn of(bytes: &Bytes) -> Option<Self> {
        let copied = match bytes.len() {
            ..MIN_COPIED => return None,
            MIN_COPIED..=MAX_WITH_HEAD => None,
            _ => Some(Copied::of(&[bytes])?),
        };
        Some(Self { bytes: bytes.clone(), copied })
    }

    /// Whether it is a copy of these very bytes, and not only of equal ones.
    pub(crate) fn is_of(&self, bytes: &Bytes) -> bool {
        self.bytes.as_ptr() == bytes.as_ptr() && self.bytes.len() == bytes.len()
    }
}

/// The answer. The same bytes whichever way they are sent.
#[derive(Debug)]
pub struct Whole {
    head: Box<[u8]>,
    body: Bytes,
    copy: Option<Arc<KernelCopy>>,
    given: AtomicU32,
    /// Head and body in one file, once they were given often.
    together: OnceLock<Option<Copied>>,
}

impl Whole {
    /// The head ends with its empty line; the copy is one of this body.
    pub(crate) fn new(head: Vec<u8>, body: Bytes, copy: Option<Arc<KernelCopy>>) -> Self {
        Self { head: head.into(), body, copy, given: AtomicU32::new(0), together: OnceLock::new() }
    }

    /// Sends the answer, of which `sent` bytes are sent already, to its end.
    pub(super) fn poll_send(
        &self,
        stream: &TcpStream,
        sent: &mut usize,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while *sent < self.head.len() + self.body.len() {
            match stream.try_io(Interest::WRITABLE, || self.send(stream, *sent)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(more) => *sent += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(stream.poll_write_ready(context))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends as much as the socket takes of what comes after the first `from` bytes.
    fn send(&self, stream: &TcpStream, from: usize) -> io::Result<usize> {
        if let Some(file) = self.together(from) {
            return send_file(stream, file, from, self.head.len() + self.body.len() - from);
        }
        let (head, skipped) = match self.head.get(from..) {
            Some(head) => (head, 0),
            None => (&[] as &[u8], from - self.head.len()),
        };
        let Some(Copied { file, .. }) = self.copy.as_ref().and_then(|copy| copy.copied.as_ref()) else {
            let body = self.body.get(skipped..).unwrap_or_default();
            return stream.try_write_vectored(&[IoSlice::new(head), IoSlice::new(body)]);
        };
        if !head.is_empty() {
            let sent = send_first(stream, head)?;
            if sent < head.len() {
                return Ok(sent);
            }
        }
        match send_file(stream, file, skipped, self.body.len() - skipped) {
            Ok(more) => Ok(head.len() + more),
            // What went wrong is told to the next call, which is of the body alone.
            Err(_) if !head.is_empty() => Ok(head.len()),
            Err(error) => Err(error),
        }
    }

    /// Counts how often the answer is begun.
    fn together(&self, from: usize) -> Option<&File> {
        if self.copy.is_none() || self.body.len() > MAX_WITH_HEAD {
            return None;
        }
        let given = if from == 0 { self.given.fetch_add(1, Relaxed) } else { self.given.load(Relaxed) };
        if given < OFTEN {
            return None;
        }
        let copied = self.together.get_or_init(|| Copied::of(&[&self.head, &self.body]));
        copied.as_ref().map(|copied| &copied.file)
    }
}

#[cfg(test)]
mod tests;
