//! What stands before the HTTP engine on connections of HTTP/1.1: requests whose answer lies ready are
//! answered here, and the engine never hears of them.
//!
//! Knows nothing of what is answered. Takes part only where nothing can be mistaken: the bytes that came are
//! the whole head of exactly one request that has no body, and the engine stands between two requests.

use std::{mem::MaybeUninit, sync::Arc};

use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    TRANSFER_ENCODING, UPGRADE,
};

use super::whole::Whole;

/// Of one request; the engine allows some more.
const MAX_HEADERS: usize = 64;

/// Finds answers that lie ready.
pub trait Front: Send + Sync {
    /// The answer to this request, where there is one, and its client may have it.
    fn find(&self, head: &Head<'_>) -> Option<Arc<Whole>>;
}

/// A service that may have a front.
pub trait Fronted {
    /// What answers before the service is asked.
    fn front(&self) -> Option<Arc<dyn Front>>;
}

impl Fronted for axum::Router {
    fn front(&self) -> Option<Arc<dyn Front>> {
        None
    }
}

/// A `GET` without conditions, as far as its answer may depend on it.
#[derive(Debug, PartialEq, Eq)]
pub struct Head<'h> {
    /// Path and query, as they stand there.
    pub target: &'h str,
    /// The only `Host`.
    pub host: &'h str,
    pub accept_encoding: Option<&'h str>,
}

/// What came in one reading.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came<'h> {
    /// One whole request that may be answered by the front.
    Simple(Head<'h>),
    /// One whole request without a body, after whose answer the connection is kept.
    Plain,
    /// Anything else: where the next request begins is for the engine to know.
    Other,
}

/// By the rules that the engine itself has, being the same parser's.
pub(super) fn parse(bytes: &[u8]) -> Came<'_> {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut headers) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Ok(_) | Err(_) => return Came::Other,
    }
    let httparse::Request { method: Some(method), path: Some(target), version: Some(1), headers } = request
    else {
        return Came::Other;
    };
    if !matches!(method, "GET" | "HEAD") {
        return Came::Other;
    }
    let Some(told) = Told::by(headers) else { return Came::Other };
    match told {
        Told { host: Some(host), accept_encoding, is_simple: true }
            if method == "GET" && target.starts_with('/') && !target.contains('#') =>
        {
            Came::Simple(Head { target, host, accept_encoding })
        }
        Told { .. } => Came::Plain,
    }
}

struct Told<'h> {
    host: Option<&'h str>,
    accept_encoding: Option<&'h str>,
    is_simple: bool,
}

impl<'h> Told<'h> {
    /// `None` where there is a body, or the connection is to become something else.
    fn by(headers: &[httparse::Header<'h>]) -> Option<Self> {
        let mut told = Self { host: None, accept_encoding: None, is_simple: true };
        for httparse::Header { name, value } in headers {
            let is = |known: http::HeaderName| name.eq_ignore_ascii_case(known.as_str());
            if is(HOST) {
                told.is_simple &= told.host.is_none();
                told.host = visible(value);
                told.is_simple &= told.host.is_some();
            } else if is(ACCEPT_ENCODING) {
                told.is_simple &= told.accept_encoding.is_none();
                told.accept_encoding = visible(value);
                told.is_simple &= told.accept_encoding.is_some();
            } else if is(IF_NONE_MATCH) || is(IF_MODIFIED_SINCE) {
                told.is_simple = false;
            } else if is(CONTENT_LENGTH)
                || is(TRANSFER_ENCODING)
                || is(UPGRADE)
                || is(EXPECT)
                || (is(CONNECTION) && !value.eq_ignore_ascii_case(b"keep-alive"))
            {
                return None;
            }
        }
        Some(told)
    }
}

/// As header values are read as text elsewhere.
fn visible(value: &[u8]) -> Option<&str> {
    let is_visible = value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    is_visible.then(|| str::from_utf8(value).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "GET /a.css?v=1 HTTP/1.1\r\nHost: a.example\r\n";

    fn came(more: &str) -> Came<'static> {
        parse(format!("{HEAD}{more}\r\n").leak().as_bytes())
    }

    #[test]
    fn simple_request_is_told_by_its_parts() {
        let head = Head { target: "/a.css?v=1", host: "a.example", accept_encoding: None };
        assert_eq!(came(""), Came::Simple(head));
        let more = "User-Agent: x\r\nACCEPT-encoding:  br, gzip \r\nConnection: Keep-Alive\r\nX-Trace: 1\r\n";
        let accept_encoding = Some("br, gzip");
        assert_eq!(
            came(more),
            Came::Simple(Head { target: "/a.css?v=1", host: "a.example", accept_encoding })
        );
    }

    #[test]
    fn request_whose_answer_depends_on_more_is_left_to_the_engine_alone() {
        for more in [
            "If-None-Match: *\r\n",
            "If-Modified-Since: x\r\n",
            "Host: b.example\r\n",
            "Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n",
            "Accept-Encoding: \u{e9}\r\n",
        ] {
            assert_eq!(came(more), Came::Plain, "{more}");
        }
        for whole in [
            "HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "GET /#x HTTP/1.1\r\nHost: a.example\r\n\r\n",
        ] {
            assert_eq!(parse(whole.as_bytes()), Came::Plain, "{whole}");
        }
    }

    #[test]
    fn what_may_not_end_with_its_head_ends_the_fronts_part() {
        for more in [
            "Content-Length: 0\r\n",
            "Content-Length: 30\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Connection: close\r\n",
            "Connection: keep-alive, upgrade\r\n",
            "Upgrade: h2c\r\n",
            "Expect: 100-continue\r\n",
            ": x\r\n",
        ] {
            assert_eq!(came(more), Came::Other, "{more}");
        }
        let whole = format!("{HEAD}\r\n");
        for bytes in [
            HEAD,
            &whole[1..],
            &whole.repeat(2),
            &whole.replace("GET", "POST"),
            &whole.replace("1.1", "1.0"),
            "",
        ] {
            assert_eq!(parse(bytes.as_bytes()), Came::Other, "{bytes}");
        }
        assert_eq!(came(&"X: y\r\n".repeat(MAX_HEADERS)), Came::Other);
    }
}
