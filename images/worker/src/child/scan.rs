//! Looks through sources for what grass is known to get wrong, as they are read.
//!
//! It looks at names before `(`, behind `@` and behind `$`, wherever they stand, lines of comment aside: one in
//! any other comment or a string counts, too, which costs time and no correctness.

use std::{cell::RefCell, collections::HashMap, io, path::Path, rc::Rc, sync::LazyLock};

use memchr::{memchr3_iter, memmem, memrchr};

use super::{
    known_wrong::{KNOWN_WRONG, KnownWrong, Sign},
    sources::Sources,
};

/// Sources that end the reading as soon as something is found that grass gets wrong.
pub(super) struct WatchedSources<'s> {
    inner: &'s dyn Sources,
    scan: RefCell<Scan>,
}

impl<'s> WatchedSources<'s> {
    pub(super) fn new(inner: &'s dyn Sources) -> Self {
        Self { inner, scan: RefCell::default() }
    }

    /// What grass would get wrong in what was read.
    pub(super) fn found(&self) -> Option<&'static KnownWrong> {
        self.scan.borrow().found
    }
}

impl Sources for WatchedSources<'_> {
    fn has(&self, path: &str) -> io::Result<bool> {
        self.inner.has(path)
    }

    fn read(&self, path: &str) -> io::Result<Option<Rc<str>>> {
        let text = self.inner.read(path)?;
        if let Some(text) = &text {
            let mut scan = self.scan.borrow_mut();
            scan.add(path, text);
            if let Some(KnownWrong { what, .. }) = scan.found {
                return Err(io::Error::other(*what));
            }
        }
        Ok(text)
    }
}

/// What the sources of one closure have shown so far.
#[derive(Default)]
pub(super) struct Scan {
    pub(super) found: Option<&'static KnownWrong>,
    has_extend: bool,
    has_modules: bool,
    has_import_only_file: bool,
    /// Names that signs have, and that a source gives to a function of its own.
    defined: Vec<&'static str>,
    /// What calls by such a name would show, were they calls of something else: in another module they are.
    doubtful: Option<Row>,
}

impl Scan {
    pub(super) fn add(&mut self, path: &str, text: &str) {
        // grass gives CSS as it stands, or reports an error.
        if has_ending(path, "css") {
            return;
        }
        self.has_import_only_file |= path.ends_with(".import.scss") || path.ends_with(".import.sass");
        for at in memchr3_iter(b'(', b'@', b'$', text.as_bytes()) {
            let (before, sign_on) = text.split_at(at);
            if is_comment(before) {
                continue;
            }
            let behind = sign_on.get(1..).unwrap_or_default();
            match sign_on.as_bytes().first() {
                Some(b'(') => self.add_call(path, before, behind),
                Some(b'@') => self.add_at_rule(behind),
                Some(_) | None => self.add_variable(behind),
            }
        }
        let texts = SIGNS.texts.iter();
        let shown = texts.filter(|(sign, _)| memmem::find(text.as_bytes(), sign.as_bytes()).is_some());
        shown.for_each(|(_, row)| self.note(row));
        if self.has_modules && self.has_extend {
            SIGNS.extend_beside_modules.iter().for_each(|row| self.note(row));
        }
        if self.has_modules {
            self.found = self.found.or(self.doubtful);
        }
        if self.has_modules && self.has_import_only_file {
            SIGNS.import_only_beside_modules.iter().for_each(|row| self.note(row));
        }
    }

    fn add_call(&mut self, path: &str, before: &str, arguments: &str) {
        let name = before.get(start_of_last_name(before)..).unwrap_or_default();
        self.has_modules |= name == "load-css";
        let Some((name, signs)) = SIGNS.calls.get_key_value(name) else { return };
        let before = before.strip_suffix(name).unwrap_or_default();
        if before.trim_end().ends_with("@function") {
            self.defined.push(name);
            return;
        }
        let is_of_module = before.ends_with('.');
        for (sign, row) in signs {
            let is_shown = match sign {
                CallSign::OfNoModule(passes) => !is_of_module && passes(arguments),
                CallSign::Any => true,
                CallSign::AnyInScss => !has_ending(path, "sass"),
            };
            if is_shown && self.defined.contains(name) {
                self.doubtful = self.doubtful.or(Some(row));
            } else if is_shown {
                self.note(row);
            }
        }
    }

