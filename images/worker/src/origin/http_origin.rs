//! Tenants' web servers over HTTP. Follows no redirect, uses no proxy, asks and connects only where the guard
//! allows.

mod resolver;

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use jiff::SignedDuration;
use pipeline::{
    chain,
    ports::{Fetched, Origin, OriginError, SourceFile, Validators},
};
use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, DATE, ETAG, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED},
    redirect::Policy,
};
use url::Url;

use self::resolver::{GuardedResolver, find_refusal};
use super::{Guard, MAX_SOURCE_BYTES, guard::Reach};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const IDLE_CONNECTIONS_PER_HOST: usize = 16;
const ACCEPTED_TYPES: &str = "text/x-scss, text/x-sass, text/css, text/plain;q=0.9, */*;q=0.1";
/// A file that was changed less than this before it was sent may be changed again within the same second,
/// which is all that `Last-Modified` tells (RFC 9110 §8.8.2.2).
const WEAK_AGE: SignedDuration = SignedDuration::from_secs(2);
/// A longer tag is not kept: every source's is stored in the manifest.
const MAX_ETAG_BYTES: usize = 256;
const USER_AGENT: &str = concat!("assetpipeline/", env!("CARGO_PKG_VERSION"));

/// Fetches sources.
pub struct HttpOrigin {
    guard: Guard,
    /// A client connects to what its resolver hands out, so each reach has its own.
    public: Client,
    named: Client,
    timeout: Duration,
}

impl HttpOrigin {
    /// `timeout` bounds the fetch of one source, from the request to its last byte.
    pub fn new(guard: Guard, timeout: Duration) -> Result<Self, reqwest::Error> {
        let public = build_client(&guard, Reach::Public, timeout)?;
        let named = build_client(&guard, Reach::Named, timeout)?;
        Ok(Self { guard, public, named, timeout })
    }

    async fn read(&self, url: &Url, mut response: Response) -> Result<SourceFile, OriginError> {
        let etag = header(&response, ETAG).filter(|tag| tag.len() <= MAX_ETAG_BYTES);
        let last_modified = header(&response, LAST_MODIFIED).filter(|time| is_telling(time, &response));
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.name_failure(url, &error))? {
            if body.len() + chunk.len() > MAX_SOURCE_BYTES {
                return Err(OriginError::Refused(format!("{url} is longer than {MAX_SOURCE_BYTES} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(SourceFile { body: Bytes::from(body), etag, last_modified })
    }

    fn name_failure(&self, url: &Url, error: &reqwest::Error) -> OriginError {
        if let Some(refused) = find_refusal(error) {
            return OriginError::Refused(refused);
        }
        if error.is_timeout() {
            return OriginError::TimedOut(format!("{url} gave no complete answer within {:?}", self.timeout));
        }
        OriginError::Failed(format!("{url} could not be fetched: {}", chain(error)))
    }
}

#[async_trait]
impl Origin for HttpOrigin {
    async fn fetch(&self, url: &Url, known: Option<&Validators>) -> Result<Fetched, OriginError> {
        let reach = self.guard.check(url).map_err(|refusal| OriginError::Refused(refusal.to_string()))?;
        let client = match reach {
            Reach::Public => &self.public,
            Reach::Named => &self.named,
        };
        let request = client.get(url.clone()).header(ACCEPT, ACCEPTED_TYPES);
        let (request, is_conditional) = with_validators(request, known);
        let response = request.send().await.map_err(|error| self.name_failure(url, &error))?;
        match response.status() {
            StatusCode::OK if is_page(&response) => Ok(Fetched::Absent),
            StatusCode::OK => self.read(url, response).await.map(Fetched::Found),
            StatusCode::NOT_MODIFIED if is_conditional => Ok(Fetched::NotModified),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Fetched::Absent),
            StatusCode::GATEWAY_TIMEOUT => Err(OriginError::TimedOut(format!("{url} answered 504"))),
            status => Err(OriginError::Failed(format!("{url} answered {}", status.as_u16()))),
        }
    }
}

/// The request on the condition that the source has changed, and whether there is such a condition.
fn with_validators(request: RequestBuilder, known: Option<&Validators>) -> (RequestBuilder, bool) {
    match known {
        Some(Validators { etag: Some(etag), last_modified: _ }) => {
            (request.header(IF_NONE_MATCH, etag), true)
        }
        Some(Validators { etag: None, last_modified: Some(time) }) => {
            (request.header(IF_MODIFIED_SINCE, time), true)
        }
        Some(Validators { etag: None, last_modified: None }) | None => (request, false),
    }
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

fn header(response: &Response, name: HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

fn build_client(guard: &Guard, reach: Reach, timeout: Duration) -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent(USER_AGENT)
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .dns_resolver(GuardedResolver { guard: guard.clone(), reach })
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_PER_HOST)
        .build()
}
