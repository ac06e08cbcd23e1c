//! Requests to other pods over one HTTP/2 connection each, on which everything waits at the same time.

use std::time::Duration;

use async_trait::async_trait;
use axum::http::{Request, Response, Uri, uri::Scheme};
use bytes::{Bytes, BytesMut};
use pipeline::{Error, ErrorKind};

use super::{Member, Transport};

/// A pod that does not take a connection in this time is taken for gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Every connection is tried out this often, and given up after the same time without an echo: a pod
/// that falls silent is noticed within 2 s.
const PING_INTERVAL: Duration = Duration::from_secs(1);
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// Connections that nothing waits on any more are closed after this time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// A manifest without its closures is a compiler's message at the most.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// HTTP/2 with prior knowledge, in plain text: what is said is signed.
pub struct H2Transport {
    client: reqwest::Client,
}

impl H2Transport {
    /// `patience` bounds a whole request: longer than any wait.
    pub fn new(patience: Duration) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .http2_prior_knowledge()
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .http2_keep_alive_while_idle(true)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(patience)
            .build();
        let client = client.map_err(|source| {
            Error::new(ErrorKind::Invalid, "build the client for web pods").with_source(source)
        })?;
        Ok(Self { client })
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, reqwest::Error> {
        let mut answer = self.client.execute(request.try_into()?).await?;
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER_BYTES {
                // Cut off, it bears no signature that fits.
                break;
            }
        }
        let mut whole = Response::new(body.freeze());
        *whole.status_mut() = answer.status();
        *whole.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(whole)
    }
}

#[async_trait]
impl Transport for H2Transport {
    async fn call(&self, member: Member, mut request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let attempted = || format!("ask the web pod {member}");
        let uri = Uri::builder().scheme(Scheme::HTTP).authority(member.to_string());
        let path = request.uri().path_and_query().cloned();
        let uri = uri.path_and_query(path.map_or_else(|| "/".to_owned(), |path| path.to_string())).build();
        *request.uri_mut() =
            uri.map_err(|source| Error::new(ErrorKind::Invalid, attempted()).with_source(source))?;
        let answer = self.exchange(request).await;
        answer.map_err(|source| Error::new(ErrorKind::Unavailable, attempted()).with_source(source))
    }
}
