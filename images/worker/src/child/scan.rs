//! Looks through sources for what an engine is known to get wrong, as they are read.
//!
//! It looks at names before `(`, behind `@` and behind `$`, wherever they stand, lines of comment aside: one in
//! any other comment or a string counts, too, which costs time and no correctness. What depends on where a
//! thing stands is looked for among blocks and statements.

mod signs;
mod watched;

use std::collections::HashSet;

use memchr::{memchr3_iter, memrchr};

use super::{
    blocks::{End, Piece, walk_indented, walk_scss},
    known_wrong::tail,
};
use crate::resolve::has_ending;
use signs::{CallSign, Row};
pub(super) use signs::{GRASS, SASSO, Signs};
pub(super) use watched::WatchedSources;

/// What the sources of one closure have shown so far.
pub(super) struct Scan {
    signs: &'static Signs,
    found: Vec<Row>,
    seen: HashSet<Seen>,
    /// What was imported, with the folder that it was imported from.
    imported: HashSet<(String, String)>,
    /// Of each row that wants a call of two lists, whether there was one of each.
    called: Vec<[bool; 2]>,
    /// What counts where there is `@extend`.
    beside_extend: Option<Row>,
    /// Names that signs have, and that a source gives to a function of its own.
    defined: Vec<&'static str>,
    /// What calls by such a name would show, were they calls of something else: in another module they are.
    doubtful: Option<Row>,
    /// How deep the `@at-root` is that declarations may follow.
    at_root: Option<usize>,
}

/// What counts together with something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Seen {
    Extend,
    /// Modules that are files.
    Modules,
    ImportOnlyFile,
    RepeatedImport,
}

impl Scan {
    pub(super) fn new(signs: &'static Signs) -> Self {
        Self {
            signs,
            found: Vec::new(),
            seen: HashSet::new(),
            imported: HashSet::new(),
            called: vec![[false; 2]; signs.both_calls.len()],
            beside_extend: None,
            defined: Vec::new(),
            doubtful: None,
            at_root: None,
        }
    }

    /// What the engine would get wrong in what was read so far.
    pub(super) fn found(&self) -> Option<Row> {
        let has_extend = self.seen.contains(&Seen::Extend);
        self.found.iter().copied().find(|row| row.counts_beside_extend || !has_extend)
    }

    pub(super) fn add(&mut self, path: &str, text: &str) {
        self.at_root = None;
        // grass gives CSS as it stands, or reports an error.
        if has_ending(path, "css") {
            return self.add_pieces(path, text);
        }
        if path.ends_with(".import.scss") || path.ends_with(".import.sass") {
            self.seen.insert(Seen::ImportOnlyFile);
        }
        let (mut line, mut seen) = (0, 0);
        for at in memchr3_iter(b'(', b'@', b'$', text.as_bytes()) {
            let (before, sign_on) = text.split_at(at);
            let end = before.get(seen..).and_then(|unseen| memrchr(b'\n', unseen.as_bytes()));
            (line, seen) = (end.map_or(line, |end| seen + end + 1), at);
            if before.get(line..).is_some_and(is_comment) {
                continue;
            }
            let behind = sign_on.get(1..).unwrap_or_default();
            match sign_on.as_bytes().first() {
                Some(b'(') => self.add_call(before, behind),
                Some(b'@') => self.add_at_rule(path, behind),
                Some(_) | None => self.add_variable(behind),
            }
        }
        self.add_pieces(path, text);
        let signs = self.signs;
        signs.sources.iter().filter(|(passes, _)| passes(text)).for_each(|(_, row)| self.note(row));
        self.note_combined();
    }

    /// Notes what several of the things together show.
    fn note_combined(&mut self) {
        let signs = self.signs;
        let has = |seen| self.seen.contains(&seen);
        let beside_modules = [
            (Seen::ImportOnlyFile, &signs.import_only_beside_modules),
            (Seen::RepeatedImport, &signs.repeated_import_beside_modules),
        ];
        let beside_modules = beside_modules.into_iter().filter(|(seen, _)| has(*seen) && has(Seen::Modules));
        let beside_modules = beside_modules.flat_map(|(_, rows)| rows.iter().copied());
        let doubtful = self.doubtful.filter(|_| has(Seen::Modules));
        let beside_extend = self.beside_extend.filter(|_| has(Seen::Extend));
        let both = self.called.iter().zip(&signs.both_calls).find(|(called, _)| called == &&[true; 2]);
        let both = both.map(|(_, (_, row))| *row);
        let all: Vec<Row> = beside_modules.chain(doubtful).chain(beside_extend).chain(both).collect();
        self.note_all(all);
    }

