//! Whether the URL that SNS is to post to leads to this pipeline's web pods.
//!
//! A web pod shows by a signature of the pipeline's keys that it listens to the topic. The request has no effect,
//! and the answer tells nothing to whoever has no key: neither the pipeline nor its topic can be read in it. Whose
//! the URL is was not checked: somebody else's machine may be asked, so redirects are not followed, no body is
//! read, and where machines and clouds keep their secrets nothing is asked.

mod resolver;

use std::{
    error::Error as StdError,
    iter,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use reqwest::{Client, StatusCode, redirect::Policy};
use url::{Host, Url};

use self::resolver::{AskableResolver, LookupError};
use crate::{Error, ErrorKind, address, signature::SigningKeys};

/// The header of the answer that carries the proof.
pub const REACHED_HEADER: &str = "x-assets-reached";

/// The whole question, the look-up of the name included.
const TIMEOUT: Duration = Duration::from_secs(3);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Of what a library says about a failure.
const MAX_DETAIL: usize = 160;

/// What is asked.
#[derive(Clone)]
pub struct Question {
    pub endpoint: Url,
    pub topic_arn: String,
    /// By which the pipeline's web pods sign.
    pub keys: SigningKeys,
}

/// Why a URL does not lead to the pipeline. The message is for the pipeline's keeper, and follows the URL.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Unreached {
    #[error("its name could not be looked up")]
    Name,
    #[error(
        "it leads to an address of the asking machine, or to one where clouds tell machines their secrets: such \
         are never asked"
    )]
    Forbidden,
    #[error("no connection could be made: {0}")]
    Connection(String),
    #[error("it gave no answer within {} s", TIMEOUT.as_secs())]
    TimedOut,
    #[error("the connection ended without an answer")]
    Broken,
    #[error("what answered with status {0} is no web pod of this pipeline{hint}", hint = hint_at(*.0))]
    Foreign(u16),
    /// Who may write a pipeline must not learn by it what is in the operator's network.
    #[error(
        "no web pod of this pipeline answers there; since the address is not public, what was met instead is told in \
         the operator's log alone"
    )]
    Private,
}

impl Unreached {
    /// Whether it tells of what is at the address.
    fn tells_of_others(&self) -> bool {
        match self {
            Self::Connection(_) | Self::TimedOut | Self::Broken | Self::Foreign(_) => true,
            Self::Name | Self::Forbidden | Self::Private => false,
        }
    }
}

/// A load balancer that redirects http answers whatever is asked so.
fn hint_at(status: u16) -> &'static str {
    if (300..400).contains(&status) {
        "; SNS follows no redirect, so make the endpoint the URL that it leads to, by https perhaps"
    } else {
        ""
    }
}

/// The value of [`REACHED_HEADER`] at that time. No body that pods sign begins like this text.
pub fn prove(keys: &SigningKeys, topic_arn: &str, now: Timestamp) -> String {
    keys.sign(&proven_text(topic_arn), now)
}

/// Whether a holder of the keys has written the header a moment ago.
pub fn is_proven(keys: &SigningKeys, header: &str, topic_arn: &str, now: Timestamp) -> bool {
    keys.is_signed(header, &proven_text(topic_arn), now)
}

fn proven_text(topic_arn: &str) -> Vec<u8> {
    format!("reached {topic_arn}").into_bytes()
}

/// Asks URLs.
#[derive(Clone)]
pub struct EndpointReach {
    is_askable: fn(IpAddr) -> bool,
}

impl EndpointReach {
    pub fn new() -> Result<Self, Error> {
        Self::within(is_askable)
    }

    fn within(is_askable: fn(IpAddr) -> bool) -> Result<Self, Error> {
        let reach = Self { is_askable };
        reach.build_client(&Arc::default()).map_err(|source| {
            Error::new(ErrorKind::Invalid, "build the client for notification endpoints").with_source(source)
        })?;
        Ok(reach)
    }

    /// For one question, so that what its name led to is known; whoever is asked again is looked up and connected to
    /// anew, as SNS does.
    fn build_client(&self, met_private: &Arc<AtomicBool>) -> reqwest::Result<Client> {
        let resolver = AskableResolver { is_askable: self.is_askable, met_private: Arc::clone(met_private) };
        Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .dns_resolver(Arc::new(resolver))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .build()
    }

    /// Whether a web pod of the pipeline answers at the endpoint. Takes 3 s at the most.
    pub async fn ask(&self, question: &Question) -> Result<(), Unreached> {
        let met_private = Arc::default();
        let asked = self.ask_anyone(question, &met_private).await;
        asked.map_err(|why| {
            if met_private.load(Ordering::Relaxed) && why.tells_of_others() {
                tracing::info!(endpoint = %question.endpoint, met = %why, "the endpoint does not lead to web pods");
                Unreached::Private
            } else {
                why
            }
        })
    }

    async fn ask_anyone(&self, question: &Question, met_private: &Arc<AtomicBool>) -> Result<(), Unreached> {
        let Question { endpoint, topic_arn, keys } = question;
        // An address is looked up nowhere.
        let address = match endpoint.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::from(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::from(address)),
            Some(Host::Domain(_)) | None => None,
        };
        if address.is_some_and(|address| !(self.is_askable)(address)) {
            return Err(Unreached::Forbidden);
        }
        if address.is_some_and(|address| !address::is_public(address.to_canonical())) {
            met_private.store(true, Ordering::Relaxed);
        }
        let client = self.build_client(met_private).map_err(|error| tell(&error))?;
        let answer = client.get(endpoint.clone()).send().await.map_err(|error| tell(&error))?;
        let proof = answer.headers().get(REACHED_HEADER).and_then(|value| value.to_str().ok());
        let is_ours = proof.is_some_and(|proof| is_proven(keys, proof, topic_arn, Timestamp::now()));
        if is_ours && answer.status() == StatusCode::NO_CONTENT {
            Ok(())
        } else {
            Err(Unreached::Foreign(answer.status().as_u16()))
        }
    }
}

/// Private networks are: load balancers that are not public are there.
fn is_askable(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let inner = address::embedded(address).into_iter().flatten().map(IpAddr::from);
    iter::once(address)
        .chain(inner)
        .all(|address| address::innermost(address).is_none() && !is_for_many(address))
}

fn is_for_many(address: IpAddr) -> bool {
    address.is_multicast() || matches!(address, IpAddr::V4(address) if address.is_broadcast())
}

/// The same failure is always told in the same words, so that a status that tells it stays as it is.
fn tell(error: &reqwest::Error) -> Unreached {
    let lookup = causes(error).find_map(|cause| cause.downcast_ref::<LookupError>());
    match lookup {
        Some(LookupError::Unknown(_)) => Unreached::Name,
        Some(LookupError::Forbidden) => Unreached::Forbidden,
        None if error.is_timeout() => Unreached::TimedOut,
        None if error.is_connect() => {
            let innermost = causes(error).last().map(ToString::to_string);
            Unreached::Connection(shorten(&innermost.unwrap_or_default()))
        }
        None => Unreached::Broken,
    }
}

/// What is behind the error.
fn causes<'e>(error: &'e reqwest::Error) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    iter::successors(error.source(), |&cause: &&'e (dyn StdError + 'static)| cause.source())
}

/// A certificate's names are whatever somebody wrote into it.
fn shorten(text: &str) -> String {
    text.chars().filter(|letter| letter.is_ascii_graphic() || *letter == ' ').take(MAX_DETAIL).collect()
}

#[cfg(test)]
mod tests;
