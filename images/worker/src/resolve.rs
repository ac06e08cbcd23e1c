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

/// The endings that the engine tries for an import without one, in its order.
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
}
