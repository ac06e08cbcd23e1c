//! The part of a job that writes: bodies first, the manifest last.

use std::io;

use bytes::Bytes;
use pipeline::{
    job::{Job, Task},
    key::Key,
    manifest::{Good, MANIFEST_VERSION, Manifest, Outcome, StoredBody},
    names::Digest,
    record::{StoredManifest, replace_manifest, write_body},
};
use tokio::task::spawn_blocking;

use super::{
    RunEnd, RunError, Runner,
    attempt::{Attempt, Ended, Made, label_of},
};
use crate::{
    compiler::Compiled,
    compress::encode_all,
    spans::{Span, Spans},
};

impl Runner {
    pub(super) async fn store_attempt(
        &self,
        job: &Job,
        attempt: Attempt,
        spans: &Spans,
    ) -> Result<RunEnd, RunError> {
        let Attempt { standing, sources_read_at, made, closure } = attempt;
        let (ended, to_end): (Ended, fn(StoredManifest) -> RunEnd) = match made {
            Made::Unchanged(ended) => (ended, RunEnd::Unchanged),
            Made::Failed(ended) => (ended, RunEnd::Ran),
            Made::Compiled(Compiled { css, engine }) => {
                let stored = match job.task {
                    // Nobody knows what is stored, or somebody missed it.
                    Task::Compile => None,
                    Task::Revalidate => standing.as_ref().and_then(|standing| standing.manifest.good()),
                };
                let outcome = self.store_bodies(&job.key(), css, stored, spans).await?;
                (Ended { outcome, engine: label_of(engine) }, RunEnd::Ran)
            }
        };
        let Ended { outcome, engine } = ended;
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            outcome,
            closure,
            sources_read_at,
            modified_at: None,
            engine,
            job: job.id.clone(),
            failures: 0,
            last_good: None,
        };
        let key = job.key();
        let written = spans.time(Span::Store, replace_manifest(&*self.store, &key, standing, manifest)).await;
        written.map(to_end).map_err(RunError::Store)
    }

    /// `stored` is what the manifest knows to be stored; the same style sheet again costs no write.
    async fn store_bodies(
        &self,
        key: &Key,
        css: String,
        stored: Option<Good>,
        spans: &Spans,
    ) -> Result<Outcome, RunError> {
        let css = Bytes::from(css);
        let digest = Digest::of(&css);
        if let Some(Good { encodings, .. }) = stored.filter(|good| good.digest == digest) {
            return Ok(Outcome::Compiled { digest, encodings });
        }
        let encoded = spans.time(Span::Compress, spawn_blocking(move || encode_all(css))).await;
        let encoded = encoded.map_err(io::Error::other);
        let bodies = encoded.and_then(|bodies| bodies).map_err(RunError::Compress)?;
        let encodings = bodies
            .iter()
            .map(|(encoding, body)| StoredBody { encoding: *encoding, length: body.len() as u64 });
        let encodings = encodings.collect();
        let writes =
            bodies.into_iter().map(|(encoding, body)| write_body(&*self.store, key, &digest, encoding, body));
        spans.time(Span::Store, futures::future::try_join_all(writes)).await.map_err(RunError::Store)?;
        Ok(Outcome::Compiled { digest, encodings })
    }
}
