//! Direct notices: a signed POST to the web pod that waits. The fast way of completion, never the only one.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    Error, ErrorKind,
    notice::Notice,
    peers::Peers,
    signature::{SIGNATURE_HEADER, SigningKeys},
};

/// The path of a web pod's internal listener that takes notices.
pub const NOTICE_PATH: &str = "/notice";

/// The body of a notice to [`NOTICE_PATH`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedNotice {
    #[serde(flatten)]
    pub notice: Notice,
    /// Whether it came by SNS, by way of another pod.
    #[serde(default)]
    pub relayed: bool,
}

/// How a notice reaches the web pod that waits for it.
#[async_trait]
pub trait Direct: Send + Sync {
    /// Gives the notice to the internal listener at `reply_to`, where that belongs to a web pod of this
    /// pipeline. One try: SNS and the re-check cover its loss.
    async fn post(&self, notice: &SignedNotice, reply_to: &Url) -> Result<(), Error>;
}

const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
const TIMEOUT: Duration = Duration::from_secs(2);

/// A client for web pods' internal listeners: quick to give up, and led nowhere else.
pub(crate) fn internal_client() -> Result<reqwest::Client, Error> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT);
    client.build().map_err(|source| {
        Error::new(ErrorKind::Invalid, "build the client for what pods say to pods").with_source(source)
    })
}

/// Sends notices to web pods, and to nothing else.
pub struct DirectNotices {
    client: reqwest::Client,
    keys: SigningKeys,
    peers: Arc<Peers>,
}

impl DirectNotices {
    pub fn new(keys: SigningKeys, peers: Arc<Peers>) -> Result<Self, Error> {
        Ok(Self { client: internal_client()?, keys, peers })
    }
}

#[async_trait]
impl Direct for DirectNotices {
    async fn post(&self, notice: &SignedNotice, reply_to: &Url) -> Result<(), Error> {
        let attempted = || format!("send a notice to {reply_to}");
        if !self.peers.is_member(reply_to).await? {
            return Err(
                Error::new(ErrorKind::Denied, attempted()).with_source("it is no web pod of this pipeline")
            );
        }
        let body = serde_json::to_vec(notice).expect("a notice holds only text, which always serializes");
        let signature = self.keys.sign(&body, Timestamp::now());
        let request = self.client.post(reply_to.clone()).header(SIGNATURE_HEADER, signature).body(body);
        let answer = request.send().await.and_then(reqwest::Response::error_for_status);
        answer
            .map(|_| ())
            .map_err(|source| Error::new(ErrorKind::Unavailable, attempted()).with_source(source))
    }
}
