//! Which file an import means: the rules of dart-sass (`lib/src/importer/utils.dart`).

use std::{cell::RefCell, path::Path};

use sasso::{CanonicalUrl, CanonicalizeContext, Importer, ImporterError, ImporterResult, Syntax};

use super::{large_maps, readable, respelled::tell_imports_apart, syntax_of};
use crate::{
    child::{source_map::Spelled, sources::Sources},
    resolve::normalize,
};

/// Looks beside the importing file first, then in the load paths.
pub(super) struct SourcesImporter<'s> {
    pub(super) sources: &'s dyn Sources,
    pub(super) load_paths: &'s [String],
    pub(super) spelling: Spelling<'s>,
}

/// How sources are spelled beyond what makes them readable.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spelling<'s> {
    /// Where imports are to be such that no two folders have the same: the folders that have been met.
    pub(super) folders: Option<&'s Folders>,
    pub(super) large_maps: LargeMaps,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum LargeMaps {
    #[default]
    AsWritten,
    AsCalls,
}

/// Folders in the order in which something of theirs was read.
#[derive(Debug, Default)]
pub(super) struct Folders(RefCell<Vec<String>>);

impl Folders {
    fn number_of(&self, path: &str) -> usize {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut known = self.0.borrow_mut();
        known.iter().position(|known| known == folder).unwrap_or_else(|| {
            known.push(folder.to_owned());
            known.len() - 1
        })
    }
}

impl SourcesImporter<'_> {
    /// The text such that sasso makes of it what it means.
    pub(super) fn spell(&self, path: &str, text: &str) -> String {
        let Spelling { folders, large_maps } = self.spelling;
        let text = readable(text, syntax_of(path));
        let text = match (large_maps, syntax_of(path)) {
            (LargeMaps::AsCalls, Syntax::Scss) => large_maps::as_calls(&text).into_owned(),
            (LargeMaps::AsCalls | LargeMaps::AsWritten, _) => text.into_owned(),
        };
        match folders {
            Some(folders) => tell_imports_apart(&text, folders.number_of(path)).into_owned(),
            None => text,
        }
    }

    /// What sasso was given of a source that it has read.
    pub(super) fn spelled(&self, path: &str) -> Option<Spelled> {
        let text = self.sources.peek(path)?;
        Some(Spelled { given: self.spell(path, &text), original: text.to_string() })
    }
}

/// The file that a URL means in the file at `containing`.
pub(in super::super) fn find(
    sources: &dyn Sources,
    load_paths: &[String],
    containing: &str,
    url: &str,
    for_import: bool,
) -> Result<Option<String>, ImporterError> {
    if url.contains("://") || url.starts_with("//") {
        return Ok(None);
    }
    let own = Path::new(containing).parent().unwrap_or(Path::new("/"));
    for folder in [own].into_iter().chain(load_paths.iter().map(Path::new)) {
        let Some(path) = normalize(&folder.join(url)) else { continue };
        if let Some(found) = (Search { sources, for_import }).find(&path)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

impl Importer for SourcesImporter<'_> {
    fn canonicalize(
        &self,
        url: &str,
        context: &CanonicalizeContext<'_>,
    ) -> Result<Option<CanonicalUrl>, ImporterError> {
        let containing = context.containing_url.map_or("/", CanonicalUrl::as_str);
        let found = find(self.sources, self.load_paths, containing, url, context.from_import)?;
        Ok(found.map(CanonicalUrl::new))
    }

    fn load(&self, canonical: &CanonicalUrl) -> Result<Option<ImporterResult>, ImporterError> {
        let path = canonical.as_str();
        let text = self.sources.read(path).map_err(|error| failed(&error))?;
        Ok(text.map(|text| ImporterResult {
            contents: self.spell(path, &text),
            syntax: syntax_of(path),
            source_map_url: None,
        }))
    }
}

/// One look for an import in one folder.
struct Search<'s> {
    sources: &'s dyn Sources,
    /// Whether files that are for `@import` alone count.
    for_import: bool,
}

impl Search<'_> {
    fn find(&self, path: &str) -> Result<Option<String>, ImporterError> {
        if let Some((stem, ending)) = split_ending(path) {
            if let Some(found) = self.for_import_alone(|| self.only(&[format!("{stem}.import.{ending}")]))? {
                return Ok(Some(found));
            }
            return self.only(&[path.to_owned()]);
        }
        if let Some(found) = self.by_stem(path)? {
            return Ok(Some(found));
        }
        self.by_stem(&format!("{path}/index"))
    }

    fn by_stem(&self, stem: &str) -> Result<Option<String>, ImporterError> {
        match self.for_import_alone(|| self.with_endings(&format!("{stem}.import")))? {
            Some(found) => Ok(Some(found)),
            None => self.with_endings(stem),
        }
    }

    fn with_endings(&self, stem: &str) -> Result<Option<String>, ImporterError> {
        match self.only(&[format!("{stem}.sass"), format!("{stem}.scss")])? {
            Some(found) => Ok(Some(found)),
            None => self.only(&[format!("{stem}.css")]),
        }
    }

    fn for_import_alone(
        &self,
        look: impl FnOnce() -> Result<Option<String>, ImporterError>,
    ) -> Result<Option<String>, ImporterError> {
        if self.for_import { look() } else { Ok(None) }
    }

    /// The one of these that is there, each with or without `_`.
    fn only(&self, paths: &[String]) -> Result<Option<String>, ImporterError> {
        let mut found = Vec::new();
        for path in paths.iter().flat_map(|path| [as_partial(path), path.clone()]) {
            if self.sources.has(&path).map_err(|error| failed(&error))? {
                found.push(path);
            }
        }
        if found.len() > 1 {
            let message = format!("It's not clear which file to import. Found:\n  {}", found.join("\n  "));
            return Err(ImporterError { message });
        }
        Ok(found.pop())
    }
}

fn split_ending(path: &str) -> Option<(&str, &str)> {
    path.rsplit_once('.').filter(|(_, ending)| matches!(*ending, "sass" | "scss" | "css"))
}

fn as_partial(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    format!("{folder}/_{name}")
}

fn failed(error: &std::io::Error) -> ImporterError {
    ImporterError { message: error.to_string() }
}
