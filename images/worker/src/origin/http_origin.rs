//! Tenants' web servers over HTTP. Uses no proxy, and asks and connects only where the guard allows, at every
//! hop of a redirect anew.

mod answer;
mod client;
mod redirect;
mod resolver;

use std::{error::Error as StdError, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{
    HeaderValue, Request,
    header::{ACCEPT, IF_MODIFIED_SINCE, IF_NONE_MATCH, USER_AGENT},
    request,
};
use http_body_util::Empty;
use pipeline::{
    chain,
    ports::{Fetched, Origin, OriginError, OriginHeader, Validators},
};
use url::{Position, Url};

use self::{
    answer::{Condition, Response, read_answer},
    client::{CONNECT_TIMEOUT, HttpClient, build_client, is_timeout, tls_config},
    resolver::{GuardedResolver, Names, find_refusal},
};
use super::{Guard, guard::Reach};

const ACCEPTED_TYPES: HeaderValue =
    HeaderValue::from_static("text/x-scss, text/x-sass, text/css, text/plain;q=0.9, */*;q=0.1");
const OWN_NAME: HeaderValue = HeaderValue::from_static(concat!("assetpipeline/", env!("CARGO_PKG_VERSION")));
/// Redirects that are followed for one source: to https, to another host, to where the file is.
const MAX_REDIRECTS: usize = 3;

/// Fetches sources.
#[derive(Clone)]
pub struct HttpOrigin {
    guard: Guard,
    /// A client connects to what its resolver hands out, so each reach has its own.
    public: HttpClient,
    named: HttpClient,
    timeout: Duration,
    header: Option<OriginHeader>,
}

impl HttpOrigin {
    /// `timeout` bounds the fetch of one source, from the first request to the last byte, redirects included.
    pub fn new(guard: Guard, timeout: Duration) -> Result<Self, rustls::Error> {
        let (tls, names) = (tls_config()?, Names::new());
        let build =
            |reach| build_client(&tls, GuardedResolver { guard: guard.clone(), reach, names: names.clone() });
        Ok(Self { public: build(Reach::Public), named: build(Reach::Named), guard, timeout, header: None })
    }

    /// Asks `asked` and whatever it redirects to. Validators belong to the URL that gave them: they are not sent
    /// along to another one, and none are taken from there.
    async fn follow(&self, asked: &Url, known: Option<&Validators>) -> Result<Fetched, OriginError> {
        let (response, condition) = self.send(asked, known).await?;
        let Some(mut at) = redirect::target(asked, &response)? else {
            return self.read(asked, response, condition).await;
        };
        for _ in 0..MAX_REDIRECTS {
            let hop = self.send(&at, None).await.map_err(|error| redirect::came_from(asked, error));
            let (response, condition) = hop?;
            let next = redirect::target(&at, &response).map_err(|error| redirect::came_from(asked, error))?;
            let Some(next) = next else {
                let fetched = self.read(&at, response, condition).await;
                return fetched
                    .map(redirect::without_validators)
                    .map_err(|error| redirect::came_from(asked, error));
            };
            at = next;
        }
        let asked = redirect::shown(asked);
        Err(OriginError::Failed(format!("{asked} redirects more than {MAX_REDIRECTS} times")))
    }

    /// Sends one request, if its URL may be asked.
    async fn send(
        &self,
        url: &Url,
        known: Option<&Validators>,
    ) -> Result<(Response, Condition), OriginError> {
        let reach = self.guard.check(url).map_err(|refusal| OriginError::Refused(refusal.to_string()))?;
        let client = match reach {
            Reach::Public => &self.public,
            Reach::Named => &self.named,
        };
        let target = &url[..Position::AfterQuery];
        let request = Request::get(target).header(ACCEPT, ACCEPTED_TYPES).header(USER_AGENT, OWN_NAME);
        let (mut request, condition) = with_validators(request, known);
        if let Some(OriginHeader { origin: _, name, value }) =
            self.header.as_ref().filter(|header| header.origin == url.origin())
        {
            request = request.header(name, value);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| Self::name_failure(url, &error))?;
        let answered = match client.request(request.clone()).await {
            // The server may have closed a connection that was kept, or drained it, and a GET does nothing twice.
            Err(error) if !error.is_connect() => client.request(request).await,
            answered => answered,
        };
        answered.map(|response| (response, condition)).map_err(|error| {
            if error.is_connect() && is_timeout(&error) {
                let url = redirect::shown(url);
                let problem = format!("{url} could not be connected to within {CONNECT_TIMEOUT:?}");
                return OriginError::TimedOut(problem);
            }
            Self::name_failure(url, &error)
        })
    }

    async fn read(
        &self,
        url: &Url,
        response: Response,
        condition: Condition,
    ) -> Result<Fetched, OriginError> {
        read_answer(url, response, condition, |error| Self::name_failure(url, &error)).await
    }

    fn name_failure(url: &Url, error: &(dyn StdError + 'static)) -> OriginError {
        if let Some(refused) = find_refusal(error) {
            return OriginError::Refused(refused);
        }
        let url = redirect::shown(url);
        OriginError::Failed(format!("{url} could not be fetched: {}", chain(error)))
    }

    fn name_timeout(&self, url: &Url) -> OriginError {
        let url = redirect::shown(url);
        OriginError::TimedOut(format!("{url} gave no complete answer within {:?}", self.timeout))
    }
}

#[async_trait]
impl Origin for HttpOrigin {
    async fn fetch(&self, url: &Url, known: Option<&Validators>) -> Result<Fetched, OriginError> {
        let answer = tokio::time::timeout(self.timeout, self.follow(url, known)).await;
        answer.unwrap_or_else(|_| Err(self.name_timeout(url)))
    }

    fn with_header(&self, header: OriginHeader) -> Option<Arc<dyn Origin>> {
        Some(Arc::new(Self { header: Some(header), ..self.clone() }))
    }
}

/// The request on the condition that the source has changed, and whether there is such a condition.
fn with_validators(request: request::Builder, known: Option<&Validators>) -> (request::Builder, Condition) {
    match known {
        Some(Validators { etag: Some(etag), last_modified: _ }) => {
            (request.header(IF_NONE_MATCH, etag), Condition::IfChanged)
        }
        Some(Validators { etag: None, last_modified: Some(time) }) => {
            (request.header(IF_MODIFIED_SINCE, time), Condition::IfChanged)
        }
        Some(Validators { etag: None, last_modified: None }) | None => (request, Condition::Always),
    }
}
