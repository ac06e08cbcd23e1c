//! A whole answer in the kernel, its head included, for as long as answers have that very head.
//!
//! Heads change with each second's `Date`. One that is given often in its second is worth a copy of its own:
//! the answer is then sent by one call in place of two.

use std::{
    fs::File,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use super::system::sealed_file;

/// Copying a larger body again for each second's head costs more than a call for each answer.
const MAX_BYTES: usize = 64 << 10;
/// A head that was given so often in a row will be given again.
const OFTEN: u32 = 16;

/// The whole answers of one body.
#[derive(Debug, Default)]
pub(super) struct Wholes {
    current: RwLock<Option<Arc<Whole>>>,
    next: Mutex<Candidate>,
}

/// Head and body, one after the other.
#[derive(Debug)]
pub(super) struct Whole {
    head: Box<[u8]>,
    file: File,
}

/// A head that may be worth a copy.
#[derive(Debug, Default)]
struct Candidate {
    head: Box<[u8]>,
    given: u32,
}

impl Whole {
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl Wholes {
    /// The answer with this head, where there is a copy of it. Counts how often the head is given.
    pub(super) fn of(&self, head: &[u8], body: &[u8]) -> Option<Arc<Whole>> {
        if head.is_empty() || body.len() > MAX_BYTES {
            return None;
        }
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(whole) = current.as_ref().filter(|whole| *whole.head == *head) {
            return Some(whole.clone());
        }
        drop(current);
        // Somebody else counts at this moment; one more or less is no matter.
        let mut next = self.next.try_lock().ok()?;
        if *next.head != *head {
            *next = Candidate { head: head.into(), given: 0 };
        }
        next.given += 1;
        if next.given != OFTEN {
            return None;
        }
        let whole = Arc::new(Whole { head: head.into(), file: sealed_file(&[head, body]).ok()? });
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(whole.clone());
        Some(whole)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const BODY: &[u8] = b"a { b: c }";

    fn given(wholes: &Wholes, head: &[u8], times: u32) -> Vec<bool> {
        (0..times).map(|_| wholes.of(head, BODY).is_some()).collect()
    }

    #[test]
    fn head_that_is_given_often_in_a_row_is_copied_and_then_found() {
        let wholes = Wholes::default();
        assert_eq!(given(&wholes, b"first", OFTEN), [vec![false; 15], vec![true]].concat());
        assert_eq!(given(&wholes, b"second", OFTEN - 1), [false; 15]);
        assert_eq!(given(&wholes, b"first", 2), [true; 2], "it is still the one there is");
        assert_eq!(given(&wholes, b"second", 1), [true]);
        assert_eq!(given(&wholes, b"first", OFTEN - 1), [false; 15]);
        let mut content = Vec::new();
        let mut file = wholes.of(b"second", BODY).unwrap().file().try_clone().unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        file.read_to_end(&mut content).unwrap();
        assert_eq!(content, [b"second", BODY].concat());
    }

    #[test]
    fn heads_that_take_turns_and_large_bodies_are_not_copied() {
        let wholes = Wholes::default();
        for _ in 0..2 * OFTEN {
            assert_eq!((given(&wholes, b"one", 1), given(&wholes, b"other", 1)), (vec![false], vec![false]));
        }
        let large = vec![0; MAX_BYTES + 1];
        assert!((0..2 * OFTEN).all(|_| wholes.of(b"head", &large).is_none()));
    }
}