    fn add_at_rule(&mut self, behind: &str) {
        let (name, rest) = behind.split_at(end_of_name(behind));
        self.has_extend |= name == "extend";
        self.has_modules |= matches!(name, "use" | "forward") && !is_built_in(rest);
        for (names, passes, row) in &SIGNS.at_rules {
            if names.contains(&name) && passes(rest) {
                self.note(row);
            }
        }
    }

    fn add_variable(&mut self, behind: &str) {
        for (name, row) in &SIGNS.arguments {
            let after = behind.strip_prefix(name);
            if after.is_some_and(|after| after.trim_start().starts_with(':')) {
                self.note(row);
            }
        }
    }

    fn note(&mut self, row: &'static KnownWrong) {
        self.found = self.found.or(Some(row));
    }
}

/// Whether what comes next stands in a line of comment.
fn is_comment(before: &str) -> bool {
    let start = memrchr(b'\n', before.as_bytes()).map_or(0, |end| end + 1);
    let line = before.get(start..).unwrap_or_default().trim_start();
    // One that ends a block of comment goes on behind it.
    line.starts_with("//") && !line.contains("*/")
}

/// Whether the module that `@use` or `@forward` names is one of Sass's own.
fn is_built_in(rest: &str) -> bool {
    rest.trim_start().get(1..).is_some_and(|url| url.starts_with("sass:"))
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || !byte.is_ascii()
}

fn start_of_last_name(text: &str) -> usize {
    text.bytes().rposition(|byte| !is_of_name(byte)).map_or(0, |before| before + 1)
}

fn end_of_name(text: &str) -> usize {
    text.bytes().position(|byte| !is_of_name(byte)).unwrap_or(text.len())
}

type Row = &'static KnownWrong;
fn has_ending(path: &str, wanted: &str) -> bool {
    Path::new(path).extension().is_some_and(|ending| ending == wanted)
}

type Passes = fn(&str) -> bool;

enum CallSign {
    OfNoModule(Passes),
    Any,
    AnyInScss,
}

/// The rows by where their signs are looked for.
#[derive(Default)]
struct Signs {
    calls: HashMap<&'static str, Vec<(CallSign, Row)>>,
    at_rules: Vec<(&'static [&'static str], Passes, Row)>,
    arguments: Vec<(&'static str, Row)>,
    texts: Vec<(&'static str, Row)>,
    extend_beside_modules: Vec<Row>,
    import_only_beside_modules: Vec<Row>,
}

static SIGNS: LazyLock<Signs> = LazyLock::new(|| {
    let mut signs = Signs::default();
    for row in &KNOWN_WRONG {
        match row.sign {
            Sign::Call(names, passes) => names.iter().for_each(|name| {
                signs.calls.entry(name).or_default().push((CallSign::OfNoModule(passes), row));
            }),
            Sign::AnyCall(names) => names.iter().for_each(|name| {
                signs.calls.entry(name).or_default().push((CallSign::Any, row));
            }),
            Sign::AnyScssCall(names) => names.iter().for_each(|name| {
                signs.calls.entry(name).or_default().push((CallSign::AnyInScss, row));
            }),
            Sign::Argument(names) => signs.arguments.extend(names.iter().map(|name| (*name, row))),
            Sign::AtRule(names, passes) => signs.at_rules.push((names, passes, row)),
            Sign::Text(text) => signs.texts.push((text, row)),
            Sign::ExtendBesideModules => signs.extend_beside_modules.push(row),
            Sign::ImportOnlyFileBesideModules => signs.import_only_beside_modules.push(row),
            Sign::Error => {}
        }
    }
    signs
});
