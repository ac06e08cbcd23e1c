//! The bare peer: hyper, one body, headers made once, and nothing else.

use std::{convert::Infallible, fs, path::Path};

use anyhow::Context;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::material::{Size, sheet};
use crate::site::announce;

/// Serves until it is killed. Every request gets the body, whatever it asks for.
#[tokio::main]
pub(crate) async fn run(size: Size, headers: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(headers).with_context(|| format!("cannot read {}", headers.display()))?;
    let headers = parse(&text)?;
    let body = sheet(size).gzip;
    let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen")?;
    announce(&listener)?;
    loop {
        let (stream, _) = listener.accept().await.context("cannot accept")?;
        stream.set_nodelay(true)?;
        let (headers, body) = (headers.clone(), body.clone());
        tokio::spawn(async move {
            let service = service_fn(move |_request| {
                let mut response = Response::new(Full::new(body.clone()));
                response.headers_mut().clone_from(&headers);
                std::future::ready(Ok::<_, Infallible>(response))
            });
            // A client that goes away is no event.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// `name: value` lines.
fn parse(text: &str) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in text.lines() {
        let (name, value) = line.split_once(": ").with_context(|| format!("{line:?} is no header"))?;
        headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    Ok(headers)
}
