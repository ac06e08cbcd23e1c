//! A visitor of a site: asks the web pods through the NodePort, each time on a new connection.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, Result};
use http::{
    HeaderMap,
    header::{HOST, IF_NONE_MATCH},
};
use reqwest::{Client, redirect::Policy};

/// Longer than any hold.
const PATIENCE: Duration = Duration::from_secs(40);

/// Visitors through the NodePort have an address of the loopback network to themselves. Who connects before
/// kube-proxy knows of any pod is refused after connection tracking has noted the connection as one that is
/// not translated, and for two minutes everybody who comes from the same address and port is refused, too.
const VISITORS_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// An answer, read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// A header's value, or nothing where it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Visitors of one host.
#[derive(Debug, Clone)]
pub struct Visitor {
    client: Client,
    address: SocketAddr,
    host: String,
}

impl Visitor {
    /// Who comes by way of the Service, once it has been reached.
    pub fn new(node_port: u16, host: &str) -> Result<Self> {
        let client = build_client(Some(VISITORS_ADDRESS.into()), PATIENCE, PATIENCE)?;
        Ok(Self { client, address: through(node_port), host: host.to_owned() })
    }

    /// Who finds out whether the Service can be reached.
    pub fn scout(node_port: u16, host: &str) -> Result<Self> {
        Self::at(through(node_port), host)
    }

    /// Who comes to one address, such as a pod's own.
    pub fn at(address: SocketAddr, host: &str) -> Result<Self> {
        let client = build_client(None, PATIENCE, PATIENCE)?;
        Ok(Self { client, address, host: host.to_owned() })
    }

    /// Others of the same host, from an address of the loopback network to themselves, for the reason above:
    /// connection tracking remembers for two minutes whom it has led to a pod that is gone.
    pub fn others(&self, own: Ipv4Addr) -> Result<Self> {
        Ok(Self { client: build_client(Some(own.into()), PATIENCE, PATIENCE)?, ..self.clone() })
    }

    /// Likewise, but they give up a connection, or an answer, that does not come within these times.
    pub fn impatient(&self, own: Ipv4Addr, connection: Duration, answer: Duration) -> Result<Self> {
        Ok(Self { client: build_client(Some(own.into()), connection, answer)?, ..self.clone() })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn node_port(&self) -> u16 {
        self.address.port()
    }

    /// Asks for a style sheet.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.ask(path, HeaderMap::new()).await
    }

    /// Asks for a style sheet that the visitor already has under this tag.
    pub async fn get_unless(&self, path: &str, etag: &str) -> Result<Answer> {
        let etag = etag.parse().with_context(|| format!("{etag:?} cannot be sent as a header"))?;
        self.ask(path, HeaderMap::from_iter([(IF_NONE_MATCH, etag)])).await
    }

    async fn ask(&self, path: &str, headers: HeaderMap) -> Result<Answer> {
        let url = format!("http://{}{path}", self.address);
        let request = self.client.get(&url).headers(headers).header(HOST, &self.host);
        let answer = request.send().await.with_context(|| format!("no answer from {url}"))?;
        Ok(Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: answer.text().await.with_context(|| format!("no whole answer from {url}"))?,
        })
    }
}

fn build_client(own: Option<IpAddr>, connection: Duration, answer: Duration) -> Result<Client> {
    // Without idle connections kube-proxy chooses a pod for each request.
    let client = Client::builder()
        .no_proxy()
        .local_address(own)
        .redirect(Policy::none())
        .pool_max_idle_per_host(0)
        .connect_timeout(connection)
        .timeout(answer);
    client.build().context("cannot make a visitor")
}

fn through(node_port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, node_port).into()
}
