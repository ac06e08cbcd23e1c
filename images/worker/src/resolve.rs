//! Paths of sources: their one spelling, and which ones an import may mean.

use std::{
    collections::HashSet,
    path::{Component, Path},
};

use serde::{Deserialize, Serialize};

/// The path without `.` and `..`, absolute; `None` where it leaves the origin's root or is no text.
pub(crate) fn normalize(path: &Path) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::Prefix(_) => return None,
        }
    }
    Some(format!("/{}", parts.join("/")))
}

/// The endings that engines try for an import without one, in grass's order.
const ENDINGS: [&str; 6] = [".import.sass", ".import.scss", ".import.css", ".sass", ".scss", ".css"];

/// What the endings of files begin with that are for `@import` alone.
const IMPORT_ALONE: &str = ".import";

/// All paths that the engine may try when it tries `path`: the same name with and without `_`, with every
/// ending. They are asked for together, so that an import costs one round trip and not ten.
pub(crate) fn siblings(path: &str) -> Vec<String> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let name = file.strip_prefix('_').unwrap_or(file);
    let Some(stem) = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)) else {
        return vec![path.to_owned()];
    };
    let paths = ENDINGS
        .iter()
        .flat_map(|ending| [format!("{folder}/{stem}{ending}"), format!("{folder}/_{stem}{ending}")]);
    let mut paths: Vec<String> = paths.collect();
    if !paths.iter().any(|candidate| candidate == path) {
        paths.push(path.to_owned());
    }
    paths
}

/// Whether the path ends in a dot and this, which Sass takes in lower case alone.
pub(crate) fn has_ending(path: &str, ending: &str) -> bool {
    Path::new(path).extension().is_some_and(|own| own == ending)
}

/// The syntax that most of a style sheet's sources have: the one of its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Scss,
    Indented,
}

impl Syntax {
    pub(crate) fn of(path: &str) -> Self {
        if has_ending(path, "sass") { Self::Indented } else { Self::Scss }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Scss => ".scss",
            Self::Indented => ".sass",
        }
    }
}

/// What loads a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum By {
    Import,
    /// `@use`, `@forward` or `meta.load-css`.
    Module,
}

/// One name in one folder, and all paths that a load may mean by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spellings {
    /// What it is called in nearly all style sheets: with `_`, and without; a name that begins with `_` is likelier
    /// to be the whole name.
    pub(crate) likely: [String; 2],
    /// The path without its ending.
    stem: String,
    /// The likely one, or the one that was written.
    ending: &'static str,
    is_written: bool,
    by: By,
}

impl Spellings {
    /// Of the path of a load. An ending that it has is the only one; else the likely one is the syntax's.
    pub(crate) fn new(path: &str, syntax: Syntax, by: By) -> Self {
        let own = [".scss", ".sass", ".css"].into_iter().find(|ending| path.ends_with(ending));
        let ending = own.unwrap_or(syntax.ending());
        let stem = own.and_then(|own| path.strip_suffix(own)).unwrap_or(path).to_owned();
        let mut likely = both(&stem, ending);
        if stem.rsplit('/').next().is_some_and(|name| name.starts_with('_')) {
            likely.reverse();
        }
        Self { likely, stem, ending, is_written: own.is_some(), by }
    }

    /// Those that count before the likely ones for `@import`, where they are there at all.
    pub(crate) fn for_import_alone(&self) -> Vec<String> {
        match self.by {
            By::Import => both(&self.stem, &format!(".import{}", self.ending)).into(),
            By::Module => Vec::new(),
        }
    }

    /// Those that nobody asks for where a likely one is there.
    pub(crate) fn others(&self) -> Vec<String> {
        if self.is_written {
            return Vec::new();
        }
        let is_other = |ending: &&str| match self.by {
            By::Import => **ending != *format!(".import{}", self.ending),
            By::Module => !ending.starts_with(IMPORT_ALONE),
        };
        let endings = ENDINGS.into_iter().filter(is_other).filter(|ending| *ending != self.ending);
        endings.flat_map(|ending| both(&self.stem, ending)).collect()
    }

    /// Notes what is meant whatever else is there: paths with an ending that was written.
    pub(crate) fn note_written(&self, settled: &mut Settled) {
        if self.is_written {
            settled.written.extend(self.all());
        }
    }

    /// What the load that a likely one was found for settles.
    pub(crate) fn settle(&self, found: &str, settled: &mut Settled) {
        // An ending that was written says nothing of the others.
        if !self.is_written {
            settled.add(found, self.by);
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = String> {
        self.likely.iter().cloned().chain(self.for_import_alone()).chain(self.others())
    }
}

/// With `_`, and without.
fn both(stem: &str, ending: &str) -> [String; 2] {
    let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
    [format!("{folder}/_{name}{ending}"), format!("{folder}/{name}{ending}")]
}

/// The files that loads have come to, by a likely spelling: then the unlikely ones of the same name decide nothing,
/// whatever is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    by_any: HashSet<String>,
    /// Those of them that `@import` loads: for modules nobody has looked for files for it alone.
    by_import: HashSet<String>,
    /// Paths whose ending a load has written: they decide for that one.
    written: HashSet<String>,
}

impl Settled {
    pub(crate) fn add(&mut self, path: &str, by: By) {
        self.by_any.insert(path.to_owned());
        if by == By::Import {
            self.by_import.insert(path.to_owned());
        }
    }

    /// Whether `path` decides nothing in a style sheet of this syntax.
    pub(crate) fn is_undecisive(&self, path: &str, syntax: Syntax) -> bool {
        if self.written.contains(path) {
            return false;
        }
        let Some((ending, likely)) = likely_beside(path, syntax) else { return false };
        let files = if ending.starts_with(IMPORT_ALONE) { &self.by_import } else { &self.by_any };
        likely.iter().any(|likely| files.contains(likely))
    }

