//! What a job has of its origin before it compiles: goes along with the order, so that the child asks for
//! none of it. Each question costs as much time as two changes of the running process.

use std::{collections::BTreeMap, str};

use super::Sources;
use crate::child::protocol::Known;

/// All texts together; what is beyond them is asked for.
const MAX_KNOWN_BYTES: usize = 8 << 20;

impl Sources {
    /// Sources that are no text are left out: whoever asks for one is told what is wrong with it.
    pub(crate) fn known(&self) -> Known {
        let taken = self.assumed_absent.keys().chain(&self.undecisive);
        let mut known = Known { sources: BTreeMap::new(), absent: taken.cloned().collect() };
        let mut bytes = 0;
        for path in self.asked.keys() {
            let Some(source) = self.source(path) else {
                known.absent.push(path.clone());
                continue;
            };
            bytes += source.body.len();
            match str::from_utf8(&source.body) {
                Ok(text) if bytes <= MAX_KNOWN_BYTES => {
                    known.sources.insert(path.clone(), text.to_owned());
                }
                Ok(_) | Err(_) => {}
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
