//! What an origin's answer says of the source that it was asked for.

use bytes::{Bytes, BytesMut};
use http::{
    HeaderName, StatusCode,
    header::{CONTENT_TYPE, DATE, ETAG, LAST_MODIFIED},
};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use jiff::SignedDuration;
use pipeline::ports::{Fetched, OriginError, SourceFile};
use url::Url;

use super::redirect::shown;
use crate::origin::MAX_SOURCE_BYTES;

pub(super) type Response = http::Response<Incoming>;

/// A file that was changed less than this before it was sent may be changed again within the same second,
/// which is all that `Last-Modified` tells (RFC 9110 §8.8.2.2).
const WEAK_AGE: SignedDuration = SignedDuration::from_secs(2);
/// A longer tag is not kept: every source's is stored in the manifest.
const MAX_ETAG_BYTES: usize = 256;

/// Whether a request asked for the source only if it has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Always,
    IfChanged,
}

/// Takes the answer of `url`, its body included. `name_failure` names what broke in the middle of it.
pub(super) async fn read_answer(
    url: &Url,
    response: Response,
    condition: Condition,
    name_failure: impl Fn(hyper::Error) -> OriginError,
) -> Result<Fetched, OriginError> {
    match (response.status(), condition) {
        (StatusCode::OK, _) if is_page(&response) => Ok(Fetched::Absent),
        (StatusCode::OK, _) => read(url, response, name_failure).await.map(Fetched::Found),
        (StatusCode::NOT_MODIFIED, Condition::IfChanged) => Ok(Fetched::NotModified),
        (StatusCode::NOT_FOUND | StatusCode::GONE, _) => Ok(Fetched::Absent),
        (StatusCode::GATEWAY_TIMEOUT, _) => {
            Err(OriginError::TimedOut(format!("{} answered 504", shown(url))))
        }
        (status, _) => Err(OriginError::Failed(format!("{} answered {}", shown(url), status.as_u16()))),
    }
}

pub(super) fn header(response: &Response, name: HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

async fn read(
    url: &Url,
    mut response: Response,
    name_failure: impl Fn(hyper::Error) -> OriginError,
) -> Result<SourceFile, OriginError> {
    let etag = header(&response, ETAG).filter(|tag| tag.len() <= MAX_ETAG_BYTES);
    let last_modified = header(&response, LAST_MODIFIED).filter(|time| is_telling(time, &response));
    let mut body = BytesMut::new();
    while let Some(frame) = response.frame().await {
        let Ok(chunk) = frame.map_err(&name_failure)?.into_data() else { continue };
        if body.len() + chunk.len() > MAX_SOURCE_BYTES {
            return Err(OriginError::Refused(format!(
                "{} is longer than {MAX_SOURCE_BYTES} bytes",
                shown(url)
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(SourceFile { body: Bytes::from(body), etag, last_modified })
}

/// Whether a later change must show in `Last-Modified`, by the origin's own clock.
fn is_telling(last_modified: &str, response: &Response) -> bool {
    let parse = |time: &str| jiff::fmt::rfc2822::parse(time).ok().map(|time| time.timestamp());
    let sent = header(response, DATE).and_then(|time| parse(&time));
    match (parse(last_modified), sent) {
        (Some(modified), Some(sent)) => sent.duration_since(modified) >= WEAK_AGE,
        (None, _) | (_, None) => false,
    }
}

/// Many sites answer every unknown path with a page and 200.
fn is_page(response: &Response) -> bool {
    let content_type = header(response, CONTENT_TYPE).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("text/html") || media_type.eq_ignore_ascii_case("application/xhtml+xml")
}
