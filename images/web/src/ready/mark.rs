//! Telling answers of before a change from those of after it, without a lock.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use pipeline::key::Key;

/// Keys share marks by hash: a change of one then costs the others' answers a remaking.
const MARKS: usize = 1024;

/// Counts changes, of each key and of all.
pub(crate) struct Marks {
    hasher: RandomState,
    all: AtomicU64,
    by_key: Box<[AtomicU64]>,
}

/// How many changes there had been when an answer was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    slot: usize,
    all: u64,
    own: u64,
}

impl Marks {
    /// To be taken before what the answer is made from is read: a change meanwhile then makes it old.
    pub(crate) fn take(&self, key: &Key) -> Mark {
        let slot = self.slot(key);
        Mark { slot, all: self.all.load(Ordering::Acquire), own: self.own(slot) }
    }

    pub(crate) fn is_current(&self, mark: Mark) -> bool {
        mark.all == self.all.load(Ordering::Acquire) && mark.own == self.own(mark.slot)
    }

    /// To be called after the change is there to be read.
    pub(crate) fn change(&self, key: &Key) {
        if let Some(count) = self.by_key.get(self.slot(key)) {
            count.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// As [`Marks::change`], for all keys.
    pub(crate) fn change_all(&self) {
        self.all.fetch_add(1, Ordering::AcqRel);
    }

    fn slot(&self, key: &Key) -> usize {
        usize::try_from(self.hasher.hash_one(key)).unwrap_or_default() % MARKS
    }

    fn own(&self, slot: usize) -> u64 {
        self.by_key.get(slot).map_or(0, |count| count.load(Ordering::Acquire))
    }
}

impl Default for Marks {
    fn default() -> Self {
        let by_key = std::iter::repeat_with(AtomicU64::default).take(MARKS).collect();
        Self { hasher: RandomState::new(), all: AtomicU64::new(0), by_key }
    }
}
