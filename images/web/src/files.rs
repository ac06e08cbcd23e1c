//! Manifests and bodies: from memory where they are remembered, else from the store.

use std::sync::Arc;

use bytes::Bytes;
use moka::future::Cache;
use pipeline::{
    Error,
    key::{Encoding, Key},
    manifest::{Closure, Good, Manifest, Outcome},
    ports::Store,
    record::{read_body, read_manifest},
};

use crate::ready::Marks;

/// Bytes of manifests that one pod remembers, without their closures.
const MAX_MANIFEST_BYTES: u64 = 32 << 20;
/// What a remembered manifest takes beside its message, about.
const MANIFEST_BYTES: usize = 1 << 10;
/// Bytes of bodies that one pod remembers.
const MAX_BODY_BYTES: u64 = 64 << 20;

/// What one pod knows of the store.
pub(crate) struct Files {
    store: Arc<dyn Store>,
    manifests: Cache<Key, Arc<Manifest>>,
    /// By object name; bodies are immutable, so what is remembered stays true.
    bodies: Cache<String, Bytes>,
    /// Changes of what is remembered, for those who keep answers.
    pub(crate) marks: Marks,
}

impl Files {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self::with_room(store, MAX_BODY_BYTES)
    }

    /// Both memories admit by frequency (TinyLFU): what is asked for once does not displace what is asked
    /// for often.
    fn with_room(store: Arc<dyn Store>, body_bytes: u64) -> Self {
        let weigh = |name: &String, body: &Bytes| u32::try_from(name.len() + body.len()).unwrap_or(u32::MAX);
        Self {
            store,
            manifests: Cache::builder().max_capacity(MAX_MANIFEST_BYTES).weigher(weigh_manifest).build(),
            bodies: Cache::builder().max_capacity(body_bytes).weigher(weigh).build(),
            marks: Marks::default(),
        }
    }

    /// The manifest as it was when this pod last read it.
    pub(crate) async fn remembered(&self, key: &Key) -> Option<Arc<Manifest>> {
        self.manifests.get(key).await
    }

    /// The manifest as it stands in the store now.
    pub(crate) async fn read(&self, key: &Key) -> Result<Option<Arc<Manifest>>, Error> {
        let Some(stored) = read_manifest(&*self.store, key).await? else { return Ok(None) };
        let manifest = Arc::new(without_closures(stored.manifest));
        Box::pin(self.note(key, &manifest)).await;
        Ok(Some(manifest))
    }

    async fn note(&self, key: &Key, manifest: &Arc<Manifest>) {
        let known = self.manifests.get(key).await;
        self.manifests.insert(key.clone(), manifest.clone()).await;
        if known.as_ref() != Some(manifest) {
            self.marks.change(key);
        }
    }

    /// Remembers a manifest that another pod has read, unless a later one is remembered.
    pub(crate) async fn remember(&self, key: &Key, manifest: Arc<Manifest>) {
        let known = self.remembered(key).await;
        if known.is_none_or(|known| known.sources_read_at <= manifest.sources_read_at) {
            self.manifests.insert(key.clone(), manifest).await;
            self.marks.change(key);
        }
    }

    pub(crate) async fn body(&self, key: &Key, good: &Good, encoding: Encoding) -> Result<Bytes, Error> {
        let name = key.body_object(&good.digest, encoding);
        // However many ask at the same time, the store is read once.
        let read = read_body(&*self.store, key, &good.digest, encoding);
        self.bodies
            .try_get_with(name, read)
            .await
            .map_err(|shared| Error::of_shared(shared, format!("read the body of {key}")))
    }
}

fn weigh_manifest(_key: &Key, manifest: &Arc<Manifest>) -> u32 {
    let message = match &manifest.outcome {
        Outcome::Compiled { .. } => 0,
        Outcome::CompileError { message }
        | Outcome::SourceNotFound { message }
        | Outcome::Abandoned { message }
        | Outcome::OriginFailed { message, .. } => message.len(),
    };
    u32::try_from(MANIFEST_BYTES + message).unwrap_or(u32::MAX)
}

/// Visitors are answered without the closure, which can be much larger than all the rest.
fn without_closures(mut manifest: Manifest) -> Manifest {
    manifest.closure = Closure::default();
    if let Some(good) = &mut manifest.last_good {
        good.closure = Closure::default();
    }
    manifest
}

#[cfg(test)]
mod tests;
