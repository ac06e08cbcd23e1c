//! Ready answers: hits as they were built, given again before anything is parsed, looked up or formatted.
//!
//! An answer is kept under the raw text that its visit was parsed from, so two requests share one only if
//! they are the same visit. It is kept for a second at most: until its age would change, its file would be
//! stale, or the key was marked as changed. After that the ordinary way makes it anew, which is also what
//! finds changed tenants. Over HTTP/1.1 it is found and given before the HTTP engine. Requests with
//! conditions, and answers that are no fresh files from memory, always go the ordinary way.

mod body;
mod kept;
mod mark;
mod service;

use std::{
    collections::HashMap,
    hash::BuildHasher,
    ops::Range,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

pub use body::AnswerBody;
use bytes::Bytes;
use foldhash::quality::RandomState;
use http::{
    Method, Request,
    header::{ACCEPT_ENCODING, IF_MODIFIED_SINCE, IF_NONE_MATCH},
};
use kept::Ready;
pub(crate) use kept::Repeatable;
pub(crate) use mark::{Mark, Marks};
pub use service::{PublicService, public_service};
use tokio::time::Instant;

use crate::{
    serve::KernelCopy,
    visit::{authority, text},
};

/// Locks; visitors of different files rarely share one.
const SHARDS: usize = 16;
/// Answers under one lock.
const SHARD_ENTRIES: usize = 256;
/// Bytes of bodies under one lock: 64 MiB in all, most of them shared with the memory of bodies.
const SHARD_BYTES: usize = 4 << 20;
/// Bodies under one lock that the kernel may have copies of: 512 in all, as far as it has room.
const SHARD_COPIES: usize = 32;

/// The parts of a request that decide its answer, as they stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Asked<'r> {
    authority: &'r str,
    path: &'r str,
    accept_encoding: Option<&'r str>,
}

/// As [`Asked`], owned: in one piece, since each visitor who waits has one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Authority, path and `Accept-Encoding`, one after the other.
    text: Box<str>,
    path_at: usize,
    /// `None` where there is no `Accept-Encoding`.
    accept_encoding_at: Option<usize>,
}

#[derive(Default)]
struct Shard {
    /// By the hash of the place. Places that share one take turns; which is seldom, and only slow.
    by_hash: HashMap<u64, Arc<Ready>, RandomState>,
    bytes: usize,
}

/// All kept answers of one process.
#[derive(Default)]
pub(crate) struct ReadyAnswers {
    hasher: RandomState,
    shards: [RwLock<Shard>; SHARDS],
}

impl<'r> Asked<'r> {
    /// `None` where the answer depends on more than these parts.
    pub(crate) fn of<B>(request: &'r Request<B>) -> Option<Self> {
        let headers = request.headers();
        let is_plain = matches!(*request.method(), Method::GET | Method::HEAD)
            && !headers.contains_key(IF_NONE_MATCH)
            && !headers.contains_key(IF_MODIFIED_SINCE);
        if !is_plain {
            return None;
        }
        Some(Self {
            authority: authority(request.uri(), headers)?,
            path: request.uri().path(),
            accept_encoding: text(headers, ACCEPT_ENCODING),
        })
    }

    fn is(&self, place: &Place) -> bool {
        place.asked() == *self
    }
}

impl From<Asked<'_>> for Place {
    fn from(asked: Asked<'_>) -> Self {
        let Asked { authority, path, accept_encoding } = asked;
        let text = [authority, path, accept_encoding.unwrap_or_default()].concat().into();
        let path_end = authority.len() + path.len();
        Self { text, path_at: authority.len(), accept_encoding_at: accept_encoding.map(|_| path_end) }
    }
}

impl Place {
    fn asked(&self) -> Asked<'_> {
        let part = |range: Range<usize>| self.text.get(range).unwrap_or_default();
        let end = self.text.len();
        Asked {
            authority: part(0..self.path_at),
            path: part(self.path_at..self.accept_encoding_at.unwrap_or(end)),
            accept_encoding: self.accept_encoding_at.map(|at| part(at..end)),
        }
    }
}

impl ReadyAnswers {
    /// The answer that is still good at `now`.
    fn find(&self, asked: &Asked<'_>, marks: &Marks, now: Instant) -> Option<Arc<Ready>> {
        let hash = self.hasher.hash_one(asked);
        let ready = read(self.shard(hash)?).by_hash.get(&hash).cloned()?;
        let is_good =
            asked.is(&ready.place) && now < ready.repeatable.until && marks.is_current(ready.repeatable.mark);
        is_good.then_some(ready)
    }

    /// Keeps an answer where there is room: what has had its time makes room, what has not stays.
    fn keep(&self, mut ready: Ready, now: Instant) {
        let hash = self.hasher.hash_one(ready.place.asked());
        let bytes = ready.repeatable.body.len();
        let Some(shard) = self.shard(hash) else { return };
        ready.kernel_copy = read(shard).kernel_copy(hash, &ready.repeatable.body);
        let mut shard = write(shard);
        shard.remove(hash);
        if !shard.has_room(bytes) {
            shard.sweep(now);
        }
        if shard.has_room(bytes) {
            shard.bytes += bytes;
            shard.by_hash.insert(hash, Arc::new(ready));
        }
    }

    fn shard(&self, hash: u64) -> Option<&RwLock<Shard>> {
        // The map below uses the low bits and the top seven; these are neither.
        self.shards.get(usize::try_from(hash >> 40).unwrap_or_default() % SHARDS)
    }
}

impl Shard {
    /// The kernel's copy of a body that is kept again: one that is asked for but once needs none.
    fn kernel_copy(&self, hash: u64, body: &Bytes) -> Option<Arc<KernelCopy>> {
        let earlier = self.by_hash.get(&hash)?;
        if let Some(copy) = earlier.kernel_copy.as_ref().filter(|copy| copy.is_of(body)) {
            return Some(copy.clone());
        }
        let copies = self.by_hash.values().filter(|ready| ready.kernel_copy.is_some()).count();
        let has_room = copies < SHARD_COPIES || earlier.kernel_copy.is_some();
        (has_room && earlier.repeatable.body == *body).then(|| KernelCopy::of(body)).flatten().map(Arc::new)
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.by_hash.len() < SHARD_ENTRIES && self.bytes + bytes <= SHARD_BYTES
    }

    fn remove(&mut self, hash: u64) {
        if let Some(ready) = self.by_hash.remove(&hash) {
            self.bytes -= ready.repeatable.body.len();
        }
    }

    fn sweep(&mut self, now: Instant) {
        self.by_hash.retain(|_, ready| now < ready.repeatable.until);
        self.bytes = self.by_hash.values().map(|ready| ready.repeatable.body.len()).sum();
    }
}

// No code panics while it holds a lock half-way through a change.

fn read(shard: &RwLock<Shard>) -> RwLockReadGuard<'_, Shard> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &RwLock<Shard>) -> RwLockWriteGuard<'_, Shard> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
