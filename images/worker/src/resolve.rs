//! Paths of sources: their one spelling, and which ones an import may mean.

use std::path::{Component, Path};

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

/// One name in one folder, and all paths that an import may mean by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spellings {
    /// What it is called in nearly all style sheets: with `_`, and without.
    pub(crate) likely: [String; 2],
    /// Counts before these for `@import`, where it is there at all.
    pub(crate) for_import_alone: [String; 2],
    /// Those that nobody asks for where a likely one is there.
    pub(crate) others: Vec<String>,
}

impl Spellings {
    /// Of the path of an import. An ending that it has is the only one; else the likely one is the syntax's.
    pub(crate) fn new(path: &str, syntax: Syntax) -> Self {
        let own = [".scss", ".sass", ".css"].into_iter().find(|ending| path.ends_with(ending));
        let ending = own.unwrap_or(syntax.ending());
        let stem = own.and_then(|own| path.strip_suffix(own)).unwrap_or(path);
        let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
        let name = name.strip_prefix('_').unwrap_or(name);
        let with = |ending: &str| [format!("{folder}/_{name}{ending}"), format!("{folder}/{name}{ending}")];
        let (likely, for_import_alone) = (with(ending), with(&format!(".import{ending}")));
        // An ending that was written is the only one that is meant.
        let mut others = if own.is_none() { siblings(&likely[1]) } else { Vec::new() };
        let own_names = [format!("{folder}/{name}."), format!("{folder}/_{name}.")];
        others.retain(|path| {
            own_names.iter().any(|name| path.starts_with(name))
                && !likely.contains(path)
                && !for_import_alone.contains(path)
        });
        Self { likely, for_import_alone, others }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &String> {
        let Self { likely, for_import_alone, others } = self;
        likely.iter().chain(for_import_alone).chain(others)
    }
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
    fn spellings_are_all_siblings_the_likely_ones_first() {
        for (path, syntax, likely) in [
            ("/lib/a", Syntax::Scss, ["/lib/_a.scss", "/lib/a.scss"]),
            ("/lib/_a", Syntax::Indented, ["/lib/_a.sass", "/lib/a.sass"]),
            ("/lib/a.css", Syntax::Scss, ["/lib/_a.css", "/lib/a.css"]),
            ("/lib/a.b", Syntax::Scss, ["/lib/_a.b.scss", "/lib/a.b.scss"]),
        ] {
            let spellings = Spellings::new(path, syntax);
            assert_eq!(spellings.likely, likely, "{path}");
            if has_ending(path, "css") {
                assert_eq!(spellings.others, [""; 0], "{path}");
                continue;
            }
            let (mut all, mut expected): (Vec<_>, _) =
                (spellings.all().cloned().collect(), siblings(likely[1]));
            all.sort();
            expected.sort();
            assert_eq!(all, expected, "{path}");
        }
    }

    #[test]
    fn names_that_end_in_import_are_names_of_their_own() {
        let spellings = Spellings::new("/lib/a.import", Syntax::Scss);
        assert_eq!(spellings.likely, ["/lib/_a.import.scss", "/lib/a.import.scss"]);
        assert!(spellings.all().all(|path| path.contains("a.import.")), "{spellings:?}");
    }
}
