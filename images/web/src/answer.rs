//! Answers as HTTP responses. Files are in [`file`]; here is what all answers share, and failures.

pub(crate) mod file;

use std::time::Duration;

use axum::{
    body::Body,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, LOCATION, RETRY_AFTER,
            X_CONTENT_TYPE_OPTIONS,
        },
        response::Builder,
    },
    response::Response,
};
use pipeline::{manifest::OriginFailure, options::SassEngine};

pub(crate) use file::File;

use crate::{
    breaker::Refusal, error_sheet::error_sheet, hold::HoldEnd, limits::TooMany, policy::Failure,
    visit::NoVisit,
};

/// Names the kind of failure; present on every answer that is not the style sheet that was asked for.
const X_ASSET_ERROR: HeaderName = HeaderName::from_static("x-asset-error");
/// The compiler that the answer is from, with its version.
const X_ASSET_ENGINE: HeaderName = HeaderName::from_static("x-asset-engine");
const TIMING_ALLOW_ORIGIN: HeaderName = HeaderName::from_static("timing-allow-origin");

const CSS: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// For redirects: a tenant's site may move.
const SHORTLY: HeaderValue = HeaderValue::from_static("public, max-age=300");
const ANY_SITE: HeaderValue = HeaderValue::from_static("*");
/// What is answered here; everything else is refused.
const METHODS: &str = "GET, HEAD, OPTIONS";
/// For how long a browser need not ask again what it may ask.
const PREFLIGHT_SECONDS: u32 = 86_400;
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

/// A failure of the style sheet's own. The engine is as manifests tell it.
pub(crate) fn failed(failure: Failure, message: &str, engine: &str) -> Response {
    let (status, kind) = status_of(failure);
    let mut head = error_head(status, kind);
    if let Some(engine) = engine_value(engine) {
        head = head.header(X_ASSET_ENGINE, engine);
    }
    match failure {
        Failure::CompileErrorShown | Failure::CompileErrorStatus => {
            finish(head.header(CONTENT_TYPE, CSS), Body::from(error_sheet(message)))
        }
        Failure::SourceNotFound | Failure::Origin(_) => plain(head, message),
        Failure::Abandoned => plain(head.header(RETRY_AFTER, DEFAULT_RETRY.as_secs()), message),
    }
}

/// As the header tells it; `None` where no engine had a say.
fn engine_value(engine: &str) -> Option<HeaderValue> {
    match SassEngine::ALL.into_iter().find(|built_in| built_in.label() == engine) {
        Some(built_in) => Some(HeaderValue::from_static(built_in.label())),
        None if engine.is_empty() => None,
        None => HeaderValue::from_str(engine).ok(),
    }
}

fn status_of(failure: Failure) -> (StatusCode, &'static str) {
    match failure {
        Failure::CompileErrorShown => (StatusCode::OK, "compile"),
        Failure::CompileErrorStatus => (StatusCode::UNPROCESSABLE_ENTITY, "compile"),
        Failure::SourceNotFound => (StatusCode::NOT_FOUND, "source-not-found"),
        Failure::Origin(OriginFailure::Failed) => (StatusCode::BAD_GATEWAY, "origin-failed"),
        Failure::Origin(OriginFailure::TimedOut) => (StatusCode::GATEWAY_TIMEOUT, "origin-timed-out"),
        Failure::Abandoned => (StatusCode::SERVICE_UNAVAILABLE, "abandoned"),
    }
}

/// A held visitor whose time is up; the job goes on.
pub(crate) fn not_in_time(end: HoldEnd) -> Response {
    let mut response = unavailable(&end.to_string(), None);
    if end == HoldEnd::Draining {
        // Asked again on this connection, this pod would have nothing better to say.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// 503 with the time after which asking again makes sense.
pub(crate) fn unavailable(message: &str, retry_after: Option<Duration>) -> Response {
    let seconds = retry_after.unwrap_or(DEFAULT_RETRY).as_secs().max(1);
    plain(error_head(StatusCode::SERVICE_UNAVAILABLE, "unavailable").header(RETRY_AFTER, seconds), message)
}

/// 502 or 504: the origin fails, and is not asked for every visitor.
pub(crate) fn origin_left_alone(refusal: &Refusal) -> Response {
    let (status, kind) = status_of(Failure::Origin(refusal.cause));
    let head = error_head(status, kind).header(RETRY_AFTER, whole_seconds(refusal.retry_after));
    plain(head, &refusal.to_string())
}

/// 429: the tenant has asked for too much.
pub(crate) fn rate_limited(too_many: &TooMany) -> Response {
    limited(&too_many.to_string(), too_many.retry_after)
}

/// 429 with the time after which asking again makes sense.
pub(crate) fn limited(message: &str, retry_after: Duration) -> Response {
    let head = error_head(StatusCode::TOO_MANY_REQUESTS, "rate-limited");
    plain(head.header(RETRY_AFTER, whole_seconds(retry_after)), message)
}

/// As `Retry-After` takes it: rounded up, and never none.
pub(crate) fn whole_seconds(pause: Duration) -> u64 {
    u64::try_from(pause.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX).max(1)
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

/// 302: what is asked for is no style sheet, and lies at this URL of the site.
pub(crate) fn elsewhere(location: &str) -> Response {
    let head = public_head(StatusCode::FOUND).header(LOCATION, location).header(CACHE_CONTROL, SHORTLY);
    finish(head, Body::empty())
}

/// `OPTIONS`: what scripts of any site may ask (Fetch, "CORS-preflight request"). Style sheets are public.
pub(crate) fn options() -> Response {
    let head = public_head(StatusCode::NO_CONTENT)
        .header(ALLOW, METHODS)
        .header(ACCESS_CONTROL_ALLOW_METHODS, METHODS)
        .header(ACCESS_CONTROL_ALLOW_HEADERS, "*")
        .header(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
    finish(head, Body::empty())
}

/// A method that style sheets do not have.
pub(crate) fn method_not_allowed() -> Response {
    let head = error_head(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed").header(ALLOW, METHODS);
    plain(head, &format!("style sheets are read with {METHODS}"))
}

fn error_head(status: StatusCode, kind: &'static str) -> Builder {
    public_head(status).header(X_ASSET_ERROR, HeaderValue::from_static(kind)).header(CACHE_CONTROL, NO_STORE)
}

/// What every answer has: pages of any site may read it, errors included, and how long it took.
fn public_head(status: StatusCode) -> Builder {
    // Values that never change are static here and in `file`: ready answers copy them for every visitor,
    // and of the others each copy counts, in memory that all threads share.
    Response::builder()
        .status(status)
        .header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .header(ACCESS_CONTROL_ALLOW_ORIGIN, ANY_SITE)
        .header(TIMING_ALLOW_ORIGIN, ANY_SITE)
}

fn plain(head: Builder, message: &str) -> Response {
    finish(head.header(CONTENT_TYPE, TEXT), Body::from(format!("{message}\n")))
}

fn finish(head: Builder, body: Body) -> Response {
    head.body(body).expect("every header is made of visible ASCII, so the response is well formed")
}
