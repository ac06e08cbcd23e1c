//! Answers as HTTP responses (RFC 9110, RFC 9111, RFC 9211).

use std::{fmt::Write, time::Duration};

use axum::{
    body::Body,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{
            AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, RETRY_AFTER, VARY,
            X_CONTENT_TYPE_OPTIONS,
        },
        response::Builder,
    },
    response::Response,
};
use bytes::Bytes;
use pipeline::{key::Encoding, manifest::OriginFailure, names::Digest};

use crate::{
    error_sheet::error_sheet,
    hold::HoldEnd,
    policy::{Failure, Policy, Staleness},
    visit::{NoVisit, Visit},
};

/// Names the kind of failure; present on every answer that is not the style sheet that was asked for.
const X_ASSET_ERROR: HeaderName = HeaderName::from_static("x-asset-error");
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

const CSS: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const NO_STORE: &str = "no-store";
/// For a visitor whose style sheet was not ready in time.
const DEFAULT_RETRY: Duration = Duration::from_secs(1);

/// Where an answer was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    Memory,
    Store,
    Held,
    None,
}

impl Layer {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Store => "store",
            Self::Held => "held",
            Self::None => "none",
        }
    }
}

/// A compiled file on its way to a visitor.
pub(crate) struct File<'f> {
    pub(crate) digest: &'f Digest,
    pub(crate) encoding: Encoding,
    pub(crate) age: Duration,
    pub(crate) staleness: Staleness,
    pub(crate) layer: Layer,
    pub(crate) policy: &'f Policy,
}

impl File<'_> {
    /// Whether the visitor's `If-None-Match` names this very representation (weak comparison).
    pub(crate) fn is_known_to(&self, visit: &Visit) -> bool {
        let own = self.etag();
        let is_own = |tag: &str| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == own;
        visit.if_none_match.as_deref().is_some_and(|tags| tags.split(',').map(str::trim).any(is_own))
    }

    pub(crate) fn not_modified(&self) -> Response {
        finish(self.head(StatusCode::NOT_MODIFIED), Body::empty())
    }

    pub(crate) fn serve(&self, body: Bytes) -> Response {
        let mut head = self.head(StatusCode::OK).header(CONTENT_TYPE, CSS);
        if self.encoding != Encoding::Identity {
            head = head.header(CONTENT_ENCODING, self.encoding.as_str());
        }
        finish(head, Body::from(body))
    }

    fn head(&self, status: StatusCode) -> Builder {
        Response::builder()
            .status(status)
            .header(ETAG, self.etag())
            .header(CACHE_CONTROL, self.cache_control())
            .header(AGE, self.age.as_secs())
            .header(CACHE_STATUS, self.cache_status())
            .header(VARY, "accept-encoding")
            .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
    }

    /// One tag per content coding: the representations differ byte for byte.
    fn etag(&self) -> String {
        format!("\"{}-{}\"", self.digest, self.encoding)
    }

    fn cache_control(&self) -> String {
        let Policy { max_age, max_stale, .. } = self.policy;
        if max_age.is_zero() {
            return "no-cache".to_owned();
        }
        let stale = max_stale.saturating_sub(*max_age).as_secs();
        format!("public, max-age={}, stale-while-revalidate={stale}", max_age.as_secs())
    }

    fn cache_status(&self) -> String {
        let mut status = match self.layer {
            Layer::Memory | Layer::Store => "AssetPipeline; hit".to_owned(),
            Layer::Held | Layer::None => "AssetPipeline; fwd=uri-miss; stored".to_owned(),
        };
        if self.staleness != Staleness::Fresh {
            let late = self.age.saturating_sub(self.policy.max_age).as_secs();
            // Writing to a String cannot fail.
            let _ = write!(status, "; ttl=-{late}");
        }
        let _ = write!(status, "; detail={}", self.layer.as_str());
        status
    }
}

/// A failure of the style sheet's own.
pub(crate) fn failed(failure: Failure, message: &str) -> Response {
    let (status, kind) = match failure {
        Failure::CompileErrorShown => (StatusCode::OK, "compile"),
        Failure::CompileErrorStatus => (StatusCode::UNPROCESSABLE_ENTITY, "compile"),
        Failure::SourceNotFound => (StatusCode::NOT_FOUND, "source-not-found"),
        Failure::Origin(OriginFailure::Failed) => (StatusCode::BAD_GATEWAY, "origin-failed"),
        Failure::Origin(OriginFailure::TimedOut) => (StatusCode::GATEWAY_TIMEOUT, "origin-timed-out"),
    };
    let head = error_head(status, kind);
    match failure {
        Failure::CompileErrorShown | Failure::CompileErrorStatus => {
            finish(head.header(CONTENT_TYPE, CSS), Body::from(error_sheet(message)))
        }
        Failure::SourceNotFound | Failure::Origin(_) => plain(head, message),
    }
}

/// A held visitor whose time is up; the job goes on.
pub(crate) fn not_in_time(end: HoldEnd) -> Response {
    unavailable(&end.to_string(), None)
}

/// 503 with the time after which asking again makes sense.
pub(crate) fn unavailable(message: &str, retry_after: Option<Duration>) -> Response {
    let seconds = retry_after.unwrap_or(DEFAULT_RETRY).as_secs().max(1);
    plain(error_head(StatusCode::SERVICE_UNAVAILABLE, "unavailable").header(RETRY_AFTER, seconds), message)
}

/// A request that is for nothing that we serve.
pub(crate) fn no_visit(why: &NoVisit) -> Response {
    let (status, kind) = match why {
        NoVisit::NoHost => (StatusCode::BAD_REQUEST, "no-host"),
        NoVisit::UnknownHost => (StatusCode::NOT_FOUND, "unknown-host"),
        NoVisit::NoStyleSheet => (StatusCode::NOT_FOUND, "no-style-sheet"),
    };
    plain(error_head(status, kind), &why.to_string())
}

fn error_head(status: StatusCode, kind: &'static str) -> Builder {
    Response::builder()
        .status(status)
        .header(X_ASSET_ERROR, HeaderValue::from_static(kind))
        .header(CACHE_CONTROL, NO_STORE)
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
}

fn plain(head: Builder, message: &str) -> Response {
    finish(head.header(CONTENT_TYPE, TEXT), Body::from(format!("{message}\n")))
}

fn finish(head: Builder, body: Body) -> Response {
    head.body(body).expect("every header is made of visible ASCII, so the response is well formed")
}
