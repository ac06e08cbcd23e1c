//! Style sheets compiled as a worker compiles them: the same choice of an engine, in the same confined children,
//! with the files of the disk as the origin.

use std::{env, path::Path, sync::Arc, thread};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use pipeline::options::{CompileOptions, Engine, OutputStyle, SassEngine};
use url::Url;
use worker::{Compiled, Compiler, LoneSheet, origin::FileOrigin, settings::COMPILE_LIMITS};

use crate::{Job, Style, compare::Tolerance, oracle::Outcome};

/// What came of a job, and the engine that the style sheet is of.
pub(super) struct Made {
    pub(super) outcome: Outcome,
    pub(super) engine: Option<SassEngine>,
}

impl Made {
    /// grass follows the Sass of 2022; the colours and places of that are taken as they are.
    pub(super) fn tolerance(&self) -> Tolerance {
        match self.engine {
            Some(SassEngine::Grass) => Tolerance::Old,
            Some(SassEngine::Sasso) | None => Tolerance::Exact,
        }
    }
}

/// Every job by the rule, each in a child of its own, as many at once as there are processors.
#[tokio::main]
pub(super) async fn compile_all(rule: Engine, jobs: &[Job]) -> Result<Vec<Made>> {
    let at_once = thread::available_parallelism().map_or(1, usize::from);
    let program = env::current_exe().context("cannot find this program")?;
    let mut compiler = Compiler::new(program, COMPILE_LIMITS);
    compiler.keep_warm_for(u16::try_from(at_once)?).await.context("cannot run a confined child")?;
    let origin = Arc::new(FileOrigin { root: "/".into(), load_roots: Vec::new() });
    stream::iter(jobs)
        .map(|job| compile(rule, job, &compiler, origin.clone()))
        .buffered(at_once)
        .try_collect()
        .await
}

async fn compile(rule: Engine, job: &Job, compiler: &Compiler, origin: Arc<FileOrigin>) -> Result<Made> {
    let style = match job.style {
        Style::Expanded => OutputStyle::Expanded,
        Style::Compressed => OutputStyle::Compressed,
    };
    let load_paths = job.load_paths.iter().map(|folder| as_text(folder)).collect::<Result<_>>()?;
    let base = Url::parse("file:///").context("no URL")?;
    let options = CompileOptions { engine: rule, style, ..CompileOptions::default() };
    let sheet = LoneSheet::new(origin, base, &as_text(&job.entry)?, options);
    Ok(match sheet.with_load_paths(load_paths).compile(compiler).await {
        Ok(Compiled { css, engine }) => Made { outcome: Ok(css), engine },
        Err(error) => Made { outcome: Err(error), engine: None },
    })
}

fn as_text(path: &Path) -> Result<String> {
    Ok(path.to_str().with_context(|| format!("{} is no text", path.display()))?.to_owned())
}
