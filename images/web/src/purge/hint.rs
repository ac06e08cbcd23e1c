//! `POST /purge` on the internal listener: the operator says that there are purges to be read.

use std::num::NonZeroU32;

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use pipeline::{purge::PurgeHint, rate::RateLimit, signature::SigningKeys};

use crate::router::{AppState, check_signed};

/// Hints that are followed a second. Each has what it names read anew with the next visit; beyond that the
/// records are read when their time has come, as without any hint.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(10).expect("it is not 0");

pub(crate) fn limit() -> RateLimit {
    RateLimit::per_second(PER_SECOND, PER_SECOND)
}

pub(crate) async fn hint(
    State((web, keys)): State<(AppState, SigningKeys)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if let Err(refusal) = check_signed(&web, &keys, &headers, &body) {
        return refusal;
    }
    let Some(hint) = PurgeHint::from_body(&body) else { return StatusCode::BAD_REQUEST };
    if web.hints.take().is_err() {
        return StatusCode::TOO_MANY_REQUESTS;
    }
    web.metrics.purge_hints.inc();
    web.tenants.look_again(&hint.scope).await;
    web.forget_ready();
    StatusCode::NO_CONTENT
}
