//! What a style sheet's Sass should become: grass in this process, reading by itself.

use std::path::Path;

use anyhow::{Result, anyhow};

/// The CSS of a style sheet that imports nothing.
pub fn compile(sass: &str) -> Result<String> {
    grass::from_string(sass, &options()).map_err(|error| anyhow!("{error}"))
}

/// The CSS of a style sheet and all that it imports from the folders around it.
pub fn compile_file(path: &Path) -> Result<String> {
    grass::from_path(path, &options()).map_err(|error| anyhow!("{error}"))
}

fn options() -> grass::Options<'static> {
    grass::Options::default().fs(&grass::StdFs).quiet(true)
}
