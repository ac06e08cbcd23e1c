//! What a style sheet's Sass should become: an engine in this process, reading by itself.

use std::{fs, path::Path, rc::Rc};

use anyhow::{Context, Result, anyhow};

/// The CSS of a style sheet that imports nothing.
pub fn compile(sass: &str) -> Result<String> {
    grass::from_string(sass, &options()).map_err(|error| anyhow!("{error}"))
}

/// The CSS of a style sheet and all that it imports from the folders around it, by each of the engines.
pub fn compile_file(path: &Path) -> Result<[String; 2]> {
    let of_grass = grass::from_path(path, &options()).map_err(|error| anyhow!("{error}"))?;
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let importer = sasso::FsImporter::new(Vec::new());
    let url = path.to_string_lossy();
    let options = sasso::Options::default().with_importer(&importer).with_url(&url);
    let options = options.with_warn_handler(Rc::new(|_| {}));
    let of_sasso = sasso::compile(&text, &options).map_err(|error| anyhow!("{error}"))?;
    Ok([of_grass, of_sasso + "\n"])
}

fn options() -> grass::Options<'static> {
    grass::Options::default().fs(&grass::StdFs).quiet(true)
}
