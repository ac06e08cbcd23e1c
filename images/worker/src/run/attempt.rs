//! The part of a job that only reads: from the manifest that is there to a style sheet, or to why there is none.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use pipeline::{
    job::{Job, Task},
    manifest::{Closure, Manifest, OriginFailure, Outcome},
    options::SassEngine,
    ports::OriginError,
    record::StoredManifest,
};
use tokio::time::{Instant, error::Elapsed, timeout_at};

use super::{Early, RunError, Runner};
use crate::{
    closure::{Revalidation, Sources, SourcesError},
    compiler::{CompileError, Compiled, Recipe},
    make::make,
    spans::Spans,
};

/// What an attempt came to, before anything of it is stored.
pub(super) struct Attempt {
    /// The manifest that was there when the attempt began.
    pub(super) standing: Option<StoredManifest>,
    pub(super) sources_read_at: Timestamp,
    pub(super) made: Made,
    pub(super) closure: Closure,
}

pub(super) enum Made {
    Compiled(Compiled),
    /// The origin has what it had when this came out.
    Unchanged(Ended),
    Failed(Ended),
}

/// An outcome, and the engine that it is from as manifests tell it.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) engine: String,
}

/// What came out of making, or that there was no time for it.
type Making = Result<Result<(Made, Closure), CompileError>, Elapsed>;

/// An outcome that holds for as long as its closure does not change.
struct Base {
    ended: Ended,
    closure: Closure,
}

impl Base {
    /// What an origin that did not answer was asked for is unknown, and what an attempt without an end was, but
    /// what was good before is not.
    fn of(manifest: Manifest) -> Option<Self> {
        let base = match manifest.outcome {
            Outcome::OriginFailed { .. } | Outcome::Abandoned { .. } => {
                let good = manifest.last_good?;
                let outcome = Outcome::Compiled { digest: good.digest, encodings: good.encodings };
                Self { ended: Ended { outcome, engine: good.engine }, closure: good.closure }
            }
            outcome @ (Outcome::Compiled { .. }
            | Outcome::CompileError { .. }
            | Outcome::SourceNotFound { .. }) => {
                Self { ended: Ended { outcome, engine: manifest.engine }, closure: manifest.closure }
            }
        };
        (!base.closure.is_empty()).then_some(base)
    }
}

impl Runner {
    /// Fetching and compiling end at the deadline.
    pub(super) async fn attempt(
        &self,
        job: &Job,
        deadline: Instant,
        spans: &Arc<Spans>,
    ) -> Result<Attempt, Early> {
        let sources_read_at = Timestamp::now();
        let limit = deadline.saturating_duration_since(Instant::now());
        let origin = self.credentials.in_front_of(self.origin.clone(), &job.origin).await;
        let origin = self.source_cache.in_front_of(origin, &job.tenant_id);
        let mut sources = Sources::new(spans.watch(origin), job.origin.clone(), self.source_limits);
        let (standing, making) = match job.task {
            Task::Compile => self.make_anew(job, deadline, &mut sources, spans).await?,
            Task::Revalidate => {
                let standing = self.check(job).await?;
                let base = standing.clone().and_then(|standing| Base::of(standing.manifest));
                let making = timeout_at(deadline, self.make_from(job, base, &mut sources, spans)).await;
                (standing, making)
            }
        };
        let (made, closure) = name_end(job, making, &sources, limit).map_err(Early::Failed)?;
        Ok(Attempt { standing, sources_read_at, made, closure })
    }

    /// Nobody knows of a manifest, so the first source is fetched while the store is asked whether there is one.
    async fn make_anew(
        &self,
        job: &Job,
        deadline: Instant,
        sources: &mut Sources,
        spans: &Spans,
    ) -> Result<(Option<StoredManifest>, Making), Early> {
        let candidates = job.path.sources();
        let first = async { Ok(timeout_at(deadline, sources.find_first(&candidates)).await) };
        let (standing, first) = tokio::try_join!(self.check(job), first)?;
        let making = match first {
            Ok(Ok(entry)) => timeout_at(deadline, self.compile(job, entry, sources, spans)).await,
            Ok(Err(error)) => Ok(Err(CompileError::Sources(error))),
            Err(late) => Err(late),
        };
        Ok((standing, making))
    }

