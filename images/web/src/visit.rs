//! A visit: what a request asks for, parsed once.

use std::sync::Arc;

use http::{
    HeaderMap, Uri,
    header::{ACCEPT_ENCODING, HOST, IF_MODIFIED_SINCE, IF_NONE_MATCH},
};
use percent_encoding::percent_decode_str;
use pipeline::{key::AssetPath, names::HostName};

use crate::ready::Place;

/// Bytes of one text of a request.
const MAX_KEPT: usize = 1 << 10;

const TRACEPARENT: http::HeaderName = http::HeaderName::from_static("traceparent");

/// What a visitor asks for. Only `Host` names the tenant; forwarded-host headers are never read, and the
/// query string plays no part in what is served, only in how long it may be kept and in whether memory
/// knows enough to answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) host: HostName,
    pub(crate) path: AssetPath,
    pub(crate) accept_encoding: Option<Box<str>>,
    pub(crate) if_none_match: Option<Box<str>>,
    pub(crate) if_modified_since: Option<Box<str>>,
    /// The query's `v`.
    pub(crate) version: Option<Box<str>>,
    pub(crate) told: Told,
    /// The request's W3C trace context, unchecked.
    pub(crate) traceparent: Option<Arc<str>>,
    /// What the answer is kept under where it may be given again; taken away when the visitor has to wait.
    pub(crate) place: Option<Box<Place>>,
}

/// Whether the page was told that its style sheet has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Nothing,
    OfAChange,
}

/// Why a request is no visit; each is answered 404 or 400.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum NoVisit {
    #[error("the request names no host")]
    NoHost,
    #[error("no site is served under this host")]
    UnknownHost,
    #[error("only style sheets (/…/name.css) are served here")]
    NoStyleSheet,
}

impl Visit {
    pub(crate) fn parse(uri: &Uri, headers: &HeaderMap) -> Result<Self, NoVisit> {
        let host = Self::host_of(uri, headers)?;
        let path = Self::path_of(uri.path())?;
        let owned = |name| kept(headers, name).map(Into::into);
        Ok(Self {
            host,
            path,
            accept_encoding: owned(ACCEPT_ENCODING),
            if_none_match: owned(IF_NONE_MATCH),
            if_modified_since: owned(IF_MODIFIED_SINCE),
            version: uri
                .query()
                .and_then(version)
                .filter(|version| version.len() <= MAX_KEPT)
                .map(Into::into),
            told: uri.query().map_or(Told::Nothing, told),
            traceparent: kept(headers, TRACEPARENT).map(Into::into),
            place: None,
        })
    }

    /// The host that a request is for.
    pub(crate) fn host_of(uri: &Uri, headers: &HeaderMap) -> Result<HostName, NoVisit> {
        let authority = authority(uri, headers).ok_or(NoVisit::NoHost)?;
        HostName::from_authority(authority).map_err(|_| NoVisit::UnknownHost)
    }

    /// The style sheet that a URL's path names, percent-encoded as it stands there.
    pub(crate) fn path_of(encoded: &str) -> Result<AssetPath, NoVisit> {
        let path = percent_decode_str(encoded).decode_utf8().map_err(|_| NoVisit::NoStyleSheet)?;
        path.parse().map_err(|_| NoVisit::NoStyleSheet)
    }
}

/// HTTP/2 carries the host in `:authority`, HTTP/1.1 in `Host`.
pub(crate) fn authority<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    uri.authority().map(http::uri::Authority::as_str).or_else(|| text(headers, HOST))
}

/// The value of the query's first `v`, as it stands there.
pub(crate) fn version(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("v="))
}

/// By the query's `live`, which the script for pages that listen puts there.
pub(crate) fn told(query: &str) -> Told {
    let is_told = query.split('&').any(|pair| pair == "live" || pair.starts_with("live="));
    if is_told { Told::OfAChange } else { Told::Nothing }
}

pub(crate) fn text(headers: &HeaderMap, name: http::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// A header that a visitor keeps while waiting. One that is longer than any that means something counts as
/// absent, which is always right: the answer is whole, and not compressed.
fn kept(headers: &HeaderMap, name: http::HeaderName) -> Option<&str> {
    text(headers, name).filter(|value| value.len() <= MAX_KEPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(uri: &'static str, headers: &[(&'static str, &'static str)]) -> Result<Visit, NoVisit> {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Visit::parse(&Uri::from_static(uri), &headers)
    }

    #[test]
    fn host_names_the_tenant_and_the_query_plays_no_part() {
        let headers = [("host", "Shop.example:443"), ("x-forwarded-host", "other.example"), ("x-host", "o")];
        let visit = parse("/a%20b/app.css?v=1", &headers).unwrap();
        assert_eq!((visit.host.as_str(), visit.path.as_str()), ("shop.example", "/a b/app.css"));
        let other = parse("/a%20b/app.css?x", &headers).unwrap();
        assert_eq!(visit, Visit { version: Some("1".into()), ..other });
        let absolute = parse("http://shop.example/a%20b/app.css", &[("host", "other.example")]).unwrap();
        assert_eq!(absolute.host.as_str(), "shop.example");
    }

    #[test]
    fn visitor_who_waits_keeps_no_long_texts() {
        let long = "x".repeat(MAX_KEPT + 1);
        let names = ["accept-encoding", "if-none-match", "if-modified-since", "traceparent"];
        let parsed = |value: &str| {
            let headers = names.map(|name| (name.parse().unwrap(), value.parse().unwrap()));
            let host = (HOST, "shop.example".parse().unwrap());
            let headers = headers.into_iter().chain([host]).collect();
            let Visit { accept_encoding, if_none_match, if_modified_since, version, traceparent, .. } =
                Visit::parse(&format!("/app.css?v={value}").parse().unwrap(), &headers).unwrap();
            let texts = [accept_encoding, if_none_match, if_modified_since, version];
            texts.iter().filter(|text| text.is_some()).count() + usize::from(traceparent.is_some())
        };
        assert_eq!((parsed(&long), parsed(&long[1..])), (0, names.len() + 1));
    }

    #[test]
    fn what_is_no_style_sheet_of_a_host_is_told_so() {
        let host = [("host", "shop.example")];
        assert_eq!(parse("/app.css", &[]), Err(NoVisit::NoHost));
        assert_eq!(parse("/app.css", &[("host", "[::1]:80")]), Err(NoVisit::UnknownHost));
        for uri in ["/", "/app.js", "/%2e%2e/app.css", "/a%2f..%2fapp.css", "/%ff.css", "/a%00.css"] {
            assert_eq!(parse(uri, &host), Err(NoVisit::NoStyleSheet), "{uri}");
        }
    }
}
