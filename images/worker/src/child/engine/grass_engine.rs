//! grass, which follows dart-sass 1.54.

use std::{
    borrow::Cow,
    fmt, io,
    path::{Path, PathBuf},
};

use pipeline::options::OutputStyle;

use super::{CompileSass, Task};
use crate::{
    child::{source_map::Css, sources::Sources},
    resolve::normalize,
};

pub(super) struct Grass;

impl CompileSass for Grass {
    fn compile(&self, task: Task<'_>, sources: &dyn Sources) -> Result<Css, String> {
        let Task { entry, load_paths, style, source_maps: _ } = task;
        let style = match style {
            OutputStyle::Expanded => grass::OutputStyle::Expanded,
            OutputStyle::Compressed => grass::OutputStyle::Compressed,
        };
        let files = Files(sources);
        let options = grass::Options::default().fs(&files).load_paths(load_paths).style(style).quiet(true);
        // It puts `./` before the absolute paths that we give it.
        let made = grass::from_path(entry, &options);
        made.map(|text| Css { text, map: None }).map_err(|error| error.to_string().replace("\n.//", "\n/"))
    }
}

/// The sources as a file system.
struct Files<'s>(&'s dyn Sources);

impl fmt::Debug for Files<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Files")
    }
}

impl grass::Fs for Files<'_> {
    /// An origin has no folders to ask for; every path may have an index file below it.
    fn is_dir(&self, _path: &Path) -> bool {
        true
    }

    fn is_file(&self, path: &Path) -> bool {
        // What it makes of an ending that was written is no name that anybody gives a file.
        if path.extension().and_then(|ending| ending.to_str()).is_some_and(|it| it.starts_with("import")) {
            return false;
        }
        // It takes files for `@import` alone for modules, too. A parent that is gone ends this process with the
        // next write.
        normalize(path).is_some_and(|path| !self.0.is_of_module(&path) && self.0.has(&path).unwrap_or(false))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let path = normalize(path).ok_or(io::ErrorKind::NotFound)?;
        let text = self.0.read(&path)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(without_source_map_comments(&text).into_owned().into_bytes())
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        normalize(path).map(PathBuf::from).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Sass drops comments that say where a source map is: they are not about the style sheet that comes of it. grass
/// keeps them.
fn without_source_map_comments(text: &str) -> Cow<'_, str> {
    const BEGINNINGS: [&str; 2] = ["/*# sourceMappingURL=", "/*# sourceURL="];
    let mut kept = Cow::Borrowed(text);
    for beginning in BEGINNINGS {
        while let Some(start) = kept.find(beginning) {
            let Some(length) = kept.get(start..).and_then(|comment| comment.find("*/")) else { break };
            kept.to_mut().replace_range(start..start + length + 2, "");
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_about_source_maps_are_not_handed_over() {
        let text = "a { b: c } /*# sourceMappingURL=a.css.map */\n/*# sourceURL=a */ /* d */ /*# sourceURL=";
        assert_eq!(without_source_map_comments(text), "a { b: c } \n /* d */ /*# sourceURL=");
        assert!(matches!(without_source_map_comments("a { b: c }"), Cow::Borrowed(_)));
    }
}
