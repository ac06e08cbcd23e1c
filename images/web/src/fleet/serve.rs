//! The owner's side: `POST /wait` and `GET /wait/<fingerprint>` on the internal listener.

use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE},
};
use jiff::Timestamp;
use pipeline::signature::{SIGNATURE_HEADER, SigningKeys};

use super::{
    WaitAnswer,
    call::{self, Refusal},
};
use crate::{hold::HoldEnd, router::AppState};

/// This pod ends: ask another one.
const DRAINING: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
/// This pod belongs to another release, and would compile with other options.
const OTHER_FINGERPRINT: StatusCode = StatusCode::CONFLICT;

/// Whether a member that refused with this status would refuse the next wait, too.
pub(super) fn is_lasting(status: StatusCode) -> bool {
    status == DRAINING || status == OTHER_FINGERPRINT
}

/// `POST /wait`: answers when this pod's hold of the key has ended. Acts as the owner, whatever this pod
/// thinks of who is: a wait is never sent on.
pub(crate) async fn wait(
    State((web, keys)): State<(AppState, SigningKeys)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let request = match call::open(&keys, &headers, &body, Timestamp::now()) {
        Ok(request) => request,
        Err(Refusal::NotSigned) => return refuse(StatusCode::UNAUTHORIZED),
        Err(Refusal::NotUnderstood) => return refuse(StatusCode::BAD_REQUEST),
    };
    if !web.fleet.is_us(request.to) {
        return refuse(StatusCode::MISDIRECTED_REQUEST);
    }
    if request.key.fingerprint != *web.fingerprints.of(&request.tenant) {
        return refuse(OTHER_FINGERPRINT);
    }
    match web.holds.wait_for_peer(&web.order_of(request)).await {
        Ok(ended) => {
            let answer = WaitAnswer { job: ended.job, manifest: (*ended.manifest).clone() };
            let asked = call::signature_of(&headers);
            let (signature, body) = call::seal_answer(&keys, asked, &answer, Timestamp::now());
            let head = Response::builder().header(CONTENT_TYPE, "application/json");
            let answer = head.header(SIGNATURE_HEADER, signature).body(Body::from(body));
            answer.expect("a signature is visible ASCII")
        }
        Err(HoldEnd::Deadline) => refuse(StatusCode::GATEWAY_TIMEOUT),
        Err(HoldEnd::Full) => refuse(StatusCode::TOO_MANY_REQUESTS),
        Err(HoldEnd::Failed) => refuse(StatusCode::BAD_GATEWAY),
        Err(HoldEnd::Draining) => refuse(DRAINING),
    }
}

/// `GET /wait/<fingerprint>`: whether this pod takes waits for keys of this fingerprint.
pub(crate) async fn takes_waits(
    State((web, _)): State<(AppState, SigningKeys)>,
    Path(fingerprint): Path<String>,
) -> StatusCode {
    if web.holds.is_draining() {
        DRAINING
    } else if fingerprint != web.fingerprints.of_pipeline().as_str() {
        OTHER_FINGERPRINT
    } else {
        StatusCode::NO_CONTENT
    }
}

fn refuse(status: StatusCode) -> Response<Body> {
    let mut refusal = Response::new(Body::empty());
    *refusal.status_mut() = status;
    refusal
}
