//! The one error type of all ports: callers decide by [`ErrorKind`], people read the chain.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

type Source = Box<dyn StdError + Send + Sync>;

/// What a caller can do about a failed port call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The backend asked for fewer calls; wait before the next one.
    Throttled,
    /// No answer, a broken connection, or an answer that blames the backend; worth another try.
    Unavailable,
    /// The backend refused these credentials. Trying again changes nothing.
    Denied,
    /// The named bucket, queue or topic does not exist.
    Missing,
    /// What was sent, or what is stored, is not valid.
    Invalid,
}

impl ErrorKind {
    /// Whether the same call may succeed later without anybody's help.
    pub fn is_transient(self) -> bool {
        match self {
            Self::Throttled | Self::Unavailable => true,
            Self::Denied | Self::Missing | Self::Invalid => false,
        }
    }
}

/// A failed port call: what was attempted on which object, why, and when to try again.
#[derive(Debug)]
pub struct Error {
    pub kind: ErrorKind,
    /// The least time to wait before trying again, where the backend named one.
    pub retry_after: Option<Duration>,
    attempted: String,
    source: Option<Source>,
}

impl Error {
    /// `attempted` reads as the object of "could not …", such as `put a/1f/t1/ab in bucket site`.
    pub fn new(kind: ErrorKind, attempted: impl Into<String>) -> Self {
        Self { kind, retry_after: None, attempted: attempted.into(), source: None }
    }

    /// For one of several callers whose call failed together: of the same kind, and to be tried again then.
    pub fn of_shared(shared: Arc<Self>, attempted: impl Into<String>) -> Self {
        let (kind, retry_after) = (shared.kind, shared.retry_after);
        Self { retry_after, ..Self::new(kind, attempted).with_source(shared) }
    }

    /// The same failure, for somebody who is told of it once more. What it came from is only text then.
    pub fn told_again(&self) -> Self {
        let Self { kind, retry_after, attempted, source } = self;
        let source = source.as_deref().map(|source| Source::from(chain(source)));
        Self { kind: *kind, retry_after: *retry_after, attempted: attempted.clone(), source }
    }

    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {} ({:?})", self.attempted, self.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

/// The whole chain in one line, for the place where an error is handled.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        next = cause.source();
    }
    line
}
