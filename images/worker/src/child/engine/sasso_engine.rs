//! sasso, which follows the current dart-sass.

pub(super) mod importer;
mod indented;
mod large_maps;
mod respelled;

use std::{borrow::Cow, path::Path, rc::Rc};

use pipeline::options::{OutputStyle, SourceMaps};
use sasso::Syntax;
use sourcemap::SourceMap;

use super::{CompileSass, Task};
use crate::child::{
    source_map::{Css, to_originals},
    sources::Sources,
};
use importer::{Folders, LargeMaps, SourcesImporter, Spelling};
use respelled::FALSE_LOOP;

/// Errors spell paths relative to this folder, or absolute where that is shorter; from here it always is.
const NOWHERE: &str = "/1/2/3/4/5/6/7/8";

pub(super) struct Sasso;

impl CompileSass for Sasso {
    fn compile(&self, task: Task<'_>, sources: &dyn Sources) -> Result<Css, String> {
        if sources.has_known(large_maps::has_any) {
            let made =
                compile_with(task, sources, Spelling { large_maps: LargeMaps::AsCalls, folders: None });
            if made.is_ok() {
                return made;
            }
        }
        let made = compile_with(task, sources, Spelling::default());
        match &made {
            Err(error) if error.contains(FALSE_LOOP) => {
                let apart = Spelling { folders: Some(&Folders::default()), ..Spelling::default() };
                match compile_with(task, sources, apart) {
                    Err(again) if again.contains(FALSE_LOOP) => made,
                    other => other,
                }
            }
            Ok(_) | Err(_) => made,
        }
    }
}

fn compile_with(task: Task<'_>, sources: &dyn Sources, spelling: Spelling<'_>) -> Result<Css, String> {
    let Task { entry, load_paths, style, source_maps } = task;
    let style = match style {
        OutputStyle::Expanded => sasso::OutputStyle::Expanded,
        OutputStyle::Compressed => sasso::OutputStyle::Compressed,
    };
    let text = sources.read(entry).map_err(|error| error.to_string())?;
    let text = text.ok_or_else(|| format!("{entry} is not there"))?;
    let importer = SourcesImporter { sources, load_paths, spelling };
    let mut options = sasso::Options::new()
        .with_style(style)
        .with_syntax(syntax_of(entry))
        .with_importer(&importer)
        .with_url(entry)
        .with_cwd(NOWHERE)
        .with_warn_handler(Rc::new(|_| {}));
    // Where there is any such function, each call by any name costs more.
    if spelling.large_maps == LargeMaps::AsCalls {
        options = options.with_function(large_maps::SIGNATURE, large_maps::function());
    }
    let given = importer.spell(entry, &text);
    let (css, map) = match source_maps {
        SourceMaps::None => (sasso::compile(&given, &options).map_err(|error| error.to_string())?, None),
        SourceMaps::Inline => {
            let made = sasso::compile_with_source_map(&given, &options).map_err(|error| error.to_string())?;
            let map = SourceMap::from_slice(made.source_map.to_json().as_bytes());
            (made.css, map.ok().map(|map| to_originals(&map, |path| importer.spelled(path))))
        }
    };
    let mut text = respelled::restore(css);
    // As grass ends its style sheets.
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(Css { text, map })
}

/// The text as sasso can read it.
fn readable(text: &str, syntax: Syntax) -> Cow<'_, str> {
    match syntax {
        Syntax::Sass => match indented::readable(text) {
            Cow::Borrowed(text) => respelled::readable(text),
            Cow::Owned(text) => Cow::Owned(respelled::readable(&text).into_owned()),
        },
        Syntax::Scss => respelled::readable(text),
        Syntax::Css => Cow::Borrowed(text),
    }
}

/// Told by a path's ending, as Sass has it.
fn syntax_of(path: &str) -> Syntax {
    match Path::new(path).extension().and_then(|ending| ending.to_str()) {
        Some("sass") => Syntax::Sass,
        Some("css") => Syntax::Css,
        Some(_) | None => Syntax::Scss,
    }
}