    /// Compiles only where the origin does not have any more what the base was made from.
    async fn make_from(
        &self,
        job: &Job,
        base: Option<Base>,
        sources: &mut Sources,
        spans: &Spans,
    ) -> Result<(Made, Closure), CompileError> {
        if let Some(Base { ended, closure }) = base {
            match sources.revalidate(closure).await.map_err(CompileError::Sources)? {
                Revalidation::Unchanged(closure) => return Ok((Made::Unchanged(ended), closure)),
                Revalidation::Changed => {}
            }
        }
        let entry = sources.find_first(&job.path.sources()).await.map_err(CompileError::Sources)?;
        self.compile(job, entry, sources, spans).await
    }

    async fn compile(
        &self,
        job: &Job,
        entry: Option<String>,
        sources: &mut Sources,
        spans: &Spans,
    ) -> Result<(Made, Closure), CompileError> {
        let entry = entry.ok_or_else(|| CompileError::Absent { candidates: job.path.sources() })?;
        let recipe = Recipe {
            tenant: Some(&job.tenant_id),
            entry: &entry,
            load_paths: &job.load_paths,
            site: job.rebase_to.as_ref(),
            options: &job.options,
        };
        let compiled = make(&self.compiler, recipe, sources, spans).await?;
        Ok((Made::Compiled(compiled), sources.closure()))
    }
}

/// `limit` is the time that there was.
fn name_end(
    job: &Job,
    making: Making,
    sources: &Sources,
    limit: Duration,
) -> Result<(Made, Closure), RunError> {
    match making {
        Ok(Ok(made)) => Ok(made),
        // What was not asked for any more is missing, so nothing can be said of this closure later.
        Ok(Err(CompileError::Sources(SourcesError::TooMuch(message)))) => {
            Ok((Made::Failed(without_engine(Outcome::CompileError { message })), Closure::default()))
        }
        Ok(Err(error)) => Ok((Made::Failed(name_ended(error)?), sources.closure())),
        Err(_) if sources.is_fetching() => {
            let message = format!("{} did not give all sources within {limit:.1?}", job.origin);
            let outcome = Outcome::OriginFailed { failure: OriginFailure::TimedOut, message };
            Ok((Made::Failed(without_engine(outcome)), sources.closure()))
        }
        Err(_) => Err(RunError::Starved),
    }
}

/// What is the tenant's doing becomes an outcome; what is ours stays an error.
fn name_ended(error: CompileError) -> Result<Ended, RunError> {
    let failed = |failure, message| Ok(without_engine(Outcome::OriginFailed { failure, message }));
    match error {
        CompileError::Sass { message, engine } => {
            let engine = label_of(engine);
            Ok(Ended { outcome: Outcome::CompileError { message }, engine })
        }
        CompileError::Sources(SourcesError::TooMuch(message)) => {
            Ok(without_engine(Outcome::CompileError { message }))
        }
        CompileError::Absent { .. } => {
            Ok(without_engine(Outcome::SourceNotFound { message: error.to_string() }))
        }
        CompileError::Sources(SourcesError::Origin(error)) => match error {
            OriginError::TimedOut(message) => failed(OriginFailure::TimedOut, message),
            OriginError::Failed(message) | OriginError::Refused(message) => {
                failed(OriginFailure::Failed, message)
            }
        },
        CompileError::Child(_) => Err(RunError::Compile(error)),
    }
}

fn without_engine(outcome: Outcome) -> Ended {
    Ended { outcome, engine: label_of(None) }
}

/// As manifests tell it: empty for none.
pub(super) fn label_of(engine: Option<SassEngine>) -> String {
    engine.map_or_else(String::new, |engine| engine.label().to_owned())
}
