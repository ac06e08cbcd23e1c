//! `POST /work_complete`: what Amazon SNS says to an HTTP subscriber, believed only once it is verified.
//!
//! Every message is checked for what costs nothing first: topic, kind, signature version, time, and the
//! spelling of the certificate's URL. Only then is the signer's certificate fetched, if it is not known, and
//! the signature verified. No URL that a message names is ever asked, the certificate's aside, and no
//! `x-amz-sns-*` header is read. A `GET` there shows the operator whom it has reached.

mod act;
mod aia;
mod authority;
mod certificate;
mod certificates;
mod envelope;
mod refusal;
mod signed_text;
mod source;
mod topic_arn;

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::State,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use moka::future::Cache;
use pipeline::{
    ports::Subscriptions,
    reach::{REACHED_HEADER, prove},
    signature::SigningKeys,
};
use tokio::sync::Semaphore;
use url::Url;

use crate::router::AppState;

pub use authority::{Authority, InvalidAuthority};
pub use topic_arn::InvalidTopicArn;

use act::{Act, act};
use certificates::Certificates;
use envelope::Envelope;
use refusal::Refusal;
use source::Source;
use topic_arn::TopicArn;

/// Identities of messages that were acted on, for as long as a message may be repeated.
const MAX_REMEMBERED: u64 = 100_000;
/// Confirmations under way at the same time in one pod.
const MAX_CONFIRMATIONS: usize = 4;

/// The topic `work_complete`, as one pod listens to it.
pub struct SnsTopic {
    arn: TopicArn,
    certificates: Certificates,
    acted_on: Cache<String, ()>,
    subscriptions: Arc<dyn Subscriptions>,
    confirmations: Arc<Semaphore>,
    /// Whoever asks is shown a proof by these that it has reached this pipeline.
    keys: Option<SigningKeys>,
}

/// Why no topic can be listened to.
#[derive(Debug, thiserror::Error)]
pub enum SnsSetupError {
    #[error(transparent)]
    TopicArn(#[from] InvalidTopicArn),
    #[error("could not build the client for SNS's certificates")]
    Client(#[source] reqwest::Error),
}

impl SnsTopic {
    /// Messages of the topic `arn`, whose signer `authority` vouches for. The certificate is fetched at the
    /// host that the topic's region has, or at `endpoint` in its place.
    pub fn new(
        arn: &str,
        authority: Authority,
        endpoint: Option<Url>,
        subscriptions: Arc<dyn Subscriptions>,
    ) -> Result<Self, SnsSetupError> {
        let arn: TopicArn = arn.parse()?;
        let source = Source::new(endpoint).map_err(SnsSetupError::Client)?;
        Ok(Self {
            certificates: Certificates::new(source, authority, arn.signer_names()),
            arn,
            acted_on: Cache::builder()
                .max_capacity(MAX_REMEMBERED)
                .time_to_live(envelope::MAX_AGE + envelope::MAX_AHEAD)
                .build(),
            subscriptions,
            confirmations: Arc::new(Semaphore::new(MAX_CONFIRMATIONS)),
            keys: None,
        })
    }

    /// Lets the operator see by the pipeline's keys that it reaches this topic's listener.
    #[must_use]
    pub fn proving(self, keys: SigningKeys) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// What [`REACHED_HEADER`] says at that time.
    fn prove(&self, now: Timestamp) -> Option<HeaderValue> {
        let proof = prove(self.keys.as_ref()?, self.arn.as_str(), now);
        HeaderValue::try_from(proof).ok()
    }

    /// The message, if it is one of this topic that SNS signed a short while before `now`.
    async fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Envelope, Refusal> {
        if !is_text(headers) {
            return Err(Refusal::NoText);
        }
        let envelope = Envelope::read(body, &self.arn, now)?;
        let certificate = self.certificates.find(&envelope.certificate_url, now).await?;
        let text = signed_text::signed_text(&envelope);
        if !certificate.has_signed(&text, &envelope.signature) {
            return Err(Refusal::Signature);
        }
        Ok(envelope)
    }

    /// Acts on a message unless that was done before. One that comes again may be a delivery whose answer
    /// was lost, or somebody's replay: neither says anything new.
    async fn act_once(&self, web: &AppState, envelope: Envelope) -> Result<Act, Refusal> {
        let id = envelope.message_id.clone();
        if !self.acted_on.entry_by_ref(&id).or_insert(()).await.is_fresh() {
            return Ok(Act::Repeated);
        }
        let acted = act(web, self, envelope);
        if acted.is_err() {
            self.acted_on.invalidate(&id).await;
        }
        acted
    }
}

/// `POST /work_complete`. Answered before anything is relayed or confirmed: SNS waits for nobody. A message
/// that may be verified later gets 503, after which SNS tries again; all others are refused for good.
pub(crate) async fn work_complete(
    State(web): State<AppState>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let verified = match &web.topic {
        Some(topic) => {
            topic.verify(&headers, &body, Timestamp::now()).await.map(|envelope| (topic, envelope))
        }
        None => Err(Refusal::NoTopic),
    };
    let acted = match verified {
        Ok((topic, envelope)) => topic.act_once(&web, envelope).await,
        Err(refusal) => Err(refusal),
    };
    match acted {
        Ok(act) => {
            web.metrics.count_sns(act.as_str());
            StatusCode::OK
        }
        Err(refusal) => {
            web.metrics.notices_refused.inc();
            web.metrics.count_sns(refusal.as_str());
            tracing::warn!(reason = pipeline::chain(&refusal), "refused a message at /work_complete");
            refusal.status()
        }
    }
}

/// The answer to a `GET /work_complete`, where SNS may post here: who holds the pipeline's keys reads in it that it
/// came from a web pod of the pipeline. It says nothing to anybody else, and no cache keeps it.
pub(crate) fn show_reached(web: &AppState) -> Option<Response> {
    let proof = web.topic.as_ref()?.prove(Timestamp::now())?;
    let headers = [
        (HeaderName::from_static(REACHED_HEADER), proof),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Some((StatusCode::NO_CONTENT, headers).into_response())
}

/// SNS sends its JSON as plain text; other clients' JSON is no message of it.
fn is_text(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("text/plain")
}