    fn add_call(&mut self, before: &str, arguments: &str) {
        let name = before.get(start_of_last_name(before)..).unwrap_or_default();
        if name == "load-css" {
            self.seen.insert(Seen::Modules);
        }
        let signs = self.signs;
        self.add_to_both_calls(name, before);
        let Some((name, found)) = signs.calls.get_key_value(name) else { return };
        let before = before.strip_suffix(name).unwrap_or_default();
        if before.trim_end().ends_with("@function") {
            self.defined.push(name);
            return;
        }
        let is_of_module = before.ends_with('.');
        for (sign, row) in found {
            let is_shown = match sign {
                CallSign::OfNoModule(passes) => !is_of_module && passes(arguments),
                CallSign::Any(passes) => passes(arguments),
                CallSign::InString => is_in_string(before),
            };
            if is_shown && self.defined.contains(name) {
                self.doubtful = self.doubtful.or(Some(row));
            } else if is_shown {
                self.note(row);
            }
        }
    }

    fn add_to_both_calls(&mut self, name: &str, before: &str) {
        let of_module = before.strip_suffix(name).is_some_and(|before| before.ends_with('.'));
        let is_it = |wanted: &&str| match wanted.strip_prefix('.') {
            Some(wanted) => of_module && wanted == name,
            None => *wanted == name,
        };
        for (called, (names, _)) in self.called.iter_mut().zip(&self.signs.both_calls) {
            for (called, names) in called.iter_mut().zip(names) {
                *called |= names.iter().any(is_it);
            }
        }
    }

    fn add_at_rule(&mut self, path: &str, behind: &str) {
        let (name, rest) = behind.split_at(end_of_name(behind));
        match name {
            "extend" => drop(self.seen.insert(Seen::Extend)),
            "use" | "forward" if !is_built_in(rest) => drop(self.seen.insert(Seen::Modules)),
            "import" => self.add_import(path, rest),
            _ => {}
        }
        let rows = self.signs.at_rules.iter();
        self.note_all(
            rows.filter(|(names, passes, _)| names.contains(&name) && passes(rest)).map(|found| found.2),
        );
    }

    fn add_import(&mut self, path: &str, rest: &str) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let urls = rest.split([';', '\n']).next().unwrap_or_default();
        for url in urls.split(['"', '\'', ',', ' ']).filter(|url| !url.is_empty()) {
            if !self.imported.insert((folder.to_owned(), url.to_owned())) {
                self.seen.insert(Seen::RepeatedImport);
            }
        }
    }

    fn add_variable(&mut self, behind: &str) {
        let signs = self.signs;
        for (name, row) in &signs.arguments {
            let after = behind.strip_prefix(name);
            if after.is_some_and(|after| after.trim_start().starts_with(':')) {
                self.note(row);
            }
        }
    }

    fn add_pieces(&mut self, path: &str, text: &str) {
        let mut visit = |stack: &[&str], piece: Piece<'_>| self.add_piece(stack, piece);
        if has_ending(path, "sass") {
            walk_indented(text, &mut visit);
        } else if walk_scss(text, &mut visit) == End::WithinComment {
            self.note_all(self.signs.open_comment.iter().copied());
        }
    }

    fn add_piece(&mut self, stack: &[&str], piece: Piece<'_>) {
        let signs = self.signs;
        self.at_root = self.at_root.filter(|depth| stack.len() >= *depth);
        match piece {
            Piece::Block(prelude) => {
                if prelude.starts_with("@at-root") && !stack.is_empty() {
                    self.at_root = Some(stack.len());
                }
                let blocks = signs.blocks.iter().filter(|(passes, _)| passes(stack, prelude));
                self.note_all(blocks.map(|(_, row)| *row));
                let mut blocks = signs.blocks_beside_extend.iter();
                let shown = blocks.find(|(passes, _)| passes(stack, prelude)).map(|(_, row)| *row);
                self.beside_extend = self.beside_extend.or(shown);
            }
            Piece::Statement(text) => {
                if self.at_root == Some(stack.len()) && !text.starts_with(['@', '$']) {
                    self.note_all(signs.behind_at_root.iter().copied());
                }
                let statements = signs.statements.iter().filter(|(passes, _)| passes(text));
                self.note_all(statements.map(|(_, row)| *row));
            }
        }
    }

    fn note_ambiguous_import(&mut self) {
        self.note_all(self.signs.ambiguous_import.iter().copied());
    }

    fn note_all(&mut self, rows: impl IntoIterator<Item = Row>) {
        rows.into_iter().for_each(|row| self.note(row));
    }

    fn note(&mut self, row: Row) {
        if !self.found.iter().any(|known| std::ptr::eq(*known, row)) {
            self.found.push(row);
        }
    }
}

/// Whether what comes next stands in a line of comment, given what the line holds before it.
fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    // One that ends a block of comment goes on behind it.
    line.starts_with("//") && !line.contains("*/")
}

/// Whether what comes next stands in an interpolation in a string.
fn is_in_string(before: &str) -> bool {
    let line = tail(before).rsplit('\n').next().unwrap_or_default();
    let outside = line.rsplit_once("#{").filter(|(_, inside)| !inside.contains('}'));
    outside
        .is_some_and(|(outside, _)| ['"', '\''].iter().any(|quote| outside.matches(*quote).count() % 2 == 1))
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
