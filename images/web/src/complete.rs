//! Notices on their way in: straight from a worker, or from SNS by way of any pod.

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use jiff::Timestamp;
use pipeline::{
    chain,
    direct::SignedNotice,
    notice::Notice,
    signature::{SIGNATURE_HEADER, SigningKeys},
};
use serde::Deserialize;

use crate::{hold::Way, router::AppState, web::Web};

/// Relays under way at the same time in one pod.
const MAX_RELAYS: usize = 256;

/// The topic `work_complete`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnsTopic {
    pub arn: String,
}

/// What SNS POSTs to an HTTP subscriber (Amazon SNS Developer Guide, "Parsing message formats").
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    r#type: String,
    topic_arn: String,
    message: String,
}

/// `POST /work_complete`: SNS. Whatever it says, it only makes a pod look at the store.
pub(crate) async fn work_complete(State(web): State<AppState>, body: Bytes) -> StatusCode {
    let notice = match read_envelope(&body, web.topic.as_ref()) {
        Ok(notice) => notice,
        Err(refusal) => {
            web.metrics.notices_refused.inc();
            tracing::warn!(reason = refusal, "refused a message at /work_complete");
            return StatusCode::FORBIDDEN;
        }
    };
    web.holds.hint(&notice.key, Way::Sns);
    // Answered before it is relayed: SNS waits for nobody. Past the bound, the re-check finds the manifest.
    if web.relays.len() < MAX_RELAYS {
        let relaying = web.clone();
        web.relays.spawn(async move { relay(&relaying, notice).await });
    }
    StatusCode::OK
}

/// `POST /notice` on the internal listener: a worker, or a pod that relays.
pub(crate) async fn notice(
    State((web, keys)): State<(AppState, SigningKeys)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let signature = headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !keys.is_signed(signature, &body, Timestamp::now()) {
        web.metrics.notices_refused.inc();
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(signed) = serde_json::from_slice::<SignedNotice>(&body) else { return StatusCode::BAD_REQUEST };
    let way = if signed.relayed { Way::Sns } else { Way::Direct };
    web.holds.hint(&signed.notice.key, way);
    StatusCode::NO_CONTENT
}

fn read_envelope(body: &[u8], topic: Option<&SnsTopic>) -> Result<Notice, &'static str> {
    let topic = topic.ok_or("this pipeline has no topic")?;
    let envelope: Envelope = serde_json::from_slice(body).map_err(|_| "it is no SNS message")?;
    if envelope.topic_arn != topic.arn {
        return Err("it is of another topic");
    }
    if envelope.r#type != "Notification" {
        return Err("it is no notification; subscriptions are not confirmed here");
    }
    serde_json::from_str(&envelope.message).map_err(|_| "it holds no notice")
}

async fn relay(web: &Web, notice: Notice) {
    let (Some(direct), Some(reply_to)) = (&web.direct, &notice.reply_to) else { return };
    if Some(reply_to) == web.holds.settings.reply_to.as_ref() {
        return;
    }
    match direct.relay(&notice, reply_to).await {
        Ok(()) => {
            web.metrics.notices_relayed.inc();
        }
        Err(error) => {
            tracing::warn!(error = chain(&error), "could not relay a notice; the re-check will find it");
        }
    }
}
