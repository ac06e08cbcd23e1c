//! A tenant's origin: where sources come from.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{HeaderName, HeaderValue};
use url::Url;

/// A source as the origin gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    pub body: Bytes,
    /// `ETag`, where the origin gave one.
    pub etag: Option<String>,
    /// `Last-Modified`, where the origin gave one.
    pub last_modified: Option<String>,
}

/// What an origin gave along with a source, to be asked with later whether the source has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

/// What an origin has under a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    Found(SourceFile),
    /// The origin says that there is nothing, or gave a page where Sass was asked for.
    Absent,
    /// The source is still the one that the validators came with. Never without validators.
    NotModified,
}

/// Why an origin did not say what it has. The message is for the site's owner.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum OriginError {
    /// No connection, a broken answer, or a status that blames the origin.
    #[error("{0}")]
    Failed(String),
    /// No complete answer in time.
    #[error("{0}")]
    TimedOut(String),
    /// The address is one that we never ask, or the answer is larger than we take.
    #[error("{0}")]
    Refused(String),
}

/// A header that only one origin is asked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginHeader {
    /// Scheme, host and port that get it.
    pub origin: url::Origin,
    pub name: HeaderName,
    /// Marked as sensitive.
    pub value: HeaderValue,
}

/// Tenants' origins. Bounded: an implementation limits the time and the bytes of each fetch, and asks
/// only addresses that it may ask.
#[async_trait]
pub trait Origin: Send + Sync {
    /// Asks for the file at `url`, by a few redirects if need be. With the validators of an earlier answer the
    /// origin may say that nothing has changed, and gives the file where it does not. A file that came by a
    /// redirect has no validators, which are another URL's.
    async fn fetch(&self, url: &Url, known: Option<&Validators>) -> Result<Fetched, OriginError>;

    /// The same, with this header where its origin is asked, redirects included, and nowhere else. `None` where no
    /// requests with headers are made.
    fn with_header(&self, _header: OriginHeader) -> Option<Arc<dyn Origin>> {
        None
    }
}
