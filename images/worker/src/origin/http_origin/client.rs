//! The HTTP client that origins are asked with: connections are kept, and begun only to addresses that the
//! resolver hands out.

use std::{error::Error as StdError, io, iter, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Empty;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_native_certs::load_native_certs;

use super::resolver::GuardedResolver;
use crate::closure::MAX_PARALLEL_FETCHES;

/// For the connection alone; names are looked up within the time of the whole answer.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// As many as one job uses at the same time, for the rounds of that job; then their descriptors are for others.
const IDLE_CONNECTIONS_PER_HOST: usize = MAX_PARALLEL_FETCHES;
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// HTTP/1.1, and HTTP/2 where TLS agrees on it. Uses no proxy and follows no redirect.
pub(super) type HttpClient = Client<HttpsConnector<HttpConnector<GuardedResolver>>, Empty<Bytes>>;

pub(super) fn build_client(tls: &Arc<ClientConfig>, resolver: GuardedResolver) -> HttpClient {
    let mut connector = HttpConnector::new_with_resolver(resolver);
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(ClientConfig::clone(tls))
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(connector);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_max_idle_per_host(IDLE_CONNECTIONS_PER_HOST)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .build(https)
}

/// Trusts the authorities that the system does.
pub(super) fn tls_config() -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    let found = load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        tracing::warn!(errors = ?found.errors, "this system trusts no certificate authority: no https origin can be asked");
    }
    let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into());
    let config = config.with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// Whether the time limit of connecting is behind the error.
pub(super) fn is_timeout(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut)
    })
}

/// The error, and what is behind it.
pub(super) fn causes<'e>(
    error: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    iter::successors(Some(error), |&error: &&'e (dyn StdError + 'static)| error.source())
}
