//! Tenants' web servers over HTTP. Uses no proxy, and asks and connects only where the guard allows, at every
//! hop of a redirect anew.

mod answer;
mod redirect;
mod resolver;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use pipeline::{
    chain,
    ports::{Fetched, Origin, OriginError, OriginHeader, Validators},
};
use reqwest::{
    Client, RequestBuilder, Response,
    header::{ACCEPT, IF_MODIFIED_SINCE, IF_NONE_MATCH},
    redirect::Policy,
};
use url::Url;

use self::{
    answer::{Condition, read_answer},
    resolver::{GuardedResolver, Names, find_refusal},
};
use super::{Guard, guard::Reach};
use crate::closure::MAX_PARALLEL_FETCHES;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// As many as one job uses at the same time, for the rounds of that job; then their descriptors are for others.
const IDLE_CONNECTIONS_PER_HOST: usize = MAX_PARALLEL_FETCHES;
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
const ACCEPTED_TYPES: &str = "text/x-scss, text/x-sass, text/css, text/plain;q=0.9, */*;q=0.1";
const USER_AGENT: &str = concat!("assetpipeline/", env!("CARGO_PKG_VERSION"));
/// Redirects that are followed for one source: to https, to another host, to where the file is.
const MAX_REDIRECTS: usize = 3;

/// Fetches sources.
#[derive(Clone)]
pub struct HttpOrigin {
    guard: Guard,
    /// A client connects to what its resolver hands out, so each reach has its own.
    public: Client,
    named: Client,
    timeout: Duration,
    header: Option<OriginHeader>,
}

impl HttpOrigin {
    /// `timeout` bounds the fetch of one source, from the first request to the last byte, redirects included.
    pub fn new(guard: Guard, timeout: Duration) -> Result<Self, reqwest::Error> {
        let names = Names::new();
        let build =
            |reach| build_client(GuardedResolver { guard: guard.clone(), reach, names: names.clone() });
        let (everywhere, inside) = (build(Reach::Public)?, build(Reach::Named)?);
        Ok(Self { guard, public: everywhere, named: inside, timeout, header: None })
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
        let request = client.get(url.clone()).header(ACCEPT, ACCEPTED_TYPES);
        let (mut request, condition) = with_validators(request, known);
        if let Some(OriginHeader { origin: _, name, value }) =
            self.header.as_ref().filter(|header| header.origin == url.origin())
        {
            request = request.header(name, value);
        }
        match request.send().await {
            Ok(response) => Ok((response, condition)),
            Err(error) => Err(self.name_failure(url, error)),
        }
    }

    async fn read(
        &self,
        url: &Url,
        response: Response,
        condition: Condition,
    ) -> Result<Fetched, OriginError> {
        read_answer(&redirect::shown(url), response, condition, |error| self.name_failure(url, error)).await
    }

    fn name_failure(&self, url: &Url, error: reqwest::Error) -> OriginError {
        if let Some(refused) = find_refusal(&error) {
            return OriginError::Refused(refused);
        }
        if error.is_timeout() {
            return self.name_timeout(url);
        }
        let url = redirect::shown(url);
        OriginError::Failed(format!("{url} could not be fetched: {}", chain(&error.without_url())))
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

fn build_client(resolver: GuardedResolver) -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent(USER_AGENT)
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .dns_resolver(resolver)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_PER_HOST)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .build()
}

/// The request on the condition that the source has changed, and whether there is such a condition.
fn with_validators(request: RequestBuilder, known: Option<&Validators>) -> (RequestBuilder, Condition) {
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
