//! What a job has of its origin before it compiles: goes along with the order, so that the child asks for
//! none of it. Each question costs as much time as two changes of the running process.

use std::str;

use super::Sources;
use crate::child::protocol::Known;

/// All texts and paths together; what is beyond them is asked for. Half of what a message may have.
const MAX_KNOWN_BYTES: usize = 32 << 20;

impl Sources {
    /// Sources that are no text are left out: whoever asks for one is told what is wrong with it.
    pub(crate) fn known(&self) -> Known {
        // In an order that is always the same, should there not be room for all.
        let mut asked: Vec<&String> = self.asked.iter().collect();
        asked.sort_unstable();
        let absent = asked.iter().copied().filter(|path| self.found_at(path).is_none());
        let mut room = MAX_KNOWN_BYTES;
        let mut has_room = |text: &str| {
            let rest = room.checked_sub(text.len());
            room = rest.unwrap_or(room);
            rest.is_some()
        };
        let mut known = Known { settled: self.settled.clone(), ..Known::default() };
        known.absent.extend(self.assumed_absent.keys().chain(absent).filter(|path| has_room(path)).cloned());
        for path in asked {
            let text = self.found_at(path).and_then(|source| str::from_utf8(&source.body).ok());
            if let Some(text) = text.filter(|text| has_room(text)) {
                known.sources.insert(path.clone(), text.to_owned());
            }
        }
        known
    }

    /// Takes what the compiler read of what it knew into the closure.
    pub(crate) fn note_used(&mut self, paths: impl IntoIterator<Item = String>) {
        let known = paths.into_iter().filter(|path| self.source(path).is_some());
        let known: Vec<_> = known.collect();
        self.used.extend(known);
    }
}
