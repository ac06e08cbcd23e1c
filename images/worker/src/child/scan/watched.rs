//! Sources that are scanned as an engine reads them.

use std::{cell::RefCell, collections::HashSet, io, rc::Rc};

use super::{
    super::{engine::Foresight, known_wrong::KnownWrong, sources::Sources},
    Scan, Signs,
    signs::Row,
};

pub(in super::super) struct WatchedSources<'s> {
    inner: &'s dyn Sources,
    scan: RefCell<Scan>,
    /// What was looked through already, until it is read.
    foreseen: RefCell<HashSet<String>>,
    /// Whether the reading ends as soon as something is found that the engine gets wrong.
    ends_early: bool,
}

impl<'s> WatchedSources<'s> {
    pub(in super::super) fn until_found(inner: &'s dyn Sources, foresight: Foresight) -> Self {
        let Foresight { scan, looked_through } = foresight;
        Self { inner, scan: scan.into(), foreseen: looked_through.into(), ends_early: true }
    }

    pub(in super::super) fn to_the_end(inner: &'s dyn Sources, signs: &'static Signs) -> Self {
        Self { inner, scan: Scan::new(signs).into(), foreseen: RefCell::default(), ends_early: false }
    }

    /// What the engine gets wrong in what was read.
    pub(in super::super) fn found(&self) -> Option<Row> {
        self.scan.borrow().found()
    }
}

impl Sources for WatchedSources<'_> {
    fn has(&self, path: &str) -> io::Result<bool> {
        let is_there = self.inner.has(path)?;
        // What is asked for is known of its whole name; nothing is asked for its twins' sake.
        if is_there && twins(path).iter().any(|twin| self.inner.knows(twin) == Some(true)) {
            self.scan.borrow_mut().note_ambiguous_import();
        }
        Ok(is_there)
    }

    fn knows(&self, path: &str) -> Option<bool> {
        self.inner.knows(path)
    }

    fn is_of_module(&self, path: &str) -> bool {
        self.inner.is_of_module(path)
    }

    fn peek(&self, path: &str) -> Option<Rc<str>> {
        self.inner.peek(path)
    }

    fn has_known(&self, passes: fn(&str) -> bool) -> bool {
        self.inner.has_known(passes)
    }

    fn read(&self, path: &str) -> io::Result<Option<Rc<str>>> {
        let text = self.inner.read(path)?;
        if let Some(text) = text.as_ref().filter(|_| !self.foreseen.borrow_mut().remove(path)) {
            let mut scan = self.scan.borrow_mut();
            scan.add(path, text);
            if let Some(KnownWrong { what, .. }) = scan.found().filter(|_| self.ends_early) {
                return Err(io::Error::other(*what));
            }
        }
        Ok(text)
    }
}

/// What an import may mean as well, none before the other.
fn twins(path: &str) -> Vec<String> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let name = file.strip_prefix('_').unwrap_or(file);
    let Some((stem, "scss" | "sass")) = name.rsplit_once('.') else { return Vec::new() };
    let files =
        ["", "_"].iter().flat_map(|mark| ["scss", "sass"].map(|ending| format!("{mark}{stem}.{ending}")));
    files.map(|file| format!("{folder}/{file}")).filter(|twin| twin != path).collect()
}