    /// Whether `path` is for `@import` alone, and its name was seen to be loaded as a module alone.
    pub(crate) fn is_of_module(&self, path: &str, syntax: Syntax) -> bool {
        let Some((ending, likely)) = likely_beside(path, syntax) else { return false };
        let is_in = |files: &HashSet<String>| likely.iter().any(|likely| files.contains(likely));
        ending.starts_with(IMPORT_ALONE) && is_in(&self.by_any) && !is_in(&self.by_import)
    }
}

/// Where `path` is not likely in a style sheet of this syntax: its ending, and the likely spellings of its name.
fn likely_beside(path: &str, syntax: Syntax) -> Option<(&'static str, [String; 2])> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let name = file.strip_prefix('_').unwrap_or(file);
    let ending = ENDINGS.into_iter().find(|ending| name.ends_with(ending))?;
    let name = name.strip_suffix(ending)?;
    (ending != syntax.ending()).then(|| (ending, both(&format!("{folder}/{name}"), syntax.ending())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_spelling_and_stay_below_the_root() {
        let of = |path: &str| normalize(Path::new(path));
        assert_eq!(of("/scss/../lib/./a.scss").as_deref(), Some("/lib/a.scss"));
        assert_eq!(of("lib//a.scss").as_deref(), Some("/lib/a.scss"));
        assert_eq!(of("/../etc/passwd"), None);
        assert_eq!(of("/a/../../x.scss"), None);
    }

    #[test]
    fn siblings_are_all_spellings_of_one_import() {
        let found = siblings("/lib/mixins.import.sass");
        assert_eq!(found.len(), 12);
        for path in ["/lib/mixins.scss", "/lib/_mixins.scss", "/lib/_mixins.import.css"] {
            assert!(found.iter().any(|candidate| candidate == path), "{path}");
        }
        assert_eq!(siblings("/lib/a.txt"), ["/lib/a.txt"]);
        assert!(siblings("/__a.scss").contains(&"/__a.scss".to_owned()));
    }

    #[test]
    fn spellings_of_an_import_are_all_siblings_the_likely_ones_first() {
        for (path, syntax, likely) in [
            ("/lib/a", Syntax::Scss, ["/lib/_a.scss", "/lib/a.scss"]),
            ("/lib/_a", Syntax::Indented, ["/lib/_a.sass", "/lib/__a.sass"]),
            ("/lib/a.css", Syntax::Scss, ["/lib/_a.css", "/lib/a.css"]),
            ("/lib/a.b", Syntax::Scss, ["/lib/_a.b.scss", "/lib/a.b.scss"]),
        ] {
            let spellings = Spellings::new(path, syntax, By::Import);
            assert_eq!(spellings.likely, likely, "{path}");
            assert_eq!(spellings.for_import_alone().len(), 2);
            if has_ending(path, "css") {
                assert_eq!(spellings.others(), [""; 0], "{path}");
                continue;
            }
            let (mut all, mut expected): (Vec<_>, _) =
                (spellings.all().collect(), siblings(likely.iter().max_by_key(|path| path.len()).unwrap()));
            all.sort();
            expected.sort();
            assert_eq!(all, expected, "{path}");
        }
    }

    #[test]
    fn files_for_import_alone_are_no_modules() {
        let spellings = Spellings::new("/a/b", Syntax::Scss, By::Module);
        let expected = ["/a/_b.scss", "/a/b.scss", "/a/_b.sass", "/a/b.sass", "/a/_b.css", "/a/b.css"];
        assert_eq!(spellings.all().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn likely_spellings_decide_over_all_others_once_a_load_has_come_to_one() {
        let mut settled = Settled::default();
        let others = ["/a/_b.sass", "/a/b.css"];
        let for_import = ["/a/b.import.sass", "/a/_b.import.css"];
        let is = |settled: &Settled, path: &&str| settled.is_undecisive(path, Syntax::Scss);
        assert!(!others.iter().any(|path| is(&settled, path)), "nobody has looked");
        Spellings::new("/a/b.scss", Syntax::Scss, By::Import).settle("/a/_b.scss", &mut settled);
        assert!(!others.iter().any(|path| is(&settled, path)), "an ending was written");
        Spellings::new("/a/b", Syntax::Scss, By::Module).settle("/a/_b.scss", &mut settled);
        assert!(others.iter().all(|path| is(&settled, path)));
        assert!(!for_import.iter().any(|path| is(&settled, path)), "nobody has looked for these");
        assert!(for_import.iter().all(|path| settled.is_of_module(path, Syntax::Scss)));
        let written = Spellings::new("/a/b.css", Syntax::Scss, By::Module);
        written.note_written(&mut settled);
        assert!(!is(&settled, &"/a/b.css") && is(&settled, &"/a/_b.sass"), "one load means it and no other");
        settled.written.clear();
        Spellings::new("/a/b", Syntax::Scss, By::Import).settle("/a/_b.scss", &mut settled);
        assert!(others.iter().chain(&for_import).all(|path| is(&settled, path)));
        assert!(!for_import.iter().any(|path| settled.is_of_module(path, Syntax::Scss)));
        for decisive in ["/a/_b.scss", "/a/b.scss", "/a/b", "/a/b.txt", "/a/c.sass"] {
            assert!(!is(&settled, &decisive), "{decisive}");
        }
    }

    #[test]
    fn names_that_end_in_import_are_names_of_their_own() {
        let spellings = Spellings::new("/lib/a.import", Syntax::Scss, By::Import);
        assert_eq!(spellings.likely, ["/lib/_a.import.scss", "/lib/a.import.scss"]);
        assert!(spellings.all().all(|path| path.contains("a.import.")), "{spellings:?}");
    }
}
