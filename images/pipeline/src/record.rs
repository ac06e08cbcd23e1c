//! Reading and writing manifests and bodies: the rules that keep the store's truth true.

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    Error, ErrorKind,
    key::{Encoding, Key},
    manifest::{Good, MANIFEST_VERSION, Manifest, Outcome, StoredBody},
    names::Digest,
    ports::{Condition, ETag, PutOutcome, Store},
};

/// How often a manifest's write is tried against concurrent writers before the job is left to redelivery.
const MAX_WRITE_ATTEMPTS: u32 = 8;

/// A manifest with the entity tag of the version that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    pub manifest: Manifest,
    pub etag: ETag,
}

/// The key's manifest, or `None` where no job of it has ended yet.
pub async fn read_manifest(store: &dyn Store, key: &Key) -> Result<Option<StoredManifest>, Error> {
    let name = key.manifest_object();
    let Some(object) = store.get(&name).await? else { return Ok(None) };
    let invalid = || Error::new(ErrorKind::Invalid, format!("read manifest {name}"));
    let manifest: Manifest =
        serde_json::from_slice(&object.body).map_err(|source| invalid().with_source(source))?;
    if manifest.version != MANIFEST_VERSION {
        return Err(invalid().with_source(format!("its version is {}", manifest.version)));
    }
    Ok(Some(StoredManifest { manifest, etag: object.etag }))
}

/// Reads the key's manifest and does as [`replace_manifest`].
pub async fn write_manifest(
    store: &dyn Store,
    key: &Key,
    manifest: Manifest,
) -> Result<StoredManifest, Error> {
    let standing = read_manifest(store, key).await?;
    replace_manifest(store, key, standing, manifest).await
}

/// Stores the manifest, unless the store has one whose sources were read later; gives the one that stands.
///
/// `standing` is the manifest as it was last read; it is read again only where another writer came between.
/// A failure takes over the last good file of the manifest that it replaces. Bodies must have been stored
/// before: whoever reads a manifest finds them.
pub async fn replace_manifest(
    store: &dyn Store,
    key: &Key,
    mut standing: Option<StoredManifest>,
    manifest: Manifest,
) -> Result<StoredManifest, Error> {
    let name = key.manifest_object();
    for _ in 0..MAX_WRITE_ATTEMPTS {
        let (next, condition) = match standing {
            Some(standing) if stands(&standing.manifest, &manifest) => return Ok(standing),
            Some(standing) => {
                (succeed(&standing.manifest, manifest.clone()), Condition::IfMatch(standing.etag))
            }
            None => (begin(manifest.clone()), Condition::IfAbsent),
        };
        match store.put(&name, Bytes::from(to_json(&next)), condition).await? {
            PutOutcome::Stored(etag) => return Ok(StoredManifest { manifest: next, etag }),
            PutOutcome::PreconditionFailed => standing = read_manifest(store, key).await?,
        }
    }
    let attempted = format!("write manifest {name} against {MAX_WRITE_ATTEMPTS} concurrent writers");
    Err(Error::new(ErrorKind::Unavailable, attempted))
}

/// Whether the stored manifest is not to be replaced by the next one: its sources were read later, or it is
/// that very one, whose put seemed to fail because the store's answer was lost.
fn stands(standing: &Manifest, next: &Manifest) -> bool {
    let is_same = standing.job == next.job && standing.sources_read_at == next.sources_read_at;
    is_same || standing.sources_read_at > next.sources_read_at
}

/// Adds a body that was stored to the key's manifest, where that still is of this style sheet. Gives whether it
/// is there now.
pub async fn add_encoding(
    store: &dyn Store,
    key: &Key,
    digest: &Digest,
    added: &StoredBody,
) -> Result<bool, Error> {
    let name = key.manifest_object();
    for _ in 0..MAX_WRITE_ATTEMPTS {
        let Some(StoredManifest { mut manifest, etag }) = read_manifest(store, key).await? else {
            return Ok(false);
        };
        match &mut manifest.outcome {
            Outcome::Compiled { digest: standing, encodings } if standing == digest => {
                if encodings.contains(added) {
                    return Ok(true);
                }
                encodings.retain(|body| body.encoding != added.encoding);
                encodings.push(added.clone());
            }
            _ => return Ok(false),
        }
        let json = Bytes::from(to_json(&manifest));
        if let PutOutcome::Stored(_) = store.put(&name, json, Condition::IfMatch(etag)).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A body that a manifest names. One that is missing is an error: manifests are written last.
pub async fn read_body(
    store: &dyn Store,
    key: &Key,
    digest: &Digest,
    encoding: Encoding,
) -> Result<Bytes, Error> {
    let name = key.body_object(digest, encoding);
    let object = store.get(&name).await?;
    object
        .map(|object| object.body)
        .ok_or_else(|| Error::new(ErrorKind::Missing, format!("read body {name}")))
}

/// Stores a body under its content's name; every writer of that name writes the same bytes.
pub async fn write_body(
    store: &dyn Store,
    key: &Key,
    digest: &Digest,
    encoding: Encoding,
    body: Bytes,
) -> Result<(), Error> {
    store.put(&key.body_object(digest, encoding), body, Condition::None).await.map(|_| ())
}

/// The first manifest of its key.
fn begin(mut manifest: Manifest) -> Manifest {
    (manifest.modified_at, manifest.failures) = match manifest.outcome {
        Outcome::Compiled { .. } => (Some(manifest.sources_read_at), 0),
        Outcome::CompileError { .. }
        | Outcome::SourceNotFound { .. }
        | Outcome::OriginFailed { .. }
        | Outcome::Abandoned { .. } => (None, 1),
    };
    manifest
}

fn succeed(previous: &Manifest, next: Manifest) -> Manifest {
    let failures = previous.failures.saturating_add(1);
    let previous = previous.good();
    let mut next = begin(next);
    if let Outcome::Compiled { digest, encodings } = &mut next.outcome {
        next.last_good = None;
        if let Some(previous) = previous.as_ref().filter(|previous| previous.digest == *digest) {
            unite(encodings, &previous.encodings);
        }
        next.modified_at = previous.map_or(next.modified_at, |previous| {
            let is_same = previous.digest == *digest;
            Some(if is_same { previous.modified() } else { modified_after(&previous, next.sources_read_at) })
        });
    } else {
        next.last_good = previous;
        next.failures = failures;
    }
    next
}

/// The same style sheet's bodies lie under the same names, whoever stored them.
fn unite(encodings: &mut Vec<StoredBody>, known: &[StoredBody]) {
    let is_new = |body: &&StoredBody| !encodings.iter().any(|own| own.encoding == body.encoding);
    let added: Vec<_> = known.iter().filter(is_new).cloned().collect();
    encodings.extend(added);
}

/// The time of a change, in a later second than that of the file before it: dates in HTTP have whole
/// seconds (RFC 9110 §8.8.2.2), and two jobs may read different sources within one.
fn modified_after(previous: &Good, sources_read_at: Timestamp) -> Timestamp {
    let next_second = previous.modified().as_second().saturating_add(1);
    Timestamp::from_second(next_second).map_or(sources_read_at, |earliest| sources_read_at.max(earliest))
}

fn to_json(manifest: &Manifest) -> Vec<u8> {
    serde_json::to_vec(manifest).expect("a manifest holds only text and numbers, which always serialize")
}

#[cfg(test)]
mod tests;
