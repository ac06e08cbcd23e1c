//! Where engines read from: the parent, asked over the standard streams.
//!
//! Remembers every answer, so that a second engine, or one that looks a file up again, asks for nothing twice.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    io::{self, Read, stdout},
    rc::Rc,
};

use super::protocol::{self, FromChild, Known, ToChild};
use crate::resolve::{Syntax, decided_by, siblings};

/// A tenant's files, by their absolute paths. Errors are the parent's or the kernel's, never the tenant's.
pub(super) trait Sources {
    fn has(&self, path: &str) -> io::Result<bool>;
    fn read(&self, path: &str) -> io::Result<Option<Rc<str>>>;

    /// As `has`, of what is known without a question.
    fn knows(&self, _path: &str) -> Option<bool> {
        None
    }

    /// As `read`, of what is known without a question. It does not count as read.
    fn peek(&self, _path: &str) -> Option<Rc<str>> {
        None
    }
}

/// Asks the parent, one question at a time.
pub(super) struct ParentSources<R> {
    input: RefCell<R>,
    probed: RefCell<HashMap<String, bool>>,
    texts: RefCell<HashMap<String, Option<Rc<str>>>>,
    /// The place of each path among the known ones.
    places: HashMap<String, usize>,
    /// Of the entry.
    syntax: Syntax,
    /// The places of what was read without a question.
    used: RefCell<BTreeSet<usize>>,
}

impl<R: Read> ParentSources<R> {
    pub(super) fn new(input: R, entry: &str, known: Known) -> Self {
        let Known { sources, absent } = known;
        let places = sources.keys().cloned().zip(0..).collect();
        let present = sources.keys().map(|path| (path.clone(), true));
        let probed = present.chain(absent.into_iter().map(|path| (path, false))).collect();
        let texts = sources.into_iter().map(|(path, text)| (path, Some(Rc::from(text)))).collect();
        Self {
            input: RefCell::new(input),
            probed: RefCell::new(probed),
            texts: RefCell::new(texts),
            places,
            syntax: Syntax::of(entry),
            used: RefCell::default(),
        }
    }

    /// Which of the known sources were read.
    pub(super) fn into_used(self) -> Vec<usize> {
        self.used.into_inner().into_iter().collect()
    }

    fn ask(&self, question: &FromChild) -> io::Result<ToChild> {
        protocol::write(&mut stdout(), question)?;
        protocol::read(&mut *self.input.borrow_mut())
    }
}

impl<R: Read> Sources for ParentSources<R> {
    fn has(&self, path: &str) -> io::Result<bool> {
        if let Some(known) = self.knows(path) {
            return Ok(known);
        }
        match self.ask(&FromChild::Probe { path: path.to_owned() })? {
            ToChild::Probed { present } => {
                let mut probed = self.probed.borrow_mut();
                probed.extend(siblings(path).into_iter().map(|sibling| {
                    let is_present = present.contains(&sibling);
                    (sibling, is_present)
                }));
                Ok(present.iter().any(|found| found == path))
            }
            ToChild::Compile(_) | ToChild::Source(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn read(&self, path: &str) -> io::Result<Option<Rc<str>>> {
        if let Some(known) = self.texts.borrow().get(path) {
            self.used.borrow_mut().extend(self.places.get(path));
            return Ok(known.clone());
        }
        match self.ask(&FromChild::Read { path: path.to_owned() })? {
            ToChild::Source(text) => {
                let text: Option<Rc<str>> = text.map(Rc::from);
                self.texts.borrow_mut().insert(path.to_owned(), text.clone());
                Ok(text)
            }
            ToChild::Compile(_) | ToChild::Probed { .. } => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Beside a likely spelling that is there, the parent names no others, since they are taken for absent.
    fn knows(&self, path: &str) -> Option<bool> {
        let probed = self.probed.borrow();
        let is_there = |path: &String| probed.get(path) == Some(&true);
        let decided_by = || decided_by(path, self.syntax).filter(|likely| likely.iter().any(is_there));
        probed.get(path).copied().or_else(|| decided_by().map(|_| false))
    }

    fn peek(&self, path: &str) -> Option<Rc<str>> {
        self.texts.borrow().get(path).cloned().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_asked_that_the_parent_has_told() {
        let known = Known {
            sources: [("/app.scss", ""), ("/_a.scss", "b"), ("/c.css", "d")]
                .map(|(path, text)| (path.to_owned(), text.to_owned()))
                .into(),
            absent: vec!["/a.scss".to_owned(), "/_c.css".to_owned()],
        };
        // A question would find no answer here.
        let sources = ParentSources::new(io::empty(), "/app.scss", known);
        for (path, is_there) in [
            ("/_a.scss", true),
            ("/a.scss", false),
            ("/_a.sass", false),
            ("/a.import.scss", false),
            ("/c.css", true),
            ("/_c.css", false),
        ] {
            assert_eq!(sources.has(path).unwrap(), is_there, "{path}");
        }
        assert_eq!(sources.read("/_a.scss").unwrap().as_deref(), Some("b"));
        assert!(sources.knows("/c.scss").is_none(), "no likely spelling of it is there");
    }
}
