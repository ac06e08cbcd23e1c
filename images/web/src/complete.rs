//! Notices on their way between pods: straight from a worker, or relayed by the pod that SNS reached.

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use pipeline::{chain, direct::SignedNotice, notice::Notice, signature::SigningKeys};

use crate::{
    hold::Way,
    router::{AppState, check_signed},
    web::Web,
};

/// Relays under way at the same time in one pod.
const MAX_RELAYS: usize = 256;

/// `POST /notice` on the internal listener: a worker, or a pod that relays.
pub(crate) async fn notice(
    State((web, keys)): State<(AppState, SigningKeys)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if let Err(refusal) = check_signed(&web, &keys, &headers, &body) {
        return refusal;
    }
    let Ok(signed) = serde_json::from_slice::<SignedNotice>(&body) else { return StatusCode::BAD_REQUEST };
    let way = if signed.relayed { Way::Sns } else { Way::Direct };
    web.holds.hint(&signed.notice.key, way);
    StatusCode::NO_CONTENT
}

/// Tells the pod that waits, in the background. Past the bound, its re-check finds the manifest.
pub(crate) fn relay_later(web: &AppState, notice: Notice) {
    if web.relays.len() < MAX_RELAYS {
        let relaying = web.clone();
        web.relays.spawn(async move { relay(&relaying, notice).await });
    }
}

async fn relay(web: &Web, notice: Notice) {
    let (Some(direct), Some(reply_to)) = (&web.direct, &notice.reply_to) else { return };
    if Some(reply_to) == web.holds.settings.reply_to.as_ref() {
        return;
    }
    match direct.post(&SignedNotice { notice: notice.clone(), relayed: true }, reply_to).await {
        Ok(()) => {
            web.metrics.notices_relayed.inc();
        }
        Err(error) => {
            tracing::warn!(error = chain(&error), "could not relay a notice; the re-check will find it");
        }
    }
}
