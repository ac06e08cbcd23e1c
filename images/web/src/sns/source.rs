//! Fetching certificates over HTTP(S): no redirects, no proxies, few bytes, little time.

use std::time::Duration;

use reqwest::{Client, header::HOST, redirect::Policy};
use url::Url;

use super::certificate::CertificateError;

/// A certificate with all that is between it and its authority has a tenth of this.
const MAX_BYTES: usize = 64 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The whole fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(4);

/// Where certificates come from.
pub(super) struct Source {
    client: Client,
    /// Asked in place of every URL's own host; the `Host` header stays the URL's.
    endpoint: Option<Url>,
}

impl Source {
    pub(super) fn new(endpoint: Option<Url>) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(FETCH_TIMEOUT)
            .http1_only()
            .build()?;
        Ok(Self { client, endpoint })
    }

    /// The bytes at a URL that was checked before. Anything but status 200 is an error.
    pub(super) async fn fetch(&self, url: &Url) -> Result<Vec<u8>, CertificateError> {
        let failed = |source| CertificateError::Fetch { url: url.to_string(), source };
        let mut answer = self.request(url).send().await.map_err(failed)?;
        if answer.status().as_u16() != 200 {
            return Err(CertificateError::Status { url: url.to_string(), status: answer.status().as_u16() });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_BYTES {
                return Err(CertificateError::TooLong { url: url.to_string() });
            }
        }
        Ok(bytes)
    }

    fn request(&self, url: &Url) -> reqwest::RequestBuilder {
        let Some(endpoint) = &self.endpoint else { return self.client.get(url.clone()) };
        let mut at = endpoint.clone();
        at.set_path(url.path());
        self.client.get(at).header(HOST, url.host_str().unwrap_or_default())
    }
}
