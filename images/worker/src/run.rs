//! One job, from its sources to its stored outcome.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use pipeline::{
    Error,
    job::Job,
    key::Key,
    manifest::{MANIFEST_VERSION, Manifest, OriginFailure, Outcome, StoredBody},
    names::Digest,
    ports::{Origin, OriginError, Store},
    record::{StoredManifest, write_body, write_manifest},
};
use tokio::{task::spawn_blocking, time::timeout};

use crate::{
    closure::{SourceLimits, Sources, SourcesError},
    compiler::{CompileError, Compiler},
    compress::encode_all,
};

/// What a job needs to run.
pub(crate) struct Runner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) origin: Arc<dyn Origin>,
    pub(crate) compiler: Compiler,
    pub(crate) source_limits: SourceLimits,
    /// For the whole attempt: fetching, compiling and storing.
    pub(crate) run_limit: Duration,
}

/// Why a job has no outcome: nothing is known of the style sheet, and another try may end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("could not store the outcome")]
    Store(#[source] Error),
    #[error("could not compile")]
    Compile(#[source] CompileError),
    #[error("could not compress the style sheet")]
    Compress(#[source] io::Error),
    /// The origin had answered: this worker was too busy.
    #[error("there was no time to compile: the worker has more jobs than CPU")]
    Starved,
    #[error("there was no time to store the outcome")]
    StoreTimedOut,
}

impl Runner {
    /// Runs the job and stores its outcome, whatever it is; gives the manifest that stands in the store.
    pub(crate) async fn run(&self, job: &Job) -> Result<StoredManifest, RunError> {
        timeout(self.run_limit, self.run_to_end(job)).await.unwrap_or(Err(RunError::StoreTimedOut))
    }

    async fn run_to_end(&self, job: &Job) -> Result<StoredManifest, RunError> {
        let sources_read_at = Timestamp::now();
        let mut sources = Sources::new(self.origin.clone(), job.origin.clone(), self.source_limits);
        let attempt = timeout(self.compile_limit(), self.compile(job, &mut sources)).await;
        let outcome = match attempt {
            Ok(Ok(css)) => self.store_bodies(&job.key(), css).await?,
            Ok(Err(error)) => name_outcome(error)?,
            Err(_) if sources.is_fetching() => Outcome::OriginFailed {
                failure: OriginFailure::TimedOut,
                message: format!("{} did not give all sources within {:?}", job.origin, self.compile_limit()),
            },
            Err(_) => return Err(RunError::Starved),
        };
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            outcome,
            closure: sources.closure(),
            sources_read_at,
            modified_at: None,
            engine: job.options.engine.label(),
            job: job.id.clone(),
            last_good: None,
        };
        write_manifest(&*self.store, &job.key(), manifest).await.map_err(RunError::Store)
    }

    /// Fetching and compiling leave a fifth of the attempt to storing.
    fn compile_limit(&self) -> Duration {
        self.run_limit * 4 / 5
    }

    async fn compile(&self, job: &Job, sources: &mut Sources) -> Result<String, CompileError> {
        let entry = job.path.source();
        if sources.read(&entry).await.map_err(CompileError::Sources)?.is_none() {
            return Err(CompileError::Absent { entry });
        }
        self.compiler.compile(&entry, &job.load_paths, &job.options, sources).await
    }

    async fn store_bodies(&self, key: &Key, css: String) -> Result<Outcome, RunError> {
        let css = Bytes::from(css);
        let digest = Digest::of(&css);
        let encoded = spawn_blocking(move || encode_all(css)).await.map_err(io::Error::other);
        let bodies = encoded.and_then(|bodies| bodies).map_err(RunError::Compress)?;
        let encodings = bodies
            .iter()
            .map(|(encoding, body)| StoredBody { encoding: *encoding, length: body.len() as u64 });
        let encodings = encodings.collect();
        let writes =
            bodies.into_iter().map(|(encoding, body)| write_body(&*self.store, key, &digest, encoding, body));
        futures::future::try_join_all(writes).await.map_err(RunError::Store)?;
        Ok(Outcome::Compiled { digest, encodings })
    }
}

/// What is the tenant's doing becomes an outcome; what is ours stays an error.
fn name_outcome(error: CompileError) -> Result<Outcome, RunError> {
    let failed = |failure, message| Ok(Outcome::OriginFailed { failure, message });
    match error {
        CompileError::Sass(message) | CompileError::Sources(SourcesError::TooMuch(message)) => {
            Ok(Outcome::CompileError { message })
        }
        CompileError::Absent { entry } => {
            Ok(Outcome::SourceNotFound { message: format!("the origin has no {entry}") })
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
