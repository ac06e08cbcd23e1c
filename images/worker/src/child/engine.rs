//! The engines behind one trait, and the choice between them.
//!
//! The choice depends on nothing but the sources and the options, so two workers that compile the same make
//! the same. An engine that the kernel ends for its CPU time, memory or stack takes this process with it, and
//! no other one is tried: hostile input does not cost twice. What both use together is what one may use, since
//! they share the process.

mod foresight;
mod grass_engine;
mod sasso_engine;
#[cfg(test)]
mod tests;

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
};

use pipeline::options::{Engine, OutputStyle, SassEngine, SourceMaps};

use super::{
    scan::{self, WatchedSources},
    source_map::Css,
    sources::Sources,
};
pub(super) use foresight::Foresight;
use foresight::foresee;
use grass_engine::Grass;
use sasso_engine::Sasso;

/// One style sheet to compile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task<'t> {
    /// Absolute path; its ending tells the syntax.
    pub(super) entry: &'t str,
    pub(super) load_paths: &'t [String],
    pub(super) style: OutputStyle,
    pub(super) source_maps: SourceMaps,
}

/// A Sass compiler. Reads nothing but what `sources` give; the error is as it shows it to people, with paths
/// as the site's owner knows them.
trait CompileSass {
    fn compile(&self, task: Task<'_>, sources: &dyn Sources) -> Result<Css, String>;
}

/// The CSS, or the error of the engine that ran last. `begin` is told of each engine before it runs.
pub(super) fn compile(
    rule: Engine,
    task: Task<'_>,
    sources: &dyn Sources,
    mut begin: impl FnMut(SassEngine) -> io::Result<()>,
) -> io::Result<Result<Css, String>> {
    match rule {
        Engine::Auto => choose(task, sources, begin),
        Engine::Grass => begin(SassEngine::Grass).map(|()| run(&Grass, task, sources)),
        Engine::Sasso => begin(SassEngine::Sasso).map(|()| run(&Sasso, task, sources)),
    }
}

/// grass, unless it reports an error or is known to get something of this wrong: then sasso, unless that in its
/// turn is known to get something of this wrong.
fn choose(
    task: Task<'_>,
    sources: &dyn Sources,
    mut begin: impl FnMut(SassEngine) -> io::Result<()>,
) -> io::Result<Result<Css, String>> {
    let foresight = foresee(task, sources, &scan::GRASS)?;
    let of_grass = if foresight.scan.found().is_some() {
        None
    } else {
        begin(SassEngine::Grass)?;
        let watched = WatchedSources::until_found(sources, foresight);
        Some(run(&Grass, task, &watched)).filter(|_| watched.found().is_none())
    };
    if let Some(Ok(css)) = of_grass {
        return Ok(Ok(css));
    }
    begin(SassEngine::Sasso)?;
    let watched = WatchedSources::to_the_end(sources, &scan::SASSO);
    let of_sasso = run(&Sasso, task, &watched);
    let Some(wrong) = watched.found() else { return Ok(of_sasso) };
    begin(SassEngine::Grass)?;
    let of_grass = of_grass.unwrap_or_else(|| run(&Grass, task, sources));
    match &of_grass {
        Err(error) if !wrong.missed.is_some_and(|missed| error.contains(missed)) => {
            begin(SassEngine::Sasso)?;
            Ok(run(&Sasso, task, sources))
        }
        Ok(_) | Err(_) => Ok(of_grass),
    }
}

/// Whether an engine has panicked in this process: what that leaves half done is not to be relied on.
pub(super) fn has_panicked() -> bool {
    HAS_PANICKED.load(Ordering::Relaxed)
}

static HAS_PANICKED: AtomicBool = AtomicBool::new(false);

/// A panic is an error of the engine's.
fn run(engine: &dyn CompileSass, task: Task<'_>, sources: &dyn Sources) -> Result<Css, String> {
    // What a panic leaves half done is the engine's own, and the sources remember only whole answers.
    catch_unwind(AssertUnwindSafe(|| engine.compile(task, sources))).unwrap_or_else(|_| {
        HAS_PANICKED.store(true, Ordering::Relaxed);
        Err("the compiler failed on this style sheet".to_owned())
    })
}
