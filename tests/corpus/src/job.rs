//! What an engine is asked to compile: files on the disk, named by an entry and load paths.

use std::path::PathBuf;

use serde::Serialize;

/// One style sheet to compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Unique in a run: area and name of a case, or name of a code base.
    pub name: String,
    /// The entry's path; its extension tells the syntax.
    pub entry: PathBuf,
    /// Folders where imports are looked up that are not beside the file that imports.
    pub load_paths: Vec<PathBuf>,
    pub style: Style,
}

/// How the CSS is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    Expanded,
    Compressed,
}
