//! Denser bodies of what was compiled, made once nobody waits any more: brotli at its highest quality takes some
//! fifty times as long as what visitors wait for.
//!
//! One style sheet at a time, on a thread that every other one goes before. What finds no room, or is not done
//! when the worker stops, is served as it is.

use std::{io, sync::Arc, thread};

use bytes::Bytes;
use pipeline::{
    Error, chain,
    key::{Encoding, Key},
    manifest::{Good, Outcome, StoredBody},
    names::Digest,
    ports::Store,
    record::{StoredManifest, add_encoding, read_body, read_manifest, write_body},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use crate::compress::encode_densely;

/// Style sheets that wait.
const MAX_WAITING: usize = 1_000;
/// Of smaller bodies there is next to nothing to be saved: a packet carries more.
const MIN_BYTES: u64 = 1_400;
/// The lowest priority, as `nice` counts.
const LOWEST_PRIORITY: i32 = 19;

/// A style sheet whose body may be denser.
struct Sheet {
    key: Key,
    digest: Digest,
}

/// The way to have bodies made denser. They are for as long as this lives.
pub(crate) struct DenseBodies {
    sheets: mpsc::Sender<Sheet>,
    _making: AbortOnDropHandle<()>,
}

/// Why a body is no denser than it was.
#[derive(Debug, thiserror::Error)]
enum DenseError {
    #[error("could not read or write the style sheet")]
    Store(#[from] Error),
    #[error("could not compress the style sheet")]
    Compress(#[from] io::Error),
}

impl DenseBodies {
    /// Needs a runtime to be running.
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        let (sheets, mut waiting) = mpsc::channel::<Sheet>(MAX_WAITING);
        let making = async move {
            while let Some(sheet) = waiting.recv().await {
                if let Err(error) = make(&*store, &sheet).await {
                    tracing::warn!(key = %sheet.key, error = chain(&error), "a style sheet stays as dense as it is");
                }
            }
        };
        Self { sheets, _making: AbortOnDropHandle::new(tokio::spawn(making)) }
    }

    /// Has the manifest's style sheet made denser, where that is worth it.
    pub(crate) fn offer(&self, key: Key, standing: &StoredManifest) {
        let Outcome::Compiled { digest, encodings } = &standing.manifest.outcome else { return };
        let length =
            |encoding| encodings.iter().find(|body| body.encoding == encoding).map(|body| body.length);
        let is_worth_it = length(Encoding::Br).is_some_and(|length| length >= MIN_BYTES);
        if is_worth_it && length(Encoding::Br11).is_none() {
            // Where there is no room, nothing is lost.
            self.sheets.try_send(Sheet { key, digest: digest.clone() }).ok();
        }
    }
}

async fn make(store: &dyn Store, Sheet { key, digest }: &Sheet) -> Result<(), DenseError> {
    let standing = read_manifest(store, key).await?;
    let good = standing.and_then(|standing| standing.manifest.good()).filter(|good| good.digest == *digest);
    let is_made = |good: Good| good.encodings.iter().any(|body| body.encoding == Encoding::Br11);
    if good.is_none_or(is_made) {
        return Ok(());
    }
    let css = read_body(store, key, digest, Encoding::Identity).await?;
    let dense = compress(css).await?;
    let added = StoredBody { encoding: Encoding::Br11, length: dense.len() as u64 };
    write_body(store, key, digest, Encoding::Br11, dense).await?;
    let is_added = add_encoding(store, key, digest, &added).await?;
    tracing::debug!(%key, body.bytes = added.length, is_added, "made a denser body");
    Ok(())
}

/// On a thread of its own, since a priority cannot be given back.
async fn compress(css: Bytes) -> io::Result<Bytes> {
    let (done, dense) = oneshot::channel();
    let compress = move || {
        // Where the kernel does not allow it, it takes its turn with the others.
        rustix::process::nice(LOWEST_PRIORITY).ok();
        // Who waits for it may be gone.
        done.send(encode_densely(&css)).ok();
    };
    thread::Builder::new().name("dense".to_owned()).spawn(compress)?;
    dense.await.map_err(io::Error::other)?
}
