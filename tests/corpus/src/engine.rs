//! The engines as they come from their crates: nothing of ours around them.

use std::fs;

use corpus::{Job, Style, compare::Tolerance};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Engine {
    Grass,
    Sasso,
}

impl Engine {
    /// grass follows the Sass of 2022; the colours and places of that are taken as they are.
    pub(crate) fn tolerance(self) -> Tolerance {
        match self {
            Self::Grass => Tolerance::Old,
            Self::Sasso => Tolerance::Exact,
        }
    }
}

pub(crate) const ALL: [Engine; 2] = [Engine::Grass, Engine::Sasso];

/// The engine's CSS or its error. May abort the process or never return.
pub(crate) fn compile_with(engine: Engine, job: &Job) -> Result<String, String> {
    match engine {
        Engine::Grass => compile_with_grass(job),
        Engine::Sasso => compile_with_sasso(job),
    }
}

fn compile_with_grass(job: &Job) -> Result<String, String> {
    let style = match job.style {
        Style::Expanded => grass::OutputStyle::Expanded,
        Style::Compressed => grass::OutputStyle::Compressed,
    };
    let options = grass::Options::default().load_paths(&job.load_paths).style(style).quiet(true);
    grass::from_path(&job.entry, &options).map_err(|error| error.to_string())
}

fn compile_with_sasso(job: &Job) -> Result<String, String> {
    let style = match job.style {
        Style::Expanded => sasso::OutputStyle::Expanded,
        Style::Compressed => sasso::OutputStyle::Compressed,
    };
    let syntax = match job.entry.extension().and_then(|extension| extension.to_str()) {
        Some("sass") => sasso::Syntax::Sass,
        Some("css") => sasso::Syntax::Css,
        _ => sasso::Syntax::Scss,
    };
    let source = fs::read_to_string(&job.entry).map_err(|error| error.to_string())?;
    let importer = sasso::FsImporter::new(job.load_paths.clone());
    let url = job.entry.to_string_lossy();
    let options = sasso::Options::default()
        .with_style(style)
        .with_syntax(syntax)
        .with_importer(&importer)
        .with_url(&url)
        .with_warn_handler(std::rc::Rc::new(|_| ()));
    sasso::compile(&source, &options).map_err(|error| error.to_string())
}
