//! Where engines read from: the parent, asked over the standard streams.
//!
//! Remembers every answer, so that a second engine, or one that looks a file up again, asks for nothing twice.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    io::{self, Read, stdout},
    rc::Rc,
};

use super::protocol::{self, FromChild, Known, Settled, ToChild};
use crate::resolve::{Syntax, siblings};

/// A tenant's files, by their absolute paths. Errors are the parent's or the kernel's, never the tenant's.
pub(super) trait Sources {
    fn has(&self, path: &str) -> io::Result<bool>;
    fn read(&self, path: &str) -> io::Result<Option<Rc<str>>>;

    /// As `has`, of what is known without a question.
    fn knows(&self, _path: &str) -> Option<bool> {
        None
    }

    /// Whether nothing is known of `path`, which is for `@import` alone, and its name is loaded as a module alone.
    fn is_of_module(&self, _path: &str) -> bool {
        false
    }

    /// As `read`, of what is known without a question. It does not count as read.
    fn peek(&self, _path: &str) -> Option<Rc<str>> {
        None
    }

    /// Whether any text passes that is known without a question. None of them counts as read.
    fn has_known(&self, _passes: fn(&str) -> bool) -> bool {
        false
    }
}

/// Asks the parent, one question at a time.
pub(super) struct ParentSources<R> {
    input: RefCell<R>,
    probed: RefCell<HashMap<String, bool>>,
    texts: RefCell<HashMap<String, Option<Rc<str>>>>,
    /// The place of each path among the known ones.
    places: HashMap<String, usize>,
    settled: Settled,
    /// Of the entry.
    syntax: Syntax,
    /// The places of what was read without a question.
    used: RefCell<BTreeSet<usize>>,
}

impl<R: Read> ParentSources<R> {
    pub(super) fn new(input: R, entry: &str, known: Known) -> Self {
        let Known { sources, absent, settled } = known;
        let places = sources.keys().cloned().zip(0..).collect();
        let present = sources.keys().map(|path| (path.clone(), true));
        let probed = present.chain(absent.into_iter().map(|path| (path, false))).collect();
        let texts = sources.into_iter().map(|(path, text)| (path, Some(Rc::from(text)))).collect();
        Self {
            input: RefCell::new(input),
            probed: RefCell::new(probed),
            texts: RefCell::new(texts),
            places,
            settled,
            syntax: Syntax::of(entry),
            used: RefCell::default(),
        }
    }

    /// Which of the known sources were read.
    pub(super) fn into_used(self) -> Vec<usize> {
        self.used.into_inner().into_iter().collect()
    }

    fn ask(&self, question: FromChild) -> io::Result<ToChild> {
        protocol::write(&mut stdout(), question)?;
        protocol::read(&mut *self.input.borrow_mut())
    }
}

impl<R: Read> Sources for ParentSources<R> {
    fn has(&self, path: &str) -> io::Result<bool> {
        if let Some(known) = self.knows(path) {
            return Ok(known);
        }
        match self.ask(FromChild::Probe { path: path.to_owned() })? {
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
        match self.ask(FromChild::Read { path: path.to_owned() })? {
            ToChild::Source(text) => {
                let text: Option<Rc<str>> = text.map(Rc::from);
                self.texts.borrow_mut().insert(path.to_owned(), text.clone());
                Ok(text)
            }
            ToChild::Compile(_) | ToChild::Probed { .. } => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn knows(&self, path: &str) -> Option<bool> {
        let known = self.probed.borrow().get(path).copied();
        known.or_else(|| self.settled.is_undecisive(path, self.syntax).then_some(false))
    }

    fn is_of_module(&self, path: &str) -> bool {
        self.knows(path).is_none() && self.settled.is_of_module(path, self.syntax)
    }

    fn peek(&self, path: &str) -> Option<Rc<str>> {
        self.texts.borrow().get(path).cloned().flatten()
    }

    fn has_known(&self, passes: fn(&str) -> bool) -> bool {
        self.texts.borrow().values().flatten().any(|text| passes(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::By;

    #[test]
    fn nothing_is_asked_that_the_parent_has_told() {
        let mut settled = Settled::default();
        settled.add("/_a.scss", By::Module);
        settled.add("/_b.scss", By::Import);
        let texts =
            [("/app.scss", ""), ("/_a.scss", "b"), ("/_b.scss", ""), ("/c.css", "d"), ("/_d.scss", "")];
        let known = Known {
            sources: texts.map(|(path, text)| (path.to_owned(), text.to_owned())).into(),
            absent: vec!["/a.scss".to_owned(), "/_c.css".to_owned()],
            settled,
        };
        // A question would find no answer here.
        let sources = ParentSources::new(io::empty(), "/app.scss", known);
        for (path, is_there) in [
            ("/_a.scss", true),
            ("/a.scss", false),
            ("/_a.sass", false),
            ("/b.import.sass", false),
            ("/c.css", true),
            ("/_c.css", false),
        ] {
            assert_eq!(sources.has(path).unwrap(), is_there, "{path}");
        }
        for unknown in ["/c.scss", "/a.import.scss", "/_d.sass", "/d.css"] {
            assert!(sources.knows(unknown).is_none(), "{unknown}");
        }
        assert!(sources.is_of_module("/a.import.scss") && !sources.is_of_module("/b.import.scss"));
        assert_eq!(sources.read("/_a.scss").unwrap().as_deref(), Some("b"));
    }
}
