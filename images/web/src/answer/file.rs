//! A compiled file as an HTTP response: validators, freshness, codings (RFC 9110, RFC 9111, RFC 9211).

use std::{
    fmt::Write,
    time::{Duration, SystemTime},
};

use axum::{
    body::Body,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{
            ACCEPT_RANGES, AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
            LAST_MODIFIED, VARY,
        },
        response::Builder,
    },
    response::Response,
};
use bytes::Bytes;
use jiff::Timestamp;
use pipeline::{
    key::{AssetPath, Encoding},
    names::Digest,
};

use super::{CSS, Layer, X_ASSET_ENGINE, engine_value, finish, public_head};
use crate::{
    policy::{ErrorDisplay, Policy, Staleness},
    visit::Visit,
};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
/// For URLs that name the bytes themselves: nothing else will ever be served under them.
pub(crate) const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// A compiled file on its way to a visitor.
pub(crate) struct File<'f> {
    pub(crate) digest: &'f Digest,
    pub(crate) encoding: Encoding,
    pub(crate) modified_at: Timestamp,
    /// Since its sources were read.
    pub(crate) age: Duration,
    pub(crate) staleness: Staleness,
    pub(crate) layer: Layer,
    /// As manifests tell it.
    pub(crate) engine: &'f str,
    pub(crate) policy: &'f Policy,
    pub(crate) now: Timestamp,
    /// Since the visitor asked.
    pub(crate) took: Duration,
}

impl File<'_> {
    /// Whether the visitor has this very representation (RFC 9110 §13.2.2): by its tag, weakly compared,
    /// or, where no tags were sent, by its date.
    pub(crate) fn is_known_to(&self, visit: &Visit) -> bool {
        if let Some(tags) = &visit.if_none_match {
            let own = self.etag();
            let is_own = |tag: &str| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == own;
            return tags.split(',').map(str::trim).any(is_own);
        }
        let Some(date) = visit.if_modified_since.as_deref() else { return false };
        let Ok(date) = httpdate::parse_http_date(date) else { return false };
        // Only our own date sent back: a date of the visitor's clock says nothing about which bytes it has.
        self.last_modified().is_some_and(|own| own == date)
    }

    pub(crate) fn not_modified(&self, visit: &Visit) -> Response {
        finish(self.head(StatusCode::NOT_MODIFIED, visit), Body::empty())
    }

    pub(crate) fn serve(&self, visit: &Visit, body: Bytes) -> Response {
        let mut head = self
            .head(StatusCode::OK, visit)
            .header(CONTENT_TYPE, CSS)
            .header(CONTENT_LENGTH, body.len())
            .header(ACCEPT_RANGES, HeaderValue::from_static("none"));
        if self.encoding != Encoding::Identity {
            head = head.header(CONTENT_ENCODING, HeaderValue::from_static(self.encoding.as_str()));
        }
        finish(head, Body::from(body))
    }

    fn head(&self, status: StatusCode, visit: &Visit) -> Builder {
        let mut head = public_head(status)
            .header(ETAG, self.etag())
            .header(CACHE_CONTROL, self.cache_control(&visit.path, visit.version.as_deref()))
            .header(AGE, self.age.as_secs())
            .header(CACHE_STATUS, self.cache_status())
            .header(SERVER_TIMING, self.server_timing())
            .header(VARY, HeaderValue::from_static("accept-encoding"));
        if let Some(engine) = engine_value(self.engine) {
            head = head.header(X_ASSET_ENGINE, engine);
        }
        if let Some(date) = self.last_modified() {
            head = head.header(LAST_MODIFIED, httpdate::fmt_http_date(date));
        }
        head
    }

    /// One tag per content coding: the representations differ byte for byte.
    fn etag(&self) -> String {
        format!("\"{}-{}\"", self.digest, self.encoding)
    }

    /// In whole seconds. `None` while it lies ahead of our clock: a date must not be later than its
    /// answer's (RFC 9110 §8.8.2.1).
    fn last_modified(&self) -> Option<SystemTime> {
        let seconds = self.modified_at.as_second();
        let date = Timestamp::from_second(seconds).ok()?;
        (seconds >= 0 && date <= self.now).then(|| date.into())
    }

    /// What a visit with this `v` is told, or with none.
    pub(crate) fn cache_control(&self, path: &AssetPath, version: Option<&str>) -> HeaderValue {
        if self.is_immutable(path, version) {
            return IMMUTABLE;
        }
        let Policy { errors, max_age, max_stale, .. } = self.policy;
        if max_age.is_zero() {
            return HeaderValue::from_static("no-cache");
        }
        let stale = max_stale.saturating_sub(*max_age).as_secs();
        let mut value = format!("public, max-age={}, stale-while-revalidate={stale}", max_age.as_secs());
        // Where errors are shown, they shall be seen.
        if *errors == ErrorDisplay::Status {
            // Writing to a String cannot fail.
            let _ = write!(value, ", stale-if-error={stale}");
        }
        visible(value)
    }

    /// Whether the URL names the bytes: its `v` parameter, or its file name or the last part of it
    /// (`app.3f2a9c1b.css`), is a prefix of their digest. Not where nothing may be cached.
    fn is_immutable(&self, path: &AssetPath, version: Option<&str>) -> bool {
        let names = |name: &str| is_prefix(name, self.digest);
        !self.policy.max_age.is_zero()
            && (version.is_some_and(names) || named_part(path.as_str()).is_some_and(names))
    }

    /// For how long it stays as it is: until its age's next second, or the end of its freshness.
    pub(crate) fn lasts(&self) -> Option<Duration> {
        let is_hit = self.layer == Layer::Memory && self.staleness == Staleness::Fresh;
        let to_next_second = Duration::from_secs(self.age.as_secs() + 1).saturating_sub(self.age);
        let to_end = self.policy.max_age.saturating_sub(self.age);
        is_hit.then(|| to_next_second.min(to_end).saturating_sub(self.took))
    }

    fn cache_status(&self) -> HeaderValue {
        if self.layer == Layer::Memory && self.staleness == Staleness::Fresh {
            return HeaderValue::from_static("AssetPipeline; hit; detail=memory");
        }
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
        visible(status)
    }

    fn server_timing(&self) -> HeaderValue {
        match self.layer {
            Layer::Memory => HeaderValue::from_static("cache;desc=memory"),
            Layer::Store | Layer::Held | Layer::None => {
                visible(format!("cache;desc={};dur={}", self.layer.as_str(), self.took.as_millis()))
            }
        }
    }
}

/// Fewest hex digits that name bytes: by chance, one name in four thousand million fits.
const MIN_PREFIX: usize = 8;

pub(crate) fn is_prefix(name: &str, digest: &Digest) -> bool {
    name.len() >= MIN_PREFIX && digest.as_str().starts_with(name)
}

fn named_part(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?.strip_suffix(".css")?;
    name.rsplit(['.', '-', '_']).next()
}

fn visible(value: String) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(value)).expect("it is made of visible ASCII")
}

#[cfg(test)]
mod tests;
