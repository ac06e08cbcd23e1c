//! The object store: the only truth.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind};

/// An object's entity tag as the store gives it, quotes included where it gives quotes. Opaque.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ETag(pub String);

/// A stored object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub body: Bytes,
    pub etag: ETag,
}

/// When a put may replace what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Always. Only for content-addressed bodies, where every writer writes the same bytes.
    None,
    /// Only where no object has the name (`If-None-Match: *`).
    IfAbsent,
    /// Only where the object still has this tag (`If-Match`).
    IfMatch(ETag),
}

/// What became of a put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutOutcome {
    Stored(ETag),
    /// The condition did not hold; nothing was written. Read again and decide anew.
    PreconditionFailed,
}

/// What became of a conditional removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteOutcome {
    Deleted,
    /// Another object is there; nothing was removed. Read again and decide anew.
    PreconditionFailed,
}

/// An object store with conditional writes and strong read-after-write consistency.
#[async_trait]
pub trait Store: Send + Sync {
    /// The object, or `None` where there is none. A refusal is an error, never "none".
    async fn get(&self, name: &str) -> Result<Option<Object>, Error>;

    /// Writes the whole object or nothing. Of several concurrent conditional puts at most one succeeds.
    async fn put(&self, name: &str, body: Bytes, condition: Condition) -> Result<PutOutcome, Error>;

    /// Removes the object; one that is not there is no error.
    async fn delete(&self, name: &str) -> Result<(), Error>;

    /// Removes the object where it is still the one with that tag. One that is not there is removed. What only
    /// pods use need not be able to.
    async fn delete_if(&self, name: &str, _etag: &ETag) -> Result<DeleteOutcome, Error> {
        Err(Error::new(ErrorKind::Invalid, format!("delete {name} on a condition")))
    }

    /// The names of all objects that begin with `prefix`, in byte order.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error>;
}
