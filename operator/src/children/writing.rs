//! Our own writes that are under way: the watch may be faster than the answer, and what it tells of them is no news.

use super::{Board, Child};

/// A write of an object, from before it is sent until it is answered or given up.
#[derive(Debug)]
#[must_use]
pub struct Writing<'a> {
    board: &'a Board,
    key: Box<str>,
}

impl<'a> Writing<'a> {
    pub(super) fn begin(board: &'a Board, key: Box<str>) -> Self {
        board.begin(&key);
        Self { board, key }
    }

    /// Keeps the answer. Whether somebody else wrote, too, meanwhile, so that the pipeline is to be looked at again.
    pub fn note_written<K: Child>(self, written: &K) -> bool {
        let heard = self.board.end(&self.key);
        let ours = self.board.note_written(written);
        heard.is_some_and(|heard| heard != ours)
    }
}

/// Whoever gives a write up looks at the pipeline again anyway.
impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let _ = self.board.end(&self.key);
    }
}
